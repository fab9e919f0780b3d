"""The local RESO server: what it serves, what it refuses, and what it has of the worlds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from engine.adapters.sources.reso_filter import predicate_of
from engine.adapters.sources.reso_replay import CapturedListings, SampleListings
from engine.intake.document import Document
from engine.intake.record import SourceRecord
from engine.intake.reso import parse
from engine.intake.reso.dictionary import property_fields
from engine.intake.reso.names import FIELDS
from engine.intake.sample_world import SampleWorld
from engine.market_directory import load_markets
from tests.adapters.sources.reso_peer import BASE, Peer

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
GRANT = {"grant_type": "client_credentials", "client_id": "replay", "client_secret": "replay"}


@pytest.fixture
def peer() -> Peer:
    peer = Peer()
    for number in range(5):
        peer.put(f"k{number}", 100_000 + number)
        peer.wait(minutes=1)
    return peer


@pytest.fixture
async def client(peer: Peer) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(peer.site.app())
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        answer = await client.post("oauth2/token", data=GRANT)
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield client


async def test_it_serves_what_the_web_api_asks_for(client: httpx.AsyncClient) -> None:
    counted = {"$count": "true", "$top": "2", "$select": "ListingKey,ModificationTimestamp"}
    page = (await client.get("Property", params=counted)).json()
    assert page["@odata.count"] == 5
    assert page["value"] == [
        {"ListingKey": "k0", "ModificationTimestamp": "2026-05-01T12:00:00.000000Z"},
        {"ListingKey": "k1", "ModificationTimestamp": "2026-05-01T12:01:00.000000Z"},
    ]
    following = (await client.get(page["@odata.nextLink"])).json()
    assert [row["ListingKey"] for row in following["value"]] == ["k2", "k3"]
    last = (await client.get(following["@odata.nextLink"])).json()
    assert "@odata.nextLink" not in last
    skipped = (await client.get("Property", params={"$skip": "4"})).json()
    assert [row["ListingKey"] for row in skipped["value"]] == ["k4"]
    one = await client.get("Property('k3')")
    assert one.json()["ListPrice"] == 100_003
    assert one.headers["OData-Version"] == "4.0"
    metadata = await client.get("$metadata")
    assert property_fields(metadata.content) >= set(FIELDS)


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        ("Property('nobody')", {}, 404),
        ("Member", {}, 404),
        ("Property", {"$filter": "ListPrice near 3"}, 400),
        ("Property", {"$filter": "ModificationTimestamp gt yesterday"}, 400),
        ("Property", {"$filter": "(" * 50}, 400),
        ("Property", {"$orderby": "ListPrice desc"}, 400),
        ("Property", {"$select": "Nothing"}, 400),
        ("Property", {"$top": "many"}, 400),
        ("Property", {"$skiptoken": "x"}, 400),
        ("Property", {"$apply": "x"}, 400),
        ("../atlantis/Property", {}, 404),
    ],
)
async def test_it_refuses_what_it_does_not_know(
    client: httpx.AsyncClient, path: str, params: dict[str, str], status: int
) -> None:
    assert (await client.get(path, params=params)).status_code == status


async def test_only_a_token_of_its_own_is_let_in(client: httpx.AsyncClient) -> None:
    for change in ({"client_secret": "other"}, {"grant_type": "password"}):
        assert (await client.post("oauth2/token", data={**GRANT, **change})).status_code == 401
    long = {**GRANT, "scope": "x" * 5_000}
    assert (await client.post("oauth2/token", data=long)).status_code == 413
    for header in ("", "Bearer other", "Basic cmVwbGF5OnJlcGxheQ=="):
        answer = await client.get("Property", headers={"Authorization": header})
        assert answer.status_code == 401


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("StandardStatus eq 'Active'", True),
        ("StandardStatus eq 'ActiveUnderContract'", False),
        ("StandardStatus ne 'Closed' and MlgCanView eq true", True),
        ("MlgCanView eq false or (City eq 'O''Brien' and MlgCanView eq true)", True),
        ("ModificationTimestamp ge 2026-05-01T12:00:00Z", True),
        ("ModificationTimestamp gt 2026-05-01T05:00:00-07:00", False),
        ("Nothing eq null", True),
        ("Nothing ne 'x'", True),
        ("Nothing lt 'x'", False),
    ],
)
def test_filters(text: str, fits: bool) -> None:
    row = {
        "StandardStatus": "Active",
        "MlgCanView": True,
        "City": "O'Brien",
        "ModificationTimestamp": "2026-05-01T12:00:00Z",
    }
    assert predicate_of(text)(row) is fits


def test_the_sample_worlds_listings() -> None:
    world = SampleWorld(3, 400, list(load_markets().values()))
    listings = SampleListings(world, NOW)
    assert listings("atlantis") is None
    store = listings("austin")
    assert store is not None
    assert store is listings("austin")
    seen = {each.source_id: each for each in world.sightings("austin", "mls")}
    assert set(store) == set(seen)
    documents = list(world.documents("mls", "austin"))
    records = {
        record.source_id: record
        for name, media_type, content in documents
        for record in parse(Document(url=name, content=content, media_type=media_type))
        if isinstance(record, SourceRecord)
    }
    assert set(records) == set(seen)
    for key, record in records.items():
        assert record.is_sample
        assert record.list_price == seen[key].price
        assert record.standard_status == seen[key].status
        assert record.living_area == seen[key].living_area
        assert record.extra.get("bathrooms_stated") == seen[key].bathrooms
        assert not [note for note in record.notes.values() if note.confidence == 0]


def test_captured_listings(captures: Path) -> None:
    store = CapturedListings(captures)("dallas")
    assert store is not None
    assert "MlgCanView" in store.row("TST0000000002")
    assert "ListPrice" not in store.row("TST0000000002")
