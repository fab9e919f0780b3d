"""Reviewers over HTTP: what is hidden and why, let go or taken away, and labels of both."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from actors.intake_desk import IntakeDesk
from actors.judging import LeadJudge
from engine.intake.prepared import prepare
from tests.actors.fraud_stand import HONEST, ODD, SCAM, Model
from tests.serve_apps.api.test_resolution import HOME, SOURCES
from tests.serve_apps.api.world import CANARY, World, assert_problem


class Office:
    """A world with a desk whose model says what it is told."""

    def __init__(self, world: World, desk: IntakeDesk, model: Model) -> None:
        self.world = world
        self.desk = desk
        self.model = model
        self.street = f"{secrets.token_hex(4)} St"
        self.homes = 0

    async def home(self, probability: float) -> str:
        """A new home that the model gives this probability; its lead."""
        self.homes += 1
        self.model.probability = probability
        address = f"{self.homes} {self.street}"
        home = replace(
            HOME,
            source_id=address,
            street_address=address,
            content_hash=address,
            living_area=1_000 + 100 * self.homes,
            contact=replace(HOME.contact, phone=f"+1512555{secrets.randbelow(10_000):04}"),
        )
        await self.desk.take([prepare(home, SOURCES["zillow"], now_us=1)], [])
        deps = self.world.replica.deps
        assert deps is not None
        return await deps.pool.fetchval(
            "SELECT lead_id FROM source_records WHERE source_id = $1", home.source_id
        )

    async def labels(self, lead_id: str) -> list[tuple[bool, str]]:
        deps = self.world.replica.deps
        assert deps is not None
        rows = await deps.pool.fetch(
            "SELECT is_scam, reason FROM fraud_labels WHERE lead_id = $1 ORDER BY label_id",
            lead_id,
        )
        return [(row[0], row[1]) for row in rows]


@pytest.fixture
async def office(world: World) -> AsyncIterator[Office]:
    model = Model()
    url = world.settings.database_url
    desk = IntakeDesk("austin", url, world.client, LeadJudge(model, pause=0.0))
    await desk.start()
    world.desks["austin"] = desk
    yield Office(world, desk, model)
    await desk.stop()


async def test_reviewers_see_what_is_hidden_and_why(office: Office) -> None:
    admin, buyer = await office.world.admin(), await office.world.buyer()
    hidden, flagged, clear = [await office.home(p) for p in (SCAM, ODD, HONEST)]
    answered = await admin.get("/v1/admin/quarantine", market="austin")
    assert CANARY not in answered.text
    assert "5125550142" not in answered.text
    (item,) = [each for each in answered.json()["items"] if each["lead_id"] == hidden]
    assert (item["verdict"], item["probability"], item["model_version"]) == ("quarantined", SCAM, 3)
    assert item["reasons"] == ["its price"]
    assert item["lead"]["lead_state"] == "quarantined"
    listed = (await admin.get("/v1/admin/quarantine", verdict="flagged")).json()["items"]
    assert [each["lead_id"] for each in listed] == [flagged]
    assert (await buyer.get(f"/v1/leads/{hidden}")).status_code == 404
    assert (await buyer.get(f"/v1/leads/{flagged}")).json()["fraud_flag"] is True
    assert (await buyer.get(f"/v1/leads/{clear}")).json()["fraud_flag"] is False
    assert_problem(await buyer.get("/v1/admin/quarantine"), 403, "forbidden")


async def test_pages_go_on_where_they_ended(office: Office) -> None:
    admin = await office.world.admin()
    await office.home(SCAM)
    await office.home(SCAM)
    whole = (await admin.get("/v1/admin/quarantine")).json()["items"]
    found, cursor = [], {}
    while cursor is not None:
        page = (await admin.get("/v1/admin/quarantine", limit=1, **cursor)).json()
        found += page["items"]
        cursor = {"cursor": page["next_cursor"]} if page["next_cursor"] else None
    assert found == whole
    assert len(found) >= 2


async def test_an_approved_lead_is_on_offer_and_labelled_honest(office: Office) -> None:
    admin, buyer = await office.world.admin(), await office.world.buyer()
    lead_id = await office.home(SCAM)
    path = f"/v1/admin/quarantine/{lead_id}/approve"
    answered = await admin.post(path, {"reason": "called the owner"}, key="approve-1")
    assert answered.json() == {"lead_id": lead_id, "lead_state": "available"}
    again = await admin.post(path, {"reason": "called the owner"}, key="approve-1")
    assert again.json() == answered.json()
    without_key = await admin.post(path, {"reason": "called the owner"}, key=None)
    assert without_key.json() == answered.json()
    shown = (await buyer.get(f"/v1/leads/{lead_id}")).json()
    assert (shown["lead_state"], shown["fraud_flag"]) == ("available", False)
    assert await office.labels(lead_id) == [(False, "called the owner")]


async def test_a_rejected_lead_is_withdrawn_and_labelled_a_scam(office: Office) -> None:
    admin, buyer = await office.world.admin(), await office.world.buyer()
    lead_id = await office.home(SCAM)
    answered = await admin.post(f"/v1/admin/quarantine/{lead_id}/reject", {"reason": "stolen"})
    assert answered.json() == {"lead_id": lead_id, "lead_state": "withdrawn"}
    assert await office.labels(lead_id) == [(True, "stolen")]
    found = (await buyer.get("/v1/leads", market="austin", limit=200)).json()["items"]
    assert lead_id not in [each["lead_id"] for each in found]
    # Offered again by hand it goes back to the reviewers, not to buyers.
    answered = await admin.post(f"/v1/admin/leads/{lead_id}/relist")
    assert answered.json()["lead_state"] == "quarantined"
    answered = await admin.post(f"/v1/admin/quarantine/{lead_id}/approve", {"reason": "a mistake"})
    assert answered.json()["lead_state"] == "available"
    assert await office.labels(lead_id) == [(True, "stolen"), (False, "a mistake")]


async def test_decisions_about_a_lead_are_labels_where_they_say_so(office: Office) -> None:
    admin = await office.world.admin()
    lead_id = await office.home(HONEST)

    async def say(what: str, **body: object) -> str:
        answered = await admin.post(f"/v1/admin/leads/{lead_id}/{what}", body)
        assert answered.status_code == 200, answered.text
        return answered.json()["lead_state"]

    assert await say("quarantine", reason="odd") == "quarantined"
    assert await office.labels(lead_id) == []
    assert await say("approve", reason="all well", is_scam=False) == "available"
    assert await say("quarantine", reason="a scam", is_scam=True) == "quarantined"
    assert await say("approve") == "available"
    assert await say("withdraw", reason="it is one", is_scam=True) == "withdrawn"
    assert await office.labels(lead_id) == [
        (False, "all well"),
        (True, "a scam"),
        (True, "it is one"),
    ]
    wrong = await admin.post(f"/v1/admin/leads/{lead_id}/approve", {"is_scam": True})
    assert_problem(wrong, 422, "validation")
    wrong = await admin.post(f"/v1/admin/leads/{lead_id}/withdraw", {"is_scam": False})
    assert_problem(wrong, 422, "validation")


async def test_what_cannot_be_decided(office: Office) -> None:
    admin = await office.world.admin()
    missing = await admin.post("/v1/admin/quarantine/no-such/approve", {"reason": "x"})
    assert_problem(missing, 404, "not-found")
    without_records = await office.world.lead()
    path = f"/v1/admin/quarantine/{without_records}/reject"
    assert_problem(await admin.post(path, {"reason": "x"}), 404, "not-found")
    assert_problem(await admin.post(path, {}), 422, "validation")
    elsewhere = await office.world.lead(market="dallas")
    answered = await admin.post(f"/v1/admin/quarantine/{elsewhere}/approve", {"reason": "x"})
    assert_problem(answered, 503, "unavailable")
