"""The intake desk on a real database: one home is one lead, and contacts stay in their table."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from msgspec.structs import replace

from actors.client import BookGone, BookUnavailable
from actors.intake_desk import IntakeDesk
from actors.intake_turn import Counts
from engine.intake.prepared import Prepared, prepare
from engine.intake.record import Rejected, SourceRecord
from engine.market.answers import Contact
from engine.source_directory import load_sources
from tests.actors.trading_house import CANARY, TradingHouse

CONTACT = Contact(
    name=f"Zebulon {CANARY}",
    phone="(512) 555-0142",
    email=f"zeb@{CANARY.lower()}.example",
    unparsed_address=f"812 {CANARY} Ln, Austin, TX 78701",
    latitude=30.267153,
    longitude=-97.743061,
    source_url=f"https://{CANARY.lower()}.example/812",
)


def record(source: str = "zillow", number: int = 1, **changes: object) -> SourceRecord:
    """A house at a street number of its own."""
    base = SourceRecord(
        source=source,
        source_id=f"{source}-{number}",
        list_price=300_000,
        standard_status="Active",
        property_type="Residential",
        property_sub_type="Single Family Residence",
        street_address=f"{number} {CANARY} Ln",
        city="Austin",
        state_or_province="TX",
        postal_code="78701",
        modification_timestamp="2026-01-01T00:00:00Z",
        contact=CONTACT,
        content_hash=f"{source}-{number}-v1",
    )
    return replace(base, **changes)


SOURCES = load_sources()
NOW_US = 1_770_000_000_000_000


def ready(each: SourceRecord) -> Prepared:
    return prepare(each, SOURCES[each.source], now_us=NOW_US)


def own(each: SourceRecord, house: TradingHouse) -> SourceRecord:
    """The record under an id that no other test's market has."""
    return replace(each, source_id=f"{house.market}-{each.source_id}")


@pytest.fixture
async def desk(house: TradingHouse) -> AsyncIterator[IntakeDesk]:
    await house.book()
    desk = IntakeDesk(house.market, house.database_url, house.client)
    await desk.start()
    yield desk
    await desk.stop()


async def take(
    desk: IntakeDesk, records: list[SourceRecord], rejected: list[Rejected] | None = None
) -> Counts:
    return await desk.take([ready(each) for each in records], rejected or [])


async def leads(house: TradingHouse) -> list[asyncpg.Record]:
    return await house.pool.fetch(
        "SELECT * FROM leads WHERE market = $1 ORDER BY listed_at, lead_id", house.market
    )


async def position(house: TradingHouse) -> int:
    return await house.pool.fetchval("SELECT position FROM markets WHERE market = $1", house.market)


async def outbox(house: TradingHouse) -> int:
    return await house.pool.fetchval(
        "SELECT count(*) FROM intake_outbox WHERE market = $1", house.market
    )


async def test_the_same_feed_twice_changes_nothing(house: TradingHouse, desk: IntakeDesk) -> None:
    feed = [own(record(number=n), house) for n in range(1, 8)]
    assert await take(desk, feed) == Counts(new=7)
    rows, at = await leads(house), await position(house)
    assert await take(desk, feed) == Counts(unchanged=7)
    assert await take(desk, feed + feed) == Counts(unchanged=14)
    assert (await leads(house), await position(house)) == (rows, at)
    assert await outbox(house) == 0
    await house.audit()


@pytest.mark.parametrize("how", ["one-call", "two-calls", "at-once"])
async def test_one_address_from_two_sources_is_one_lead(
    house: TradingHouse, desk: IntakeDesk, how: str
) -> None:
    one = own(record("zillow"), house)
    other = own(record("redfin", street_address=f"1 {CANARY.upper()} Lane"), house)
    if how == "one-call":
        counts = await take(desk, [one, other])
    elif how == "two-calls":
        counts = await take(desk, [one])
        counts.add(await take(desk, [other]))
    else:
        counts = Counts()
        for each in await asyncio.gather(take(desk, [one]), take(desk, [other])):
            counts.add(each)
    assert counts == Counts(new=1, merged=1)
    (lead,) = await leads(house)
    assert lead["sources"] == ["redfin", "zillow"]
    assert (
        await house.pool.fetchval(
            "SELECT count(*) FROM source_records WHERE lead_id = $1", lead["lead_id"]
        )
        == 2
    )
    await house.audit()


async def test_a_changed_record_updates_its_lead_and_keeps_the_point(
    house: TradingHouse, desk: IntakeDesk
) -> None:
    first = own(record(), house)
    await take(desk, [first])
    (before,) = await leads(house)
    moved = replace(CONTACT, latitude=30.9, longitude=-97.1)
    changed = replace(first, list_price=280_000, contact=moved, content_hash="v2")
    assert await take(desk, [changed]) == Counts(updated=1)
    (after,) = await leads(house)
    assert (after["list_price"], after["lead_id"]) == (280_000, before["lead_id"])
    assert (after["latitude"], after["longitude"]) == (before["latitude"], before["longitude"])
    await house.audit()


async def test_a_record_of_a_gone_home_lists_nothing(house: TradingHouse, desk: IntakeDesk) -> None:
    assert await take(desk, [own(record(standard_status="Closed"), house)]) == Counts(gone=1)
    assert await leads(house) == []


async def test_a_home_that_its_source_calls_closed_is_withdrawn(
    house: TradingHouse, desk: IntakeDesk
) -> None:
    home = own(record(standard_status="Active"), house)
    await take(desk, [home])
    closed = replace(home, standard_status="Closed", content_hash="v2")
    assert await take(desk, [closed]) == Counts(updated=1)
    states = await house.pool.fetch(
        "SELECT lead_state FROM lead_trading WHERE market = $1", house.market
    )
    assert [state for (state,) in states] == ["withdrawn"]
    told = await position(house)
    await take(desk, [replace(closed, list_price=1, content_hash="v3")])
    assert await position(house) == told + 1, "an update, and no second withdrawal"
    await house.audit()


async def test_what_is_rejected_is_kept_with_its_reason_and_can_come_right(
    house: TradingHouse, desk: IntakeDesk
) -> None:
    good = own(record(), house)
    bad = Rejected(
        source="zillow",
        source_id=good.source_id,
        reason="no-price",
        detail="list_price is missing",
        content_hash=good.content_hash,
    )
    unnamed = replace(bad, source_id=None, content_hash=f"{house.market}-nameless")
    assert await take(desk, [], [bad, unnamed]) == Counts(rejected=2)
    reasons = "SELECT rejected_because, rejected_detail FROM source_records WHERE market = $1"
    rows = await house.pool.fetch(reasons, house.market)
    assert [tuple(row) for row in rows] == [("no-price", "list_price is missing")] * 2
    # The same content, read by a better parser, is listed.
    assert await take(desk, [good]) == Counts(new=1)
    # Rejected once more it stays its lead's; read well again, nothing is held against it.
    await take(desk, [], [bad])
    assert await take(desk, [good]) == Counts(unchanged=1)
    row = await house.pool.fetchrow(
        "SELECT lead_id, rejected_because FROM source_records WHERE source_id = $1", good.source_id
    )
    assert (row["lead_id"], row["rejected_because"]) == ((await leads(house))[0]["lead_id"], None)


async def test_contacts_are_in_contacts_only(house: TradingHouse, desk: IntakeDesk) -> None:
    remarks = (
        f"Call Zebulon {CANARY} at 512.555.0142 or zeb at {CANARY.lower()} dot example, or come"
        f" to 812 {CANARY} lane (30.267153, -97.743061). See https://{CANARY.lower()}.example/812"
    )
    await take(desk, [own(record(title=f"{CONTACT.name}'s home", remarks=remarks), house)])
    (lead,) = await leads(house)
    contact = await house.pool.fetchrow(
        "SELECT * FROM contacts WHERE lead_id = $1", lead["lead_id"]
    )
    assert (contact["name"], contact["phone"]) == (CONTACT.name, CONTACT.phone)
    assert (contact["latitude"], contact["longitude"]) == (CONTACT.latitude, CONTACT.longitude)
    assert "zebulon" not in lead["public_remarks"].lower()
    assert "0142" not in lead["public_remarks"]
    assert (lead["latitude"], lead["longitude"]) != (CONTACT.latitude, CONTACT.longitude)
    await house.audit()


async def test_the_qualitys_parts_are_journalled_and_not_shown(
    house: TradingHouse, desk: IntakeDesk
) -> None:
    await take(desk, [own(record(remarks="Motivated seller"), house)])
    (entry,) = await house.pool.fetch(
        "SELECT event->'listing' ? 'quality_parts' AS journalled, public::text AS shown"
        " FROM market_events WHERE market = $1",
        house.market,
    )
    assert entry["journalled"]
    assert '"quality"' in entry["shown"]
    assert not any(part in entry["shown"] for part in ("quality_parts", "contactability"))


@pytest.mark.parametrize("named_first", [True, False], ids=["named-first", "printed-first"])
async def test_one_source_prints_whom_another_names(
    house: TradingHouse, desk: IntakeDesk, named_first: bool
) -> None:
    """The second record of a home has the contact's name in its remarks, not as contact."""
    named = own(record("zillow", street_address="5 Elm St"), house)
    printed = own(
        record(
            "redfin",
            street_address="5 Elm Street",
            remarks=f"Ask for Zebulon {CANARY}, or write to zeb@x.example",
            contact=Contact(),
            modification_timestamp="2026-03-01T00:00:00Z",
        ),
        house,
    )
    order = [named, printed] if named_first else [printed, named]
    await take(desk, order[:1])
    await take(desk, order[1:])
    (lead,) = await leads(house)
    assert CANARY not in lead["public_remarks"]
    assert lead["public_remarks"].count("███") == 2
    kept = await house.pool.fetch(
        "SELECT record::text FROM source_records WHERE lead_id = $1", lead["lead_id"]
    )
    assert len(kept) == 2
    assert not any(CANARY in row["record"] for row in kept)


async def test_a_desk_that_dies_before_sending_lists_once(house: TradingHouse) -> None:
    """Committed but not sent: the next desk sends it; sent but not cleared: the book answers
    the repeat."""
    await house.book()
    away, seen = True, []

    async def transport(market: str, payload: bytes) -> bytes:
        if away:
            raise BookGone("not there")
        seen.append(payload)
        return await house.transport(market, payload)

    client = type(house.client)(transport, patience=0.01)
    dying = IntakeDesk(house.market, house.database_url, client)
    await dying.start()
    feed = [own(record(number=n), house) for n in range(1, 6)]
    taking = asyncio.create_task(take(dying, feed))
    async with asyncio.timeout(30):
        while await outbox(house) < 5:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    taking.cancel()
    await asyncio.wait([taking])
    await dying.stop()
    assert await leads(house) == []
    kept = await house.pool.fetch(
        "SELECT market, command FROM intake_outbox WHERE market = $1 ORDER BY outbox_id",
        house.market,
    )
    away = False
    desk = IntakeDesk(house.market, house.database_url, client)
    await desk.start()
    assert len(await leads(house)) == 5
    assert await outbox(house) == 0
    at = await position(house)
    # As if the desk had died between the book's answer and clearing its outbox.
    await desk.stop()
    await house.pool.executemany(
        "INSERT INTO intake_outbox (market, command) VALUES ($1, $2)",
        [tuple(row) for row in kept],
    )
    await desk.start()
    assert (len(await leads(house)), await position(house)) == (5, at)
    assert await outbox(house) == 0
    assert await take(desk, feed) == Counts(unchanged=5)
    await desk.stop()
    await house.audit()


async def test_an_update_never_overtakes_its_listing(house: TradingHouse) -> None:
    """What waited in the outbox holds both; the call with the listing is lost at first."""
    await house.book()
    away = True
    lost_first = 0

    async def transport(market: str, payload: bytes) -> bytes:
        nonlocal lost_first
        if away:
            raise BookGone("not there")
        if b"ListLead" in payload and lost_first < 2:
            lost_first += 1
            await asyncio.sleep(0.05)
            raise BookGone("lost on the way")
        return await house.transport(market, payload)

    client = type(house.client)(transport, patience=5.0)
    client._patience = 0.01
    desk = IntakeDesk(house.market, house.database_url, client)
    await desk.start()
    first = own(record(), house)
    for waiting, each in enumerate((first, replace(first, list_price=1, content_hash="v2")), 1):
        taking = asyncio.create_task(take(desk, [each]))
        async with asyncio.timeout(30):
            while await outbox(house) < waiting:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        taking.cancel()
        await asyncio.wait([taking])
    away = False
    client._patience = 30.0
    await take(desk, [])
    (lead,) = await leads(house)
    assert lead["list_price"] == 1
    await desk.stop()
    await house.audit()


async def test_the_desk_comes_back_after_its_connection_broke(
    house: TradingHouse, desk: IntakeDesk
) -> None:
    await take(desk, [own(record(number=1), house)])
    await house.pool.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1",
        f"desk:{house.market}",
    )
    feed = [own(record(number=2), house)]
    try:
        await take(desk, feed)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
        await take(desk, feed)
    assert len(await leads(house)) == 2


async def test_too_many_records_are_refused(house: TradingHouse, desk: IntakeDesk) -> None:
    with pytest.raises(ValueError, match="1001 records; at most 1000"):
        await desk.take([record()] * 1_001, [])


async def test_a_book_that_stays_away_is_told_later(
    house: TradingHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.intake_desk.RETRY_PAUSE", 0.001)
    house.client._patience = 0.01
    desk = IntakeDesk(house.market, house.database_url, house.client)
    await desk.start()
    with pytest.raises(BookUnavailable):
        await take(desk, [own(record(), house)])
    assert await outbox(house) == 1
    house.client._patience = 30.0
    await house.book()
    assert await take(desk, [own(record(number=2), house)]) == Counts(new=1)
    assert len(await leads(house)) == 2
    await desk.stop()


async def test_a_command_that_no_book_can_commit_blocks_no_others(
    house: TradingHouse, desk: IntakeDesk
) -> None:
    """The book gives it up; what waits behind it in the outbox still goes out."""
    too_large = own(record(number=1, living_area=2**40), house)
    counts = await take(desk, [too_large, own(record(number=2), house)])
    assert counts == Counts(new=2)
    assert len(await leads(house)) == 1
    assert await outbox(house) == 0
