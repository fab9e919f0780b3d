"""A place in line over HTTP."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import pytest

from engine.market.instant import from_datetime
from serve_apps.api.schemas.queue import QueuePage
from tests.serve_apps.api.world import Caller, World, assert_problem

MINUTE = 60_000_000
OFFER = 5 * MINUTE


def micros() -> int:
    return time.time_ns() // 1000


def instant(text: str) -> int:
    return from_datetime(datetime.fromisoformat(text))


class Hall:
    """Rows of a line, under a market that no book here would load them for."""

    def __init__(self, world: World) -> None:
        assert world.replica.deps is not None
        self.pool = world.replica.deps.pool

    async def seat(self, lead_id: str, caller: Caller, until: int, **more: Any) -> None:
        columns: dict[str, Any] = {
            "lead_id": lead_id,
            "seat": 1,
            "market": "phoenix",
            "user_id": caller.user_id,
            "max_buyers": 3,
            "price": 10,
            "held_until": until,
        } | more
        names = ", ".join(columns)
        values = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
        await self.pool.execute(f"INSERT INTO seats ({names}) VALUES ({values})", *columns.values())

    async def offer(self, lead_id: str, caller: Caller, until: int, price: int = 10) -> None:
        await self.seat(lead_id, caller, until, price=price, is_offer=True)

    async def wait(self, lead_id: str, number: int, caller: Caller | None = None) -> None:
        await self.pool.execute(
            "INSERT INTO queue_places (lead_id, user_id, market, number, joined_at)"
            " VALUES ($1, $2, 'phoenix', $3, $3)",
            lead_id,
            caller.user_id if caller else f"stranger-{number}",
            number,
        )


@pytest.fixture
def hall(world: World) -> Hall:
    return Hall(world)


async def test_a_place_tells_when_a_seat_is_to_be_expected(world: World, hall: Hall) -> None:
    buyer, holder = await world.buyer(), await world.buyer()
    lead_id = await world.lead(seats=3)
    until = micros() + 20 * MINUTE
    await hall.seat(lead_id, holder, until, hold="15m", first_held_at=1, held_at=1)
    await hall.wait(lead_id, 7)
    await hall.wait(lead_id, 9, buyer)
    await hall.wait(lead_id, 11)

    place = (await buyer.get(f"/v1/leads/{lead_id}/queue")).json()
    assert place.keys() == {"lead_id", "position", "waiting", "expected_at", "offer"}
    assert (place["position"], place["waiting"], place["offer"]) == (2, 3, None)
    assert instant(place["expected_at"]) == until + OFFER
    assert_problem(await holder.get(f"/v1/leads/{lead_id}/queue"), 404, "not-found")
    assert_problem(await buyer.get("/v1/leads/nowhere/queue"), 404, "not-found")
    assert_problem(await buyer.get("/v1/leads/no\u00e9/queue"), 404, "not-found")


async def test_an_offer_is_no_hold(world: World, hall: Hall) -> None:
    buyer = await world.buyer(credits=100)
    lead_id = await world.lead(seats=3, price=12)
    until = micros() + OFFER
    await hall.offer(lead_id, buyer, until, price=12)

    place = (await buyer.get(f"/v1/leads/{lead_id}/queue")).json()
    assert (place["position"], place["waiting"], place["expected_at"]) == (0, 0, None)
    assert place["offer"]["price"] == 12
    assert instant(place["offer"]["offered_until"]) == until
    assert (await buyer.get("/v1/cart")).json() == {"items": [], "total_credits": 0}
    assert_problem(await buyer.post("/v1/checkout"), 409, "cart-empty")


async def test_an_offer_that_has_run_out_is_gone(world: World, hall: Hall) -> None:
    buyer = await world.buyer()
    lead_id = await world.lead(seats=3)
    await hall.offer(lead_id, buyer, micros() - 1)
    assert_problem(await buyer.get(f"/v1/leads/{lead_id}/queue"), 404, "not-found")
    assert (await buyer.get("/v1/queue")).json()["items"] == []


async def test_own_places_page_offers_first(world: World, hall: Hall) -> None:
    buyer = await world.buyer()
    leads = [await world.lead(seats=3) for _ in range(5)]
    now = micros()
    await hall.wait(leads[0], 5, buyer)
    await hall.wait(leads[1], 3, buyer)
    await hall.wait(leads[2], 5, buyer)
    await hall.offer(leads[3], buyer, now + 2 * OFFER)
    await hall.offer(leads[4], buyer, now + OFFER)

    whole = (await buyer.get("/v1/queue")).json()
    QueuePage.model_validate(whole)
    assert whole["next_cursor"] is None
    shown = [item["lead_id"] for item in whole["items"]]
    assert shown == [leads[4], leads[3], leads[1], *sorted([leads[0], leads[2]])]
    assert all(item["lead"]["lead_id"] == item["lead_id"] for item in whole["items"])
    assert [item["offer"] is None for item in whole["items"]] == [False, False, True, True, True]

    paged: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await buyer.get("/v1/queue", limit=1, **cursor)).json()
        paged += [item["lead_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert paged == shown
    other = await world.buyer()
    assert (await other.get("/v1/queue")).json()["items"] == []
    assert_problem(await other.get("/v1/queue", limit=1, **cursor), 422, "validation")
    assert_problem(await other.get("/v1/queue", limit=201), 422, "validation")


async def test_a_seat_given_back_goes_to_the_first_in_line(world: World) -> None:
    holder, first, second = [await world.buyer(credits=100) for _ in range(3)]
    lead_id = await world.lead()
    queue = f"/v1/leads/{lead_id}/queue"

    assert_problem(await first.post(queue), 409, "seat-available")
    held = (await holder.hold(lead_id)).json()
    joined = await first.post(queue)
    assert joined.status_code == 201, joined.text
    assert joined.json() == {
        "lead_id": lead_id,
        "position": 1,
        "waiting": 1,
        "expected_at": held["held_until"],
    }
    assert (await second.post(queue)).json()["position"] == 2
    assert_problem(await first.post(queue), 409, "already-queued")
    assert_problem(await holder.post(queue), 409, "already-held")
    assert (await first.get(queue)).json()["waiting"] == 2

    assert (await holder.request("DELETE", f"/v1/cart/items/{lead_id}")).status_code == 204
    offered = (await first.get(queue)).json()
    assert offered["offer"]["price"] == 10
    assert offered["expected_at"] is None
    assert (await second.get(queue)).json()["position"] == 1
    assert (await second.get(queue)).json()["expected_at"] == offered["offer"]["offered_until"]
    assert_problem(await second.buy(lead_id), 409, "lead-unavailable")
    assert_problem(await first.post("/v1/checkout", {"lead_ids": [lead_id]}), 409, "not-in-cart")

    assert (await first.request("DELETE", queue)).status_code == 204
    assert_problem(await first.request("DELETE", queue), 409, "not-queued")
    assert_problem(await first.get(queue), 404, "not-found")
    assert (await second.buy(lead_id)).status_code == 201
    assert_problem(await first.post(queue), 409, "lead-unavailable")
    assert_problem(await second.post(queue), 409, "already-bought")


async def test_a_join_repeated_under_its_key_is_answered_alike(world: World) -> None:
    holder, buyer = await world.buyer(credits=100), await world.buyer()
    lead_id = await world.lead()
    await holder.hold(lead_id)
    first = await buyer.post(f"/v1/leads/{lead_id}/queue", key="k-1")
    again = await buyer.post(f"/v1/leads/{lead_id}/queue", key="k-1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    left = await buyer.request("DELETE", f"/v1/leads/{lead_id}/queue", "k-2")
    gone = await buyer.request("DELETE", f"/v1/leads/{lead_id}/queue", "k-2")
    assert (left.status_code, gone.status_code) == (204, 204)
    assert_problem(await buyer.post("/v1/leads/nowhere/queue"), 404, "not-found")
