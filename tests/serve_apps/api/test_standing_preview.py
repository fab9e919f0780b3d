"""Previews over HTTP: what a standing order would have bought in the last days."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from engine.adapters.postgres import market_past
from engine.market import commands as c
from engine.market import events as e
from engine.market.listing import Listing
from engine.market.standing_terms import StandingFilter
from serve_apps.api.routes.standing_outcomes import DAY_US
from serve_apps.api.schemas.standing_outcomes import StandingOrderPreview
from tests.serve_apps.api.shelf import MARKET, Shelf
from tests.serve_apps.api.world import CANARY, Caller, World, assert_problem

HOUR_US = DAY_US // 24
LAND = Listing(property_type="Land", public_remarks="By the creek")
HOUSE = Listing(property_type="Residential", public_remarks="Two storeys")


@pytest.fixture
async def shelf(world: World) -> Shelf:
    """A market without a past."""
    shelf = Shelf(world)
    for table in ("market_events", "price_ticks", "lead_trading"):
        await shelf.pool.execute(f"DELETE FROM {table} WHERE market = $1", MARKET)
    return shelf


def ago(hours: float) -> int:
    return time.time_ns() // 1000 - int(hours * HOUR_US)


async def preview(buyer: Caller, **body: Any) -> dict[str, Any]:
    answered = await buyer.post(
        "/v1/standing-orders/preview", {"market": MARKET, "price_max": 20, **body}, key=None
    )
    assert answered.status_code == 200, answered.text
    found: dict[str, Any] = answered.json()
    StandingOrderPreview.model_validate(found)
    return found


async def test_it_tells_what_would_have_been_bought(world: World, shelf: Shelf) -> None:
    buyer = await world.buyer(credits=7, plan="pro")
    creek = await shelf.lead(ago(30), price=11, listing=LAND)
    house = await shelf.lead(ago(29), price=15, listing=HOUSE)
    cheaper = await shelf.lead(ago(28), price=30, listing=LAND)
    await shelf.lead(ago(20), price=25, listing=LAND)
    await shelf.tick({cheaper: 21, house: 9}, ago(10))
    await shelf.tick({cheaper: 20}, ago(9))

    found = await preview(buyer, days=2)
    assert found.keys() == {
        *("days", "from", "to", "is_cut", "considered", "matches", "bought", "cost", "balance"),
        *("refused", "items"),
    }
    assert [item["lead_id"] for item in found["items"]] == [creek, house, cheaper]
    assert [(item["price"], item["pays"]) for item in found["items"]] == [
        (11, 9),
        (15, 13),
        (20, 18),
    ]
    assert found["items"][0]["lead"]["public_remarks"] == "By the creek"
    assert (found["considered"], found["matches"], found["bought"], found["cost"]) == (4, 3, 3, 40)
    assert (found["balance"], found["days"], found["is_cut"]) == (7, 2, False)
    assert found["refused"] == {"price": 1}
    assert found["from"] < found["items"][0]["at"] < found["to"]

    land = await preview(buyer, days=2, filter={"property_type": ["Land"], "q": "creek"})
    assert [item["lead_id"] for item in land["items"]] == [creek, cheaper]
    assert (await preview(buyer, days=2, filter={"q": "storeys"}))["bought"] == 1
    assert (await preview(buyer, days=2, filter={"q": "castle"}))["considered"] == 0
    assert (await preview(buyer, days=2, budget=20))["refused"] == {"price": 1, "budget": 2}
    assert (await preview(buyer, days=1))["bought"] == 2


async def test_text_and_facts_are_those_of_then(world: World, shelf: Shelf) -> None:
    buyer = await world.buyer()
    lead_id = await shelf.lead(ago(30), listing=HOUSE)
    await shelf.pool.execute(
        "UPDATE leads SET updated_at = now(), property_type = 'Land',"
        " public_remarks = 'By the creek' WHERE lead_id = $1",
        lead_id,
    )
    await shelf.journal(e.LeadUpdated(lead_id, LAND), ago(5))
    for filter_, bought in (
        ({"q": "storeys"}, 1),
        ({"q": "creek"}, 0),
        ({"property_type": ["Residential"]}, 1),
        ({"property_type": ["Land"]}, 0),
    ):
        assert (await preview(buyer, filter=filter_))["bought"] == bought, filter_
    await shelf.tick({lead_id: 12}, ago(4))
    assert (await preview(buyer, filter={"q": "creek"}))["items"][0]["price"] == 12


async def test_a_lead_merged_with_one_bought_is_bought_already(world: World, shelf: Shelf) -> None:
    buyer = await world.buyer()
    mine, other = [await shelf.lead(ago(50), price=40) for _ in range(2)]
    await shelf.sell(mine, buyer.user_id, 40, ago(40))
    await shelf.journal(e.LeadWithdrawn(mine, "merged", other), ago(30))
    await shelf.pool.execute("UPDATE leads SET merged_into = $2 WHERE lead_id = $1", mine, other)
    await shelf.tick({other: 10}, ago(20))
    # The one bought was too expensive, and is no longer on offer.
    assert (await preview(buyer))["refused"] == {"already_bought": 1, "price": 1}
    assert (await preview(await world.buyer()))["bought"] == 1


async def test_leads_in_quarantine_are_not_told_of(world: World, shelf: Shelf) -> None:
    buyer = await world.buyer()
    lead_id = await shelf.lead(ago(30))
    await shelf.pool.execute(
        "UPDATE lead_trading SET lead_state = 'quarantined' WHERE lead_id = $1", lead_id
    )
    assert (await preview(buyer))["considered"] == 0


class Seconds:
    """A clock that shows the seconds it is given, one after another."""

    def __init__(self, *seconds: float) -> None:
        self._seconds: Iterator[float] = iter(seconds)

    def __call__(self) -> float:
        return next(self._seconds)


async def test_a_market_with_too_many_prices_is_looked_at_from_later_on(
    world: World, shelf: Shelf
) -> None:
    lead_id = await shelf.lead(ago(9))
    times = [ago(hours) for hours in (8, 7, 6)]
    for at in times:
        await shelf.tick({lead_id: 11}, at)
    slow = Seconds(0.0, 1.0, 2.0, 99.0)
    past = await market_past.read(
        shelf.pool, MARKET, StandingFilter(), "nobody", ago(10), clock=slow
    )
    assert past.is_cut
    assert past.since == times[0] + 1
    assert [tick.at for tick in past.ticks] == times[1:]
    whole = await market_past.read(shelf.pool, MARKET, StandingFilter(), "nobody", ago(10))
    assert (whole.is_cut, [tick.at for tick in whole.ticks]) == (False, times)


async def test_a_real_market_is_previewed(world: World) -> None:
    """What a book journals is what a preview reads."""
    buyer, rival = await world.buyer(credits=100), await world.buyer(credits=100)
    here = Listing(property_type="Preview", latitude=30.27, longitude=-97.74)
    leads = [await world.lead(price=10 + number, listing=here) for number in range(4)]
    await rival.buy(leads[0])
    await world.submit("austin", c.Withdraw(leads[1], "test"))
    await world.submit("austin", c.Relist(leads[1]))
    await world.submit("austin", c.Reprice((leads[3],), (12,), "test"))
    body = {
        "market": "austin",
        "price_max": 12,
        "filter": {"near": [30.27, -97.74], "radius_m": 100, "property_type": "Preview"},
        "days": 1,
    }
    answered = await buyer.post("/v1/standing-orders/preview", body, key=None)
    found = answered.json()
    assert [(item["lead_id"], item["price"]) for item in found["items"]] == [
        (leads[0], 10),
        (leads[1], 11),
        (leads[2], 12),
        (leads[3], 12),
    ]
    assert found["cost"] == 45
    assert CANARY not in answered.text


async def test_bad_previews_are_refused_by_their_place(world: World) -> None:
    buyer = await world.buyer()
    good = {"market": "austin", "price_max": 10}
    for more, location in (
        ({"days": 0}, "body.days"),
        ({"days": 91}, "body.days"),
        ({"days": "7"}, "body.days"),
        ({"filter": {"radius_m": 5}}, "body.filter.radius_m"),
        ({"filter": {"q": "the"}}, "body.filter.q"),
        ({"market": "atlantis"}, "body.market"),
    ):
        answered = await buyer.post("/v1/standing-orders/preview", good | more, key=None)
        problem = assert_problem(answered, 422, "validation")
        assert problem["errors"][0]["location"] == location, more
