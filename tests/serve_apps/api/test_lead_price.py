"""What a lead costs and why, over HTTP: the factors make the price of every lead."""

from __future__ import annotations

import random
import time

from engine.adapters.postgres.lead_prices import HISTORY_MAX
from engine.market.commands import Buy, Quarantine, Reprice
from engine.market.pricing.explained import price_from
from engine.market.pricing.parts import HOUR_US, PriceParts, listed_parts, pack, price_of
from tests.serve_apps.api.world import World, assert_problem


def _random_parts(rng: random.Random, price: int, now: int) -> PriceParts:
    return PriceParts(
        policy=rng.choice((1, 2)),
        base=rng.randint(5_000, 120_000),
        demand=rng.randint(5_000, 20_000),
        age=rng.randint(2_000, 10_000),
        seats=rng.randint(8_000, 14_000),
        previous=rng.choice((0, price)),
        step=rng.randint(1, 9),
        floor=rng.randint(1, 10),
        ceiling=rng.randint(40, 300),
        rate=rng.randint(0, 30_000),
        committed=rng.randint(5, 60),
        committed_at=now - rng.randint(0, HOUR_US),
    )


async def test_factors_make_the_price_of_every_lead_on_a_shelf(world: World) -> None:
    rng, now = random.Random(3), time.time_ns() // 1000
    buyer = await world.buyer()
    leads = [await world.lead(price=rng.randint(5, 60)) for _ in range(40)]
    prices = {}
    for lead_id in leads:
        prices[lead_id] = (await buyer.get(f"/v1/leads/{lead_id}")).json()["price"]
    for _ in range(3):
        made = {id_: _random_parts(rng, prices[id_], now) for id_ in rng.sample(leads, 25)}
        await world.submit(
            "austin",
            Reprice(
                tuple(made),
                tuple(map(price_of, made.values())),
                rng.choice(("demand", "age")),
                tuple(prices[id_] for id_ in made),
                tuple(map(pack, made.values())),
            ),
        )
        prices |= {id_: price_of(parts) for id_, parts in made.items()}
    for lead_id in leads:
        shown = (await buyer.get(f"/v1/leads/{lead_id}/price")).json()
        teaser = (await buyer.get(f"/v1/leads/{lead_id}")).json()
        assert shown["price"] == teaser["price"] == prices[lead_id]
        assert price_from(shown["factors"]) == shown["price"]
        assert shown["path"][0]["price"] == shown["price"]
        assert shown["history"][0]["price"] == shown["price"]
        assert shown["history"][-1]["reason"] == "listed"
        at = [past["at"] for past in shown["history"]]
        assert at == sorted(at, reverse=True)


async def test_a_price_nobody_can_explain_is_its_own_factor(world: World) -> None:
    buyer, lead_id = await world.buyer(), await world.lead(price=12)
    shown = (await buyer.get(f"/v1/leads/{lead_id}/price")).json()
    assert shown["factors"] == [{"name": "set", "credits": "12.000"}]
    assert shown["policy"] is None
    assert [past["reason"] for past in shown["history"]] == ["listed"]
    await world.submit(
        "austin", Reprice((lead_id,), (20,), "demand", (), (pack(listed_parts(20)),))
    )
    assert (await buyer.get(f"/v1/leads/{lead_id}/price")).json()["policy"] == "listing@1"
    # A price without parts forgets what made the one before.
    await world.submit("austin", Reprice((lead_id,), (21,), "by hand"))
    shown = (await buyer.get(f"/v1/leads/{lead_id}/price")).json()
    assert shown["factors"] == [{"name": "set", "credits": "21.000"}]
    assert [(past["price"], past["reason"]) for past in shown["history"]] == [
        (21, "by hand"),
        (20, "demand"),
        (12, "listed"),
    ]


async def test_a_path_holds_until_somebody_acts(world: World) -> None:
    buyer, lead_id = await world.buyer(credits=100), await world.lead(price=40, seats=2)
    parts = PriceParts(
        2, 40_000, age=9_500, previous=40, step=4, rate=20_000, committed=38,
        committed_at=time.time_ns() // 1000,
    )  # fmt: skip
    await world.submit("austin", Reprice((lead_id,), (38,), "age", (40,), (pack(parts),)))
    path = (await buyer.get(f"/v1/leads/{lead_id}/price")).json()["path"]
    assert [point["price"] for point in path[:6]] == [38, 38, 37, 36, 36, 35]
    assert all(point["is_committed"] for point in path)
    assert (await buyer.buy(lead_id)).status_code == 201
    (now,) = (await buyer.get(f"/v1/leads/{lead_id}/price")).json()["path"]
    assert (now["price"], now["is_committed"]) == (38, False)


async def test_who_may_not_see_the_lead_sees_no_price(world: World) -> None:
    buyer, lead_id = await world.buyer(), await world.lead()
    assert_problem(await world.http.get(f"/v1/leads/{lead_id}/price"), 401, "unauthorized")
    assert_problem(await buyer.get("/v1/leads/nothing/price"), 404, "not-found")
    await world.submit("austin", Quarantine(lead_id, "odd"))
    assert_problem(await buyer.get(f"/v1/leads/{lead_id}/price"), 404, "not-found")


async def test_a_long_past_is_shown_from_its_new_end(world: World) -> None:
    buyer, lead_id = await world.buyer(), await world.lead(price=1)
    for price in range(2, HISTORY_MAX + 10):
        await world.submit("austin", Reprice((lead_id,), (price,), "demand"))
    shown = (await buyer.get(f"/v1/leads/{lead_id}/price")).json()
    newest = HISTORY_MAX + 9
    expected = list(range(newest, newest - HISTORY_MAX, -1))
    assert [past["price"] for past in shown["history"]] == expected


async def test_a_sold_lead_keeps_its_price_and_past(world: World) -> None:
    buyer, lead_id = await world.buyer(credits=100), await world.lead(price=9)
    await world.submit("austin", Reprice((lead_id,), (8,), "age"))
    await world.submit("austin", Buy(lead_id, buyer.user_id, "order-of-a-sold-one"))
    shown = (await buyer.get(f"/v1/leads/{lead_id}/price")).json()
    assert [past["price"] for past in shown["history"]] == [8, 9]
