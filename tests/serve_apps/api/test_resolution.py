"""Operators see what a lead was made of, and take a wrong merge apart, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from actors.intake_desk import IntakeDesk
from actors.intake_turn import Split
from engine.intake.prepared import prepare
from engine.intake.record import FieldNote, SourceRecord
from engine.market.answers import Contact
from engine.source_directory import load_sources
from tests.serve_apps.api.world import (
    CANARY,
    World,
    assert_problem,
    running,
    world_settings,
)

SOURCES = load_sources()
HOME = SourceRecord(
    source="zillow",
    source_id="z1",
    list_price=300_000,
    standard_status="Active",
    property_type="Residential",
    property_sub_type="Single Family Residence",
    bedrooms_total=3,
    living_area=1_873,
    year_built=1987,
    street_address="5 Elm St",
    city="Austin",
    state_or_province="TX",
    postal_code="78701",
    remarks=f"ask for {CANARY}",
    modification_timestamp="2026-01-01T00:00:00Z",
    contact=Contact(name=CANARY, phone="+15125550142", latitude=30.2671, longitude=-97.7431),
    content_hash="1",
    licence="public",
    language="en",
    notes={"postal_code": FieldNote("zip-of-the-point", 0.8)},
)
UNPLACED = replace(
    HOME,
    source="redfin",
    source_id="r1",
    street_address=None,
    postal_code=None,
    listing_id="MLS-1",
    contact=Contact(),
    notes={},
    content_hash="2",
)
BOTH = replace(HOME, source="mls", source_id="m1", listing_id="MLS-1", content_hash="3")


@pytest.fixture
async def desk(world: World) -> AsyncIterator[IntakeDesk]:
    desk = IntakeDesk("austin", world.settings.database_url, world.client)
    world.desks["austin"] = desk
    await desk.start()
    yield desk
    await desk.stop()


@pytest.fixture
async def world(fresh_database_url: str, redis_url: str) -> AsyncIterator[World]:
    async with running(world_settings(fresh_database_url, redis_url)) as started:
        yield started


async def take(desk: IntakeDesk, record: SourceRecord) -> None:
    await desk.take([prepare(record, SOURCES[record.source], now_us=1_770_000_000_000_000)], [])


async def test_a_merge_is_shown_and_undone(world: World, desk: IntakeDesk) -> None:
    for record in (HOME, UNPLACED, BOTH):
        await take(desk, record)
    admin, buyer = await world.admin(), await world.buyer()
    shown = (await admin.get("/v1/admin/merges", market="austin")).json()
    (merge,) = shown["items"]
    assert shown["next_cursor"] is None
    assert (merge["market"], merge["records"], merge["is_link"]) == ("austin", 1, False)
    assert (await admin.get("/v1/admin/merges", market="dallas")).json()["items"] == []

    path = f"/v1/admin/leads/{merge['survivor']}/records"
    records = await admin.get(path)
    assert CANARY not in records.text
    items = {each["source"]: each for each in records.json()["items"]}
    assert set(items) == {"mls", "redfin", "zillow"}
    assert items["zillow"]["notes"] == {
        "postal_code": {"rule": "zip-of-the-point", "confidence": 0.8}
    }
    assert (items["zillow"]["licence"], items["zillow"]["language"]) == ("public", "en")
    assert records.json()["origin"]["list_price"] == "mls m1"
    assert set(records.json()["quality"]) >= {"completeness", "agreement", "motivation"}

    undo = f"/v1/admin/merges/{merge['merge_id']}/undo"
    assert_problem(await buyer.post(undo), 403, "forbidden")
    undone = await admin.post(undo)
    assert undone.status_code == 200, undone.text
    assert undone.json()["survivor"] == merge["survivor"]
    again = (await buyer.get(f"/v1/leads/{undone.json()['new_lead_id']}")).json()
    assert (again["lead_state"], again["sources"]) == ("available", ["redfin"])
    assert (await admin.post(undo)).json() == undone.json()
    (merge,) = (await admin.get("/v1/admin/merges")).json()["items"]
    assert merge["new_lead_id"] == undone.json()["new_lead_id"]
    assert merge["undone_at"]


async def test_what_is_not_there(world: World, desk: IntakeDesk) -> None:
    admin = await world.admin()
    assert_problem(await admin.post("/v1/admin/merges/none/undo"), 404, "not-found")
    assert_problem(await admin.get("/v1/admin/leads/none/records"), 404, "not-found")
    for path in ("/v1/admin/merges/%00/undo", "/v1/admin/leads/%00/records"):
        method = "POST" if path.endswith("undo") else "GET"
        assert_problem(await admin.request(method, path), 404, "not-found")
    answered = await admin.get("/v1/admin/merges", market="\0")
    assert_problem(answered, 422, "validation")
    assert_problem(await (await world.buyer()).get("/v1/admin/merges"), 403, "forbidden")


async def test_a_desk_that_is_away_is_said_so(world: World, desk: IntakeDesk) -> None:
    for record in (HOME, UNPLACED, BOTH):
        await take(desk, record)
    del world.desks["austin"]
    admin = await world.admin()
    (merge,) = (await admin.get("/v1/admin/merges")).json()["items"]
    answered = await admin.post(f"/v1/admin/merges/{merge['merge_id']}/undo")
    assert_problem(answered, 503, "unavailable")
    assert isinstance(await desk.undo_merge(merge["merge_id"], "admin"), Split)
