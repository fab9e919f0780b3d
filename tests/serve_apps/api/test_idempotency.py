"""Keyed writes that no book decides, admin routes, and checkouts that were left behind."""

from __future__ import annotations

import asyncio

from actors.client import BookUnavailable
from engine.adapters.postgres.audit import audit
from serve_apps.api.housekeeping import finish_unfinished
from tests.serve_apps.api.world import PASSWORD, World, assert_problem


async def test_a_grant_repeated_is_booked_once(world: World) -> None:
    admin, buyer = await world.admin(), await world.buyer()
    path = f"/v1/admin/wallets/{buyer.user_id}/grants"
    body = {"credits": 50, "reason": "welcome back"}
    answers = await asyncio.gather(*(admin.post(path, body, key="g-1") for _ in range(4)))
    assert {answered.status_code for answered in answers} == {201}
    assert all(answered.json() == answers[0].json() for answered in answers)
    assert answers[0].json()["balance"] == 50
    assert await buyer.balance() == 50

    reordered = {"reason": "welcome back", "credits": 50}
    assert (await admin.post(path, reordered, key="g-1")).json() == answers[0].json()
    other = await admin.post(path, body | {"credits": 51}, key="g-1")
    assert_problem(other, 422, "idempotency-mismatch")
    whole = await admin.post(path, body | {"credits": 50.0}, key="g-2")
    assert whole.json()["balance"] == 100
    for bad in (
        {"credits": 0},
        {"credits": 1.5},
        {"credits": True},
        {"credits": "5"},
        {"credits": 2**70},
        {"reason": "\u0000"},
    ):
        assert_problem(await admin.post(path, body | bad), 422, "validation")
    nobody = await admin.post("/v1/admin/wallets/nobody/grants", body)
    assert_problem(nobody, 404, "not-found")
    assert await audit(world.settings.database_url) == []


async def test_a_registration_repeated_is_one_account(world: World) -> None:
    form = {"email": "rep@example.com", "password": PASSWORD, "full_name": "Rep Eat"}
    key = {"idempotency-key": "r-1"}
    first = await world.http.post("/v1/auth/register", json=form, headers=key)
    again = await world.http.post("/v1/auth/register", json=form, headers=key)
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    other = form | {"password": "another password"}
    mismatch = await world.http.post("/v1/auth/register", json=other, headers=key)
    assert_problem(mismatch, 422, "idempotency-mismatch")
    # Refusals are decisions too.
    taken = {"idempotency-key": "r-2"}
    for _ in range(2):
        answered = await world.http.post("/v1/auth/register", json=form, headers=taken)
        assert_problem(answered, 409, "email-taken")
    deps = world.replica.deps
    assert deps is not None
    stored = await deps.pool.fetch("SELECT request_hash, answer::text FROM idempotency")
    assert not any(PASSWORD in row["answer"] for row in stored)


async def test_a_hold_repeated_is_one_hold(world: World) -> None:
    buyer = await world.buyer()
    body = {"lead_id": await world.lead(seats=2), "hold": "15m"}
    first = await buyer.post("/v1/cart/items", body, key="h-1")
    again = await buyer.post("/v1/cart/items", body, key="h-1")
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    # Another lead in another market's book, under the same key.
    elsewhere = {"lead_id": await world.lead(market="dallas"), "hold": "15m"}
    mismatch = await buyer.post("/v1/cart/items", elsewhere, key="h-1")
    assert_problem(mismatch, 422, "idempotency-mismatch")


async def test_keys_of_different_callers_do_not_meet(world: World) -> None:
    one, other = await world.buyer(credits=50), await world.buyer(credits=50)
    lead_id = await world.lead(seats=2)
    first, second = await one.buy(lead_id, key="same"), await other.buy(lead_id, key="same")
    assert first.status_code == second.status_code == 201
    assert first.json()["orders"] != second.json()["orders"]


async def test_a_checkout_left_behind_is_finished(world: World) -> None:
    buyer = await world.buyer(credits=100)
    leads = [await world.lead(), await world.lead(market="dallas")]
    for lead_id in leads:
        await buyer.hold(lead_id)
    deps = world.replica.deps
    assert deps is not None
    carry = world.transport

    async def half(market: str, payload: bytes) -> bytes:
        if market == "dallas":
            raise BookUnavailable("away")
        return await carry(market, payload)

    deps.market_client._transport = half
    answered = await buyer.post("/v1/checkout", key="c-1")
    assert_problem(answered, 503, "unavailable")
    assert await buyer.balance() == 90
    assert await finish_unfinished(deps, older_than_seconds=0) == 0

    deps.market_client._transport = carry
    assert await finish_unfinished(deps, older_than_seconds=0) == 1
    assert await buyer.balance() == 80
    repeated = await buyer.post("/v1/checkout", key="c-1")
    assert repeated.status_code == 201
    assert [order["lead_id"] for order in repeated.json()["orders"]] == leads
    assert all(order["contact"] for order in repeated.json()["orders"])
    stored = await deps.pool.fetchval(
        "SELECT answer::text FROM checkouts ORDER BY created_at DESC LIMIT 1"
    )
    assert "canary" not in stored
    assert await audit(world.settings.database_url) == []


async def test_admins_manage_accounts_and_leads(world: World) -> None:
    admin, buyer = await world.admin(), await world.buyer()
    page = (await admin.get("/v1/admin/users", limit=1)).json()
    assert page["items"][0]["user_id"] == buyer.user_id
    assert (await admin.get("/v1/admin/users", cursor=page["next_cursor"])).status_code == 200
    email = page["items"][0]["email"]
    assert len((await admin.get("/v1/admin/users", email=email.upper())).json()["items"]) == 1
    path = f"/v1/admin/users/{buyer.user_id}"
    for bad in ({"plan": "gold"}, {"plan": None}, {"role": "king"}, {"email": "x"}):
        assert_problem(await admin.request("PATCH", path, json=bad), 422, "validation")
    own = await admin.request("PATCH", f"/v1/admin/users/{admin.user_id}", json={"role": "buyer"})
    assert_problem(own, 403, "forbidden")
    missing = await admin.request("PATCH", "/v1/admin/users/nobody", json={"plan": "pro"})
    assert_problem(missing, 404, "not-found")

    lead_id = await world.lead()
    for move, state in (
        ("quarantine", "quarantined"),
        ("approve", "available"),
        ("withdraw", "withdrawn"),
        ("relist", "available"),
    ):
        moved = await admin.post(f"/v1/admin/leads/{lead_id}/{move}", {"reason": "test"})
        assert moved.json() == {"lead_id": lead_id, "lead_state": state}
    again = await admin.post(f"/v1/admin/leads/{lead_id}/relist")
    assert_problem(again, 409, "lead-unavailable")
    assert_problem(await buyer.post(f"/v1/admin/leads/{lead_id}/withdraw"), 403, "forbidden")
    assert (await admin.get("/v1/admin/runs")).json() == {"items": [], "next_cursor": None}


async def test_a_plan_changed_by_an_admin_counts_at_once(world: World) -> None:
    buyer = await world.buyer()
    lead_id = await world.lead()
    assert_problem(await buyer.hold(lead_id, "24h"), 403, "plan-required")
    admin = await world.admin()
    await admin.request("PATCH", f"/v1/admin/users/{buyer.user_id}", json={"plan": "pro"})
    assert (await buyer.hold(lead_id, "24h")).status_code == 201


async def test_one_key_on_its_way_to_two_markets_costs_neither_book_a_flush(world: World) -> None:
    buyer = await world.buyer()
    for number in range(10):
        leads = [await world.lead(market=market) for market in ("austin", "dallas")]
        answers = await asyncio.gather(
            *(
                buyer.post("/v1/cart/items", {"lead_id": lead, "hold": "15m"}, key=f"k-{number}")
                for lead in leads
            )
        )
        assert sorted(answered.status_code for answered in answers) == [201, 422]
        refused = next(answered for answered in answers if answered.status_code == 422)
        assert_problem(refused, 422, "idempotency-mismatch")
    assert [book.stats()["reloads"] for book in world.books.values()] == [0, 0]
