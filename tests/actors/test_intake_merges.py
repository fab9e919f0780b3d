"""Leads found to be one, taken apart again, gone and back: desk, book and database together."""

from __future__ import annotations

import asyncio
import random
import secrets

import asyncpg
import pytest
from msgspec.structs import replace

from actors.intake_desk import IntakeDesk
from actors.intake_turn import Counts
from engine.intake.record import SourceRecord
from engine.market import commands as c
from engine.market.answers import Contact
from tests.actors.test_intake_desk import CONTACT, desk, leads, own, position, record, take
from tests.actors.trading_house import TradingHouse

__all__ = ["desk"]


def three(house: TradingHouse) -> tuple[SourceRecord, SourceRecord, SourceRecord]:
    """Two records that nobody could join, and a third that is one home with both."""
    number = f"MLS-{house.market}"
    home = {"bedrooms_total": 3, "living_area": 1_873, "year_built": 1987}
    by_address = own(record("zillow", street_address="5 Elm St", bedrooms_total=3), house)
    by_number = own(
        record(
            "redfin",
            street_address=None,
            postal_code=None,
            listing_id=number,
            contact=Contact(),
            **home,
        ),
        house,
    )
    both = own(record("mls", street_address="5 Elm Street", listing_id=number, **home), house)
    return by_address, by_number, both


async def states(house: TradingHouse) -> dict[str, tuple[str, str | None]]:
    rows = await house.pool.fetch(
        "SELECT lead_id, lead_state, merged_into FROM leads JOIN lead_trading USING (lead_id)"
        " WHERE leads.market = $1 ORDER BY listed_at, lead_id",
        house.market,
    )
    return {row[0]: (row[1], row[2]) for row in rows}


async def records_of(house: TradingHouse, lead_id: str) -> set[str]:
    rows = await house.pool.fetch("SELECT source FROM source_records WHERE lead_id = $1", lead_id)
    return {row[0] for row in rows}


async def merge_rows(house: TradingHouse) -> list[asyncpg.Record]:
    return await house.pool.fetch(
        "SELECT * FROM lead_merges WHERE market = $1 ORDER BY merged_at", house.market
    )


async def bought(house: TradingHouse, lead_id: str) -> str:
    user = await house.buyer(1_000)
    assert await house.said(c.Buy(lead_id, user, secrets.token_hex(8)))
    return user


async def two_leads_and_the_third(
    house: TradingHouse, desk: IntakeDesk
) -> tuple[str, str, SourceRecord]:
    by_address, by_number, both = three(house)
    assert await take(desk, [by_address]) == Counts(new=1)
    assert await take(desk, [by_number]) == Counts(new=1)
    older, younger = await states(house)
    return older, younger, both


async def test_a_record_joins_two_leads_and_the_older_stays(
    house: TradingHouse, desk: IntakeDesk
) -> None:
    older, younger, both = await two_leads_and_the_third(house, desk)
    assert await take(desk, [both]) == Counts(merged=1, joined=1)
    assert await states(house) == {older: ("available", None), younger: ("withdrawn", older)}
    assert await records_of(house, older) == {"zillow", "redfin", "mls"}
    (merge,) = await merge_rows(house)
    assert (merge["survivor"], merge["merged"], merge["is_link"]) == (older, younger, False)
    assert 0.5 < merge["probability"] <= 1
    assert (await leads(house))[0]["sources"] == ["mls", "redfin", "zillow"]
    # Told twice, it changes nothing.
    told = await position(house)
    assert await take(desk, [*three(house)]) == Counts(unchanged=3)
    assert await position(house) == told
    await house.audit()


async def test_the_one_further_along_stays(house: TradingHouse, desk: IntakeDesk) -> None:
    older, younger, both = await two_leads_and_the_third(house, desk)
    user = await house.buyer(1_000)
    await house.said(c.Hold(younger, user, "15m"))
    await take(desk, [both])
    assert await states(house) == {older: ("withdrawn", younger), younger: ("available", None)}
    assert await records_of(house, younger) == {"zillow", "redfin", "mls"}
    contact = await house.pool.fetchrow("SELECT * FROM contacts WHERE lead_id = $1", younger)
    assert contact["phone"] == CONTACT.phone
    await house.audit()


async def test_a_record_joins_three_leads_whichever_stays(
    house: TradingHouse, desk: IntakeDesk
) -> None:
    """The first answer of the book makes another lead of the one the second is asked about."""
    by_address, by_number, both = three(house)
    parcel = f"P-{house.market}"
    by_parcel = replace(
        by_number,
        source="realtor",
        source_id=f"{house.market}-realtor",
        listing_id=None,
        parcel_number=parcel,
        content_hash="parcel",
    )
    for each in (by_address, by_number, by_parcel):
        assert await take(desk, [each]) == Counts(new=1)
    first, second, third = await states(house)
    await house.said(c.Hold(second, await house.buyer(1_000), "15m"))
    assert await take(desk, [replace(both, parcel_number=parcel)]) == Counts(merged=1, joined=2)
    assert await states(house) == {
        first: ("withdrawn", second),
        second: ("available", None),
        third: ("withdrawn", second),
    }
    assert await records_of(house, second) == {"zillow", "redfin", "realtor", "mls"}
    assert {row["survivor"] for row in await merge_rows(house)} == {second}
    # What is known in memory agrees with what is kept.
    again = replace(by_parcel, source="zillow", source_id=f"{house.market}-z", content_hash="z")
    await take(desk, [replace(again, source="fsbo")])
    assert "fsbo" in await records_of(house, second)
    await house.audit()


async def test_who_bought_one_cannot_buy_the_other(house: TradingHouse, desk: IntakeDesk) -> None:
    older, younger, both = await two_leads_and_the_third(house, desk)
    user = await bought(house, younger)
    other = await bought(house, older)
    await bought(house, older)
    await take(desk, [both])
    assert (await states(house))[younger] == ("withdrawn", older)
    answer = await house.said(c.Buy(older, user, secrets.token_hex(8)))
    assert isinstance(answer, c.Refused)
    assert answer.code == "already-bought"
    answer = await house.said(c.Hold(older, other, "15m"))
    assert isinstance(answer, c.Refused)
    assert answer.code == "already-bought"
    await house.audit()


async def test_two_sold_leads_stay_and_are_linked(house: TradingHouse, desk: IntakeDesk) -> None:
    older, younger, both = await two_leads_and_the_third(house, desk)
    for lead_id in (older, younger):
        for _ in range(3):
            await bought(house, lead_id)
    assert await take(desk, [both]) == Counts(merged=1)
    assert await states(house) == {older: ("sold", None), younger: ("sold", None)}
    (merge,) = await merge_rows(house)
    assert merge["is_link"]
    # Linked once: the next record that is both does not ask again.
    await take(desk, [replace(both, source_id=both.source_id + "b", content_hash="b")])
    assert len(await merge_rows(house)) == 1
    assert await desk.undo_merge(merge["merge_id"], "admin") is None
    await house.audit()


async def test_an_undone_merge_lists_what_went_under_a_new_id(
    house: TradingHouse, desk: IntakeDesk
) -> None:
    older, younger, both = await two_leads_and_the_third(house, desk)
    await take(desk, [both])
    (merge,) = await merge_rows(house)
    split = await desk.undo_merge(merge["merge_id"], "admin")
    assert split is not None
    assert split.survivor == older
    after = await states(house)
    assert after.pop(split.new_lead_id) == ("available", None)
    assert after == {older: ("available", None), younger: ("withdrawn", older)}
    assert await records_of(house, split.new_lead_id) == {"redfin"}
    assert await records_of(house, older) == {"zillow", "mls"}
    # Asked again, the same answer; and what is apart stays apart, whatever is read next.
    assert await desk.undo_merge(merge["merge_id"], "admin") == split
    again = own(record("fsbo", street_address="5 Elm St"), house)
    number = f"MLS-{house.market}"
    await take(desk, [replace(again, listing_id=number, living_area=1_873, year_built=1987)])
    assert await states(house) == {**after, split.new_lead_id: ("available", None)}
    assert await desk.undo_merge("no-such-merge", "admin") is None
    await house.audit()


async def test_an_undone_merge_offers_only_the_seats_that_were_left(
    house: TradingHouse, desk: IntakeDesk
) -> None:
    older, younger, both = await two_leads_and_the_third(house, desk)
    await bought(house, younger)
    await bought(house, older)
    await bought(house, older)
    await take(desk, [both])
    (merge,) = await merge_rows(house)
    split = await desk.undo_merge(merge["merge_id"], "admin")
    assert split is not None
    seats = await house.pool.fetchval(
        "SELECT max_buyers FROM lead_trading WHERE lead_id = $1", split.new_lead_id
    )
    assert seats == 2


async def test_a_sold_exclusive_lead_is_not_listed_again(
    house: TradingHouse, desk: IntakeDesk
) -> None:
    mine = own(record("fsbo", extra={"listed_by": "owner"}), house)
    await take(desk, [mine])
    ((lead_id, _),) = (await states(house)).items()
    await bought(house, lead_id)
    assert (await states(house))[lead_id] == ("sold", None)
    again = [own(record(source, list_price=299_000), house) for source in ("zillow", "redfin")]
    reposted = replace(mine, source_id=f"{mine.source_id}-again", content_hash="again")
    assert await take(desk, [*again, reposted]) == Counts(merged=3)
    assert await states(house) == {lead_id: ("sold", None)}
    await house.audit()


async def test_a_home_that_comes_back_is_on_offer_again(
    house: TradingHouse, desk: IntakeDesk
) -> None:
    home = own(record(), house)
    await take(desk, [home])
    moment = "2026-0{}-01T00:00:00Z".format
    closed = replace(home, standard_status="Closed", content_hash="v2")
    await take(desk, [replace(closed, modification_timestamp=moment(2))])
    assert [state for state, _ in (await states(house)).values()] == ["withdrawn"]
    back = replace(home, content_hash="v3", modification_timestamp=moment(3))
    await take(desk, [back])
    ((lead_id, (state, _)),) = (await states(house)).items()
    assert state == "available"
    # Quarantined, then gone, then back: that is for a reviewer to decide.
    await house.said(c.Quarantine(lead_id, "odd"))
    await take(desk, [replace(closed, content_hash="v4", modification_timestamp=moment(4))])
    await take(desk, [replace(home, content_hash="v5", modification_timestamp=moment(5))])
    assert (await states(house))[lead_id] == ("withdrawn", None)
    await house.audit()


async def test_a_closed_home_seen_first_is_known_when_its_offer_comes(
    house: TradingHouse, desk: IntakeDesk
) -> None:
    closed = own(record("redfin", standard_status="Closed"), house)
    closed = replace(closed, modification_timestamp="2026-05-01T00:00:00Z")
    assert await take(desk, [closed]) == Counts(gone=1)
    # An older offer of the same home, read later: it is closed all the same.
    assert await take(desk, [own(record("zillow"), house)]) == Counts(merged=1)
    assert await states(house) == {}
    newer = own(record("mls", modification_timestamp="2026-06-01T00:00:00Z"), house)
    assert await take(desk, [newer]) == Counts(new=1)
    ((lead_id, _),) = (await states(house)).items()
    assert await records_of(house, lead_id) == {"redfin", "zillow", "mls"}


async def test_a_desk_that_starts_anew_recognises_what_the_last_one_knew(
    house: TradingHouse, desk: IntakeDesk
) -> None:
    by_address, by_number, both = three(house)
    await take(desk, [by_address, both])
    await desk.stop()
    anew = IntakeDesk(house.market, house.database_url, house.client)
    await anew.start()
    assert await take(anew, [by_number]) == Counts(merged=1)
    await anew.stop()


@pytest.mark.parametrize("seed", range(4))
async def test_the_order_of_arrival_changes_neither_leads_nor_values(
    house: TradingHouse, desk: IntakeDesk, seed: int
) -> None:
    """Price cuts, copies of other sources and homes beside them, in any order and grouping."""
    prices = (300_000, 290_000, 280_000)
    feed = [
        own(
            record(
                source,
                number,
                list_price=price - number,
                bedrooms_total=3 if source == "mls" else None,
                remarks=f"{source} says it is {n} days old",
                modification_timestamp=f"2026-01-0{n + 1}T00:00:00Z",
                content_hash=f"{source}-{number}-{n}",
            ),
            house,
        )
        for number in (1, 2, 3)
        for source in ("zillow", "redfin", "mls")
        for n, price in enumerate(prices)
    ]
    rng = random.Random(seed)
    rng.shuffle(feed)
    while feed:
        count = rng.randrange(1, 8)
        batch, feed = feed[:count], feed[count:]
        await asyncio.gather(take(desk, batch[: count // 2]), take(desk, batch[count // 2 :]))
    rows = await leads(house)
    offered = [each for each in rows if each["merged_into"] is None]
    assert sorted(each["list_price"] for each in offered) == [279_997, 279_998, 279_999]
    for each in offered:
        assert each["bedrooms_total"] == 3
        assert each["sources"] == ["mls", "redfin", "zillow"]
        assert each["modification_timestamp"] == "2026-01-03T00:00:00Z"
        assert "2 days old" in each["public_remarks"]
    await house.audit()
