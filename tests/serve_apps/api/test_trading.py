"""Holding, buying and checking out over HTTP."""

from __future__ import annotations

import asyncio

from engine.adapters.postgres.audit import audit
from tests.serve_apps.api.world import CANARY, World, assert_problem


async def test_a_lead_is_held_extended_released_and_bought(world: World) -> None:
    buyer = await world.buyer(credits=100, plan="pro")
    lead_id = await world.lead(price=11)

    held = await buyer.hold(lead_id)
    assert held.status_code == 201, held.text
    assert held.json().keys() == {"lead_id", "price", "hold", "held_until"}
    # Pro pays 10 % less, rounded down.
    assert held.json()["price"] == 9

    longer = await buyer.post(f"/v1/cart/items/{lead_id}/extend", {"hold": "24h"})
    assert longer.status_code == 200, longer.text
    assert longer.json()["held_until"] > held.json()["held_until"]

    cart = (await buyer.get("/v1/cart")).json()
    assert [item["lead_id"] for item in cart["items"]] == [lead_id]
    assert cart["items"][0]["lead"]["lead_state"] == "held"
    assert cart["total_credits"] == 9

    released = await buyer.request("DELETE", f"/v1/cart/items/{lead_id}")
    assert released.status_code == 204
    assert released.content == b""
    assert (await buyer.get("/v1/cart")).json() == {"items": [], "total_credits": 0}

    bought = await buyer.buy(lead_id)
    assert bought.status_code == 201, bought.text
    body = bought.json()
    assert body["total_credits"] == 9
    assert body["wallet"] == {"balance": 91}
    assert body["refused"] == []
    assert body["orders"][0]["contact"]["phone"] == CANARY
    assert (await buyer.get(f"/v1/leads/{lead_id}")).json()["lead_state"] == "sold"
    assert await audit(world.settings.database_url) == []


async def test_refusals_have_their_status(world: World) -> None:
    poor, rich = await world.buyer(), await world.buyer(credits=100)
    lead_id, other = await world.lead(price=10), await world.lead(price=10)

    assert_problem(await poor.buy(lead_id), 402, "insufficient-credits")
    assert_problem(await rich.buy(lead_id, max_price=9), 409, "price-changed")
    assert_problem(await rich.hold(lead_id, "3d"), 403, "plan-required")
    assert_problem(await rich.hold(lead_id, "9y"), 422, "validation")
    assert_problem(await rich.hold("nowhere"), 404, "not-found")
    assert_problem(await rich.hold("no\u00e9 such/id"), 404, "not-found")
    assert_problem(await rich.request("DELETE", f"/v1/cart/items/{lead_id}"), 409, "not-in-cart")
    assert (await poor.hold(lead_id)).status_code == 201
    assert_problem(await poor.hold(lead_id), 409, "already-held")
    assert_problem(await rich.buy(lead_id), 409, "lead-unavailable")
    assert (await rich.buy(other)).status_code == 201
    assert_problem(await rich.buy(other), 409, "already-bought")


async def test_checkout_buys_what_can_be_paid_in_order_of_holding(world: World) -> None:
    buyer = await world.buyer(credits=25)
    leads = [
        await world.lead(price=10),
        await world.lead(price=20, market="dallas"),
        await world.lead(price=10),
    ]
    for lead_id in leads:
        assert (await buyer.hold(lead_id)).status_code == 201

    done = await buyer.post("/v1/checkout", {})
    assert done.status_code == 201, done.text
    body = done.json()
    assert [order["lead_id"] for order in body["orders"]] == [leads[0], leads[2]]
    assert [refused["lead_id"] for refused in body["refused"]] == [leads[1]]
    assert body["refused"][0]["problem"]["type"] == "insufficient-credits"
    assert body["total_credits"] == 20
    assert body["wallet"] == {"balance": 5}
    assert all(order["contact"]["name"] == CANARY for order in body["orders"])

    none = assert_problem(await buyer.post("/v1/checkout"), 402, "insufficient-credits")
    assert [refused["lead_id"] for refused in none["refused"]] == [leads[1]]
    assert await audit(world.settings.database_url) == []


async def test_checkout_of_named_leads(world: World) -> None:
    buyer = await world.buyer(credits=100)
    held, not_held = await world.lead(), await world.lead()
    await buyer.hold(held)

    done = await buyer.post("/v1/checkout", {"lead_ids": [not_held, "nowhere", held]})
    assert done.status_code == 201
    assert [order["lead_id"] for order in done.json()["orders"]] == [held]
    assert [refused["problem"]["type"] for refused in done.json()["refused"]] == [
        "not-in-cart",
        "not-found",
    ]
    assert_problem(await buyer.post("/v1/checkout", {"lead_ids": [held, held]}), 422, "validation")
    assert_problem(await buyer.post("/v1/checkout"), 409, "cart-empty")


async def test_a_checkout_repeated_is_answered_alike(world: World) -> None:
    buyer = await world.buyer(credits=100)
    leads = [await world.lead(), await world.lead(market="dallas")]
    for lead_id in leads:
        await buyer.hold(lead_id)

    answers = await asyncio.gather(
        *(buyer.post("/v1/checkout", {"lead_ids": leads}, key="k-1") for _ in range(3))
    )
    again = await buyer.post("/v1/checkout", {"lead_ids": leads}, key="k-1")
    assert [answered.status_code for answered in (*answers, again)] == [201] * 4
    assert all(answered.json() == again.json() for answered in answers)
    assert await buyer.balance() == 80
    assert_problem(await buyer.post("/v1/checkout", {}, key="k-1"), 422, "idempotency-mismatch")

    # Decided when the cart was empty, and stays so.
    assert_problem(await buyer.post("/v1/checkout", key="k-2"), 409, "cart-empty")
    await buyer.hold(await world.lead())
    assert_problem(await buyer.post("/v1/checkout", key="k-2"), 409, "cart-empty")


async def test_a_purchase_repeated_three_times_at_once_happens_once(world: World) -> None:
    buyer = await world.buyer(credits=100)
    lead_id = await world.lead(seats=3)
    answers = await asyncio.gather(*(buyer.buy(lead_id, key="once") for _ in range(3)))
    assert {answered.status_code for answered in answers} == {201}
    assert len({answered.json()["orders"][0]["order_id"] for answered in answers}) == 1
    assert await buyer.balance() == 90
    assert_problem(await buyer.buy(lead_id, key="once", max_price=5), 422, "idempotency-mismatch")
    # The same body in another spelling is the same request.
    spelled = await buyer.request(
        "POST",
        f"/v1/leads/{lead_id}/buy",
        "once",
        content=b" {  } ",
        headers={"content-type": "application/json"},
    )
    assert spelled.json() == answers[0].json()


async def test_many_buyers_for_few_seats(world: World) -> None:
    buyers = [await world.buyer(credits=10 if n % 2 else 0) for n in range(8)]
    lead_id = await world.lead(price=10, seats=3)
    answers = await asyncio.gather(*(buyer.buy(lead_id) for buyer in buyers))
    assert [a.status_code for a in answers].count(201) == 3
    assert {a.status_code for a in answers} <= {201, 402, 409}
    assert await audit(world.settings.database_url) == []


async def test_orders_and_contacts_are_their_owners(world: World) -> None:
    owner, other = await world.buyer(credits=100), await world.buyer(credits=100)
    leads = [await world.lead() for _ in range(3)]
    ids = [(await owner.buy(lead_id)).json()["orders"][0]["order_id"] for lead_id in leads]

    first = (await owner.get("/v1/orders", limit=2)).json()
    second = (await owner.get("/v1/orders", limit=2, cursor=first["next_cursor"])).json()
    assert [o["order_id"] for o in first["items"] + second["items"]] == ids[::-1]
    assert second["next_cursor"] is None
    assert first["items"][0]["contact"]["email"] == CANARY

    assert (await owner.get(f"/v1/orders/{ids[0]}")).json()["lead"]["lead_id"] == leads[0]
    assert_problem(await other.get(f"/v1/orders/{ids[0]}"), 404, "not-found")
    assert_problem(await other.get("/v1/orders", cursor=first["next_cursor"]), 422, "validation")
    assert (await other.get("/v1/orders")).json()["items"] == []
    seen = [
        await other.get("/v1/leads"),
        await other.get(f"/v1/leads/{leads[0]}"),
        await other.buy(leads[0]),
        await world.http.get("/v1/markets"),
        await world.http.get("/metrics"),
    ]
    assert not any(CANARY in answered.text for answered in seen)


async def test_the_wallet_is_the_sum_of_its_entries(world: World) -> None:
    buyer = await world.buyer(credits=100)
    await buyer.buy(await world.lead(price=30))
    entries = (await buyer.get("/v1/wallet/entries")).json()["items"]
    assert [(entry["amount"], entry["reason"]) for entry in entries] == [
        (-30, "purchase"),
        (100, "grant"),
    ]
    assert await buyer.balance() == 70
