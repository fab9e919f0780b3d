"""What admins see of prices and exposure by area."""

from __future__ import annotations

import time
from typing import Any

from engine.adapters.postgres import demand_signals
from engine.adapters.postgres.demand_signals import Seen
from engine.market.listing import Listing
from engine.market.pricing.parts import PriceParts, pack
from engine.market.rules import SECOND_US
from tests.serve_apps.api.shelf import Shelf
from tests.serve_apps.api.world import World, assert_problem

PATH = "/v1/admin/pricing/disparity"
HOUR_US = 3600 * SECOND_US


def home(north: float, **facts: Any) -> Listing:
    return Listing(
        quality=0.5,
        list_price=300_000,
        property_type="Residential",
        latitude=33.4 + north,
        longitude=-112.0,
        **facts,
    )


async def test_areas_of_a_market_are_compared(world: World) -> None:
    shelf, admin = Shelf(world), await world.admin()
    now = time.time_ns() // 1000
    for number in range(33):
        await shelf.lead(now - 50 * HOUR_US, price=20, seats=3, listing=home(0.0))
        dear = await shelf.lead(now - 50 * HOUR_US, price=40, seats=3, listing=home(0.5))
        if number % 3 == 0:
            await shelf.lead(now - 50 * HOUR_US, price=20, seats=3, listing=home(1.0))
    await shelf.lead(now - 50 * HOUR_US, price=20, seats=3, listing=Listing())
    await shelf.lead(now - 100 * 24 * HOUR_US, price=20, seats=3, listing=home(0.0))
    found = (await admin.get(PATH, market="phoenix")).json()
    assert (found["market"], found["leads"], found["left_out"]) == ("phoenix", 78, 1)
    by_leads = {area["leads"]: area for area in found["areas"] if area["leads"] != 33}
    assert by_leads[11]["price_to_base"]["verdict"] == "thin"
    alike, dearer = sorted(
        (area for area in found["areas"] if area["leads"] == 33),
        key=lambda area: area["price_to_base"]["ratio"],
    )
    # 8 + 300,000 / 25,000 credits of base, the table's.
    assert found["baseline"]["price_to_base"] == 1.0
    assert alike["price_to_base"] == {
        "sample": 33,
        "ratio": 1.0,
        "least": 1.0,
        "most": 1.0,
        "verdict": "within",
    }
    assert dearer["price_to_base"]["ratio"] == 2.0
    assert dearer["price_to_base"]["verdict"] == "beyond"
    assert dearer["price_to_list"]["verdict"] == "beyond"
    assert alike["impressions"] is None
    assert alike["time_to_sale"]["verdict"] == "thin"
    assert any(dearer["area"] in note for note in found["notes"])
    assert "impressions per hour on offer: not recorded" in found["notes"]
    # What made the price says what the lead is worth, and what was shown counts.
    await shelf.pool.execute(
        "UPDATE lead_trading SET price_parts = $1 WHERE market = 'phoenix' AND price = 40",
        pack(PriceParts(1, 40_000)),
    )
    await demand_signals.write(
        shelf.pool, "r", now - HOUR_US, {"phoenix": [Seen(dear, "u", 0), Seen(dear, "u", 1)]}
    )
    found = (await admin.get(PATH, market="phoenix")).json()
    assert all(area["price_to_base"]["verdict"] != "beyond" for area in found["areas"])
    shown = {area["area"]: area["impressions"]["ratio"] for area in found["areas"]}
    assert shown.pop(dearer["area"]) > 0
    assert set(shown.values()) <= {0.0, None}


async def test_only_admins_and_known_markets(world: World) -> None:
    buyer, admin = await world.buyer(), await world.admin()
    assert_problem(await buyer.get(PATH, market="phoenix"), 403, "forbidden")
    problem = assert_problem(await admin.get(PATH, market="atlantis"), 422, "validation")
    assert problem["errors"][0]["location"] == "query.market"
    assert_problem(await admin.get(PATH), 422, "validation")


async def test_a_market_without_leads(world: World) -> None:
    found = (await (await world.admin()).get(PATH, market="las-vegas")).json()
    assert (found["leads"], found["areas"], found["notes"]) == (0, [], [])
