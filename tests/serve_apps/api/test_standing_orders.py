"""Standing orders over HTTP: placed, shown, changed, ended, and what is refused."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.adapters.postgres import standing_orders
from engine.market.instant import from_datetime
from engine.market.listing import Listing
from engine.market.standing_terms import Hours, StandingFilter, StandingTerms
from serve_apps.api.schemas import standing_orders as documented
from serve_apps.api.schemas.accounts import PlansPage
from tests.serve_apps.api.shelf import Shelf
from tests.serve_apps.api.test_standing_order_forms import SHORT, asking
from tests.serve_apps.api.world import Caller, World, assert_problem

WHOLE: dict[str, Any] = {
    "market": "austin",
    "name": "Family homes",
    "filter": {
        "q": "garden or pool",
        "near": [30.27, -97.74],
        "radius_m": 5000,
        "bbox": [-98.0, 30.0, -97.0, 31.0],
        "property_type": ["Residential"],
        "source": ["zillow", "redfin"],
        "list_price_min": 100_000,
        "list_price_max": 900_000,
        "bedrooms_total_min": 2,
        "price_min": 1,
    },
    "price_max": 40,
    "seats": "exclusive",
    "per_day": 3,
    "budget": 500,
    "hours": [{"days": ["mon", "fri"], "from": "08:00", "to": "18:30"}],
    "is_paused": True,
}
MEMBERS = {
    *("standing_order_id", "market", "name", "filter", "price_max", "seats", "per_day", "budget"),
    *("hours", "is_paused", "spent", "bought", "bought_today", "created_at", "updated_at"),
}


@pytest.fixture
def shelf(world: World) -> Shelf:
    return Shelf(world)


# --- what is shown -------------------------------------------------------------------


async def test_a_standing_order_is_shown_as_it_was_asked_for(world: World, shelf: Shelf) -> None:
    buyer = await world.buyer()
    terms = StandingTerms(
        name="",
        price_max=9,
        filter=StandingFilter(near=(33.4, -112.0), radius_m=500, source=("zillow",)),
        hours=(Hours((0, 6), 0, 1440),),
    )
    id_ = await shelf.standing(buyer.user_id, terms, 1_000_000)
    shown = (await buyer.get(f"/v1/standing-orders/{id_}")).json()
    assert shown == {
        "standing_order_id": id_,
        "market": "phoenix",
        "name": None,
        "filter": {"near": [33.4, -112.0], "radius_m": 500, "source": ["zillow"]},
        "price_max": 9,
        "seats": "any",
        "per_day": None,
        "budget": None,
        "hours": [{"days": ["mon", "sun"], "from": "00:00", "to": "24:00"}],
        "is_paused": False,
        "spent": 0,
        "bought": 0,
        "bought_today": 0,
        "created_at": "1970-01-01T00:00:01.000000Z",
        "updated_at": "1970-01-01T00:00:01.000000Z",
    }


async def test_only_ones_own_and_only_live_ones_are_shown(world: World, shelf: Shelf) -> None:
    buyer, other = await world.buyer(), await world.buyer()
    terms = StandingTerms(name="x", price_max=9)
    live = await shelf.standing(buyer.user_id, terms, 1)
    ended = await shelf.standing(buyer.user_id, terms, 2, cancelled_at=3)
    assert [each["standing_order_id"] for each in await listed(buyer)] == [live]
    assert await listed(other) == []
    assert_problem(await other.get(f"/v1/standing-orders/{live}"), 404, "not-found")
    assert_problem(await buyer.get(f"/v1/standing-orders/{ended}"), 404, "not-found")
    assert_problem(await buyer.get("/v1/standing-orders/no\u00e9"), 404, "not-found")


async def test_the_list_pages_and_knows_markets(world: World, shelf: Shelf) -> None:
    buyer = await world.buyer()
    terms = StandingTerms(name="x", price_max=9)
    ids = [await shelf.standing(buyer.user_id, terms, at) for at in (5, 7, 7, 6)]
    whole = [each["standing_order_id"] for each in await listed(buyer)]
    assert whole == [*sorted(ids[1:3], reverse=True), ids[3], ids[0]]
    paged: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await buyer.get("/v1/standing-orders", limit=1, market="phoenix", **cursor)).json()
        paged += [each["standing_order_id"] for each in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert paged == whole
    assert await listed(buyer, market="austin") == []
    unknown = await buyer.get("/v1/standing-orders", market="atlantis")
    assert assert_problem(unknown, 422, "validation")["errors"][0]["location"] == "query.market"


async def test_today_is_a_day_of_the_market(world: World, shelf: Shelf) -> None:
    buyer = await world.buyer()
    id_ = await shelf.standing(buyer.user_id, StandingTerms(name="x", price_max=9), 1)
    # Phoenix keeps to UTC-7 all year.
    midnight = (datetime.now(UTC) - timedelta(hours=7)).replace(
        hour=0, minute=0, second=0, microsecond=0
    ) + timedelta(hours=7)
    began = from_datetime(midnight)
    for at in (began - 1, began, began + 1):
        await shelf.sell(await shelf.lead(1), buyer.user_id, 5, at, id_)
    shown = (await buyer.get(f"/v1/standing-orders/{id_}")).json()
    assert (shown["bought"], shown["spent"], shown["bought_today"]) == (3, 15, 2)


async def test_what_was_kept_is_told_again_whatever_came_after(world: World, shelf: Shelf) -> None:
    buyer = await world.buyer()
    first = StandingTerms(name="first", price_max=9)
    second = StandingTerms(name="second", price_max=8)
    id_ = await shelf.standing(buyer.user_id, first, 10)
    await shelf.sell(await shelf.lead(1), buyer.user_id, 5, 15, id_)
    await shelf.change(id_, second, 20)
    await shelf.sell(await shelf.lead(1), buyer.user_id, 6, 25, id_)
    placed = await standing_orders.as_kept(shelf.pool, id_, 1)
    changed = await standing_orders.as_kept(shelf.pool, id_, 2)
    assert (placed.terms, placed.bought, placed.spent, placed.changed_at) == (first, 0, 0, 10)
    assert (changed.terms, changed.bought, changed.spent) == (second, 1, 5)
    assert (changed.placed_at, changed.changed_at, changed.bought_today) == (10, 20, 1)
    with pytest.raises(LookupError):
        await standing_orders.as_kept(shelf.pool, id_, 3)


async def listed(buyer: Caller, **params: Any) -> list[dict[str, Any]]:
    answered = await buyer.get("/v1/standing-orders", **params)
    assert answered.status_code == 200, answered.text
    found: list[dict[str, Any]] = answered.json()["items"]
    return found


# --- placed, changed, ended ----------------------------------------------------------


async def test_an_order_is_placed_changed_and_ended(world: World) -> None:
    buyer = await world.buyer()
    placed = await buyer.post("/v1/standing-orders", WHOLE)
    assert placed.status_code == 201, placed.text
    order = placed.json()
    assert order.keys() == MEMBERS
    documented.StandingOrder.model_validate(order)
    assert {name: order[name] for name in WHOLE} == WHOLE
    path = f"/v1/standing-orders/{order['standing_order_id']}"
    assert (await buyer.get(path)).json() == order
    assert await listed(buyer) == [order]

    patch = {"name": None, "filter": {"near": "30.27,-97.74", "radius_m": 9}, "hours": None}
    changed = await buyer.request("PATCH", path, json={**patch, "budget": None, "price_max": 50})
    assert changed.status_code == 200, changed.text
    assert changed.json() == order | {
        "name": None,
        "filter": {"near": [30.27, -97.74], "radius_m": 9},
        "hours": [],
        "budget": None,
        "price_max": 50,
        "updated_at": changed.json()["updated_at"],
    }
    assert changed.json()["updated_at"] > order["updated_at"]
    assert (await buyer.get(path)).json() == changed.json()
    other = await world.buyer()
    assert_problem(await other.request("PATCH", path, json={}), 404, "not-found")
    assert_problem(await other.request("DELETE", path), 404, "not-found")

    assert (await buyer.request("DELETE", path)).status_code == 204
    assert_problem(await buyer.get(path), 404, "not-found")
    assert_problem(await buyer.request("PATCH", path, json={}), 404, "not-found")
    assert_problem(await buyer.request("DELETE", path), 404, "not-found")
    assert await listed(buyer) == []


async def test_a_patch_is_checked_as_a_whole(world: World) -> None:
    buyer = await world.buyer()
    order = (await buyer.post("/v1/standing-orders", asking(price_min=5))).json()
    path = f"/v1/standing-orders/{order['standing_order_id']}"
    bad: list[tuple[dict[str, Any], str]] = [
        ({"price_max": 4}, "body.filter.price_min"),
        ({"price_max": None}, "body.price_max"),
        ({"seats": None}, "body.seats"),
        ({"is_paused": None}, "body.is_paused"),
        ({"market": "dallas"}, "body.market"),
        ({"filter": {"q": "the"}}, "body.filter.q"),
    ]
    for body, location in bad:
        problem = assert_problem(await buyer.request("PATCH", path, json=body), 422, "validation")
        assert problem["errors"][0]["location"] == location, body
    assert (await buyer.get(path)).json() == order


async def test_repeats_under_a_key_are_answered_alike(world: World) -> None:
    buyer = await world.buyer()
    placed = [await buyer.post("/v1/standing-orders", SHORT, key="place") for _ in range(2)]
    assert placed[0].status_code == 201
    assert placed[0].json() == placed[1].json()
    mismatch = await buyer.post("/v1/standing-orders", {**SHORT, "price_max": 11}, key="place")
    assert_problem(mismatch, 422, "idempotency-mismatch")
    path = f"/v1/standing-orders/{placed[0].json()['standing_order_id']}"

    changed = await buyer.request("PATCH", path, "change", json={"price_max": 20})
    later = await buyer.request("PATCH", path, "later", json={"price_max": 30})
    again = await buyer.request("PATCH", path, "change", json={"price_max": 20})
    assert again.json() == changed.json()
    assert (await buyer.get(path)).json() == later.json()
    assert (await buyer.post("/v1/standing-orders", SHORT, key="place")).json() == placed[0].json()

    ended = [await buyer.request("DELETE", path, "end") for _ in range(2)]
    assert [answered.status_code for answered in ended] == [204, 204]
    once_more = await buyer.request("PATCH", path, "change", json={"price_max": 20})
    assert once_more.json() == changed.json()


async def test_changes_at_the_same_time_all_count(world: World) -> None:
    buyer = await world.buyer()
    order = (await buyer.post("/v1/standing-orders", SHORT)).json()
    path = f"/v1/standing-orders/{order['standing_order_id']}"
    patches = [{"per_day": 5}, {"budget": 90}, {"name": "both"}]
    answers = await asyncio.gather(*(buyer.request("PATCH", path, json=patch) for patch in patches))
    assert [answered.status_code for answered in answers] == [200] * 3
    now = (await buyer.get(path)).json()
    assert (now["per_day"], now["budget"], now["name"]) == (5, 90, "both")


async def test_plans_tell_what_they_bound(world: World) -> None:
    page = (await world.http.get("/v1/plans")).json()
    PlansPage.model_validate(page)
    assert next(plan for plan in page["items"] if plan["plan"] == "pro") == {
        "plan": "pro",
        "hold_terms": ["15m", "24h", "3d"],
        "holds_max": 200,
        "discount_percent": 10,
        "hold_value_max": 100_000,
        "hold_fee_percent": {"15m": 0, "24h": 0, "3d": 0},
        "hold_fee_credited": True,
        "claim_priority": 1,
        "standing_orders_max": 50,
    }


async def test_a_plan_bounds_standing_orders_in_a_market(world: World) -> None:
    buyer = await world.buyer()
    plans = (await world.http.get("/v1/plans")).json()["items"]
    most = next(plan["standing_orders_max"] for plan in plans if plan["plan"] == "basic")
    for _ in range(most):
        assert (await buyer.post("/v1/standing-orders", SHORT)).status_code == 201
    full = await buyer.post("/v1/standing-orders", SHORT)
    assert_problem(full, 409, "standing-order-limit")
    elsewhere = await buyer.post("/v1/standing-orders", {**SHORT, "market": "dallas"})
    assert elsewhere.status_code == 201


async def test_a_new_lead_is_bought_with_its_order_counted(world: World) -> None:
    buyer = await world.buyer(credits=100)
    body = {**SHORT, "filter": {"property_type": "Land", "q": "creek"}, "per_day": 1}
    order = (await buyer.post("/v1/standing-orders", body)).json()
    wanted = [
        await world.lead(listing=Listing(property_type="Land", public_remarks=remarks))
        for remarks in ("By the creek", "Dry", "Two creeks")
    ]
    async with asyncio.timeout(10):
        while not (orders := (await buyer.get("/v1/orders")).json()["items"]):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert [bought["lead_id"] for bought in orders] == [wanted[0]]
    now = (await buyer.get(f"/v1/standing-orders/{order['standing_order_id']}")).json()
    assert (now["bought"], now["spent"], now["bought_today"]) == (1, 10, 1)
    assert await buyer.balance() == 90
