"""The list of notifications and its settings, over HTTP; a hold's reminder from end to end."""

from __future__ import annotations

from typing import Any

import asyncpg

from actors.cart_shard import CartShard
from tests.serve_apps.api.world import CANARY, Caller, World, assert_problem, eventually

DEFAULTS = {
    "hold.expiring": {"in_app": True, "email": True},
    "hold.expired": {"in_app": True, "email": False},
    "queue.offered": {"in_app": True, "email": True},
    "queue.ended": {"in_app": True, "email": False},
    "standing_order.filled": {"in_app": True, "email": True},
}


async def put(caller: Caller, body: Any, key: str | None = None) -> Any:
    return await caller.request("PUT", "/v1/me/notifications", key, json=body)


async def tell(world: World, caller: Caller, number: int, *, in_app: bool = True) -> str:
    assert world.replica.deps is not None
    notification_id = f"n-{caller.user_id}-{number}"
    await world.replica.deps.pool.execute(
        "INSERT INTO notifications (notification_id, user_id, kind, key, title, body, facts,"
        " in_app, created_at) VALUES ($1, $2, 'hold.expired', $1, 'A title', 'A body',"
        " '{\"price\": 5}'::text::jsonb, $3, now() + $4 * interval '1 ms')",
        notification_id,
        caller.user_id,
        in_app,
        # Pairs of the same moment, so that a page may end between two.
        float(number // 2),
    )
    return notification_id


async def test_settings_are_the_defaults_until_they_are_replaced(world: World) -> None:
    buyer = await world.buyer()
    assert (await buyer.get("/v1/me/notifications")).json() == {
        "channels": DEFAULTS,
        "quiet_hours": None,
    }
    quiet = {"start": 1320, "end": 420, "time_zone": "America/Chicago"}
    changed = {"hold.expired": {"in_app": False, "email": True}}
    answered = await put(buyer, {"channels": changed, "quiet_hours": quiet})
    assert answered.status_code == 200, answered.text
    assert answered.json() == {"channels": DEFAULTS | changed, "quiet_hours": quiet}
    assert (await buyer.get("/v1/me/notifications")).json() == answered.json()
    # What is left out goes back to its default.
    assert (await put(buyer, {})).json() == {"channels": DEFAULTS, "quiet_hours": None}
    other = await world.buyer()
    assert (await other.get("/v1/me/notifications")).json()["quiet_hours"] is None


async def test_a_keyed_change_is_made_once(world: World) -> None:
    buyer = await world.buyer()
    quiet = {"start": 1, "end": 2, "time_zone": "UTC"}
    first = await put(buyer, {"quiet_hours": quiet}, "a-key")
    await put(buyer, {})
    again = await put(buyer, {"quiet_hours": quiet}, "a-key")
    assert again.json() == first.json()
    assert (await buyer.get("/v1/me/notifications")).json()["quiet_hours"] is None
    assert_problem(await put(buyer, {}, "a-key"), 422, "idempotency-mismatch")


async def test_settings_that_can_not_be_are_refused(world: World) -> None:
    buyer = await world.buyer()
    quiet = {"start": 1320, "end": 420, "time_zone": "America/Chicago"}
    for body in (
        {"channels": {"weather": {"in_app": True, "email": True}}},
        {"channels": {"hold.expired": {"in_app": True}}},
        {"channels": {"hold.expired": {"in_app": 1, "email": True}}},
        {"quiet_hours": quiet | {"end": 1320}},
        {"quiet_hours": quiet | {"end": 1440}},
        {"quiet_hours": quiet | {"time_zone": "Atlantis/Lost_City"}},
        {"quiet_hours": quiet | {"time_zone": "../../etc/passwd"}},
        {"quiet_hours": quiet | {"time_zone": "America"}},
        {"hours": None},
    ):
        assert_problem(await put(buyer, body), 422, "validation")
    assert (await buyer.get("/v1/me/notifications")).json()["quiet_hours"] is None


async def test_the_list_is_paged_and_read(world: World) -> None:
    buyer, other = await world.buyer(), await world.buyer()
    made = [await tell(world, buyer, number) for number in range(7)]
    await tell(world, buyer, 99, in_app=False)
    await tell(world, other, 0)

    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await buyer.get("/v1/notifications", limit=3, **cursor)).json()
        seen += [item["notification_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == made[::-1]
    assert page["items"][-1]["facts"] == {"price": 5}
    assert page["items"][-1]["read_at"] is None

    for _ in range(2):
        done = await buyer.post(f"/v1/notifications/{made[3]}/read", key=None)
        assert (done.status_code, done.content) == (204, b"")
    unread = (await buyer.get("/v1/notifications", unread="true")).json()["items"]
    assert [item["notification_id"] for item in unread] == [*made[:3:-1], *made[2::-1]]
    # A cursor is good for its own question only.
    first = (await buyer.get("/v1/notifications", limit=1)).json()["next_cursor"]
    assert_problem(
        await buyer.get("/v1/notifications", unread="true", cursor=first), 422, "validation"
    )

    assert (await buyer.post("/v1/notifications/read-all")).status_code == 204
    assert (await buyer.get("/v1/notifications", unread="true")).json()["items"] == []
    assert len((await other.get("/v1/notifications", unread="true")).json()["items"]) == 1


async def test_what_belongs_to_others_is_not_there(world: World) -> None:
    buyer, other = await world.buyer(), await world.buyer()
    theirs = await tell(world, other, 0)
    hidden = await tell(world, buyer, 1, in_app=False)
    for notification_id in (theirs, hidden, "nowhere", "no\u00e9 such"):
        answered = await buyer.post(f"/v1/notifications/{notification_id}/read", key=None)
        assert_problem(answered, 404, "not-found")
    assert len((await other.get("/v1/notifications", unread="true")).json()["items"]) == 1


async def test_a_withdrawn_hold_is_in_the_list(world: World) -> None:
    buyer = await world.buyer(credits=100)
    settings = world.settings
    shard = CartShard(0, 1, settings.database_url, settings.redis_url, (10, 1))
    await shard.start()
    try:
        lead_id = await world.lead(price=11)
        assert (await buyer.hold(lead_id)).status_code == 201
        admin = await world.admin()
        gone = await admin.post(f"/v1/admin/leads/{lead_id}/withdraw", {"reason": "sold elsewhere"})
        assert gone.status_code == 200, gone.text
        await _say_withdrawn(world, buyer, lead_id)
        await eventually(lambda: shard.stats()["told"] >= 1, seconds=20)
        (item,) = (await buyer.get("/v1/notifications")).json()["items"]
        assert item["kind"] == "hold.expired"
        assert item["title"] == "A lead that you held was withdrawn"
        assert item["facts"]["lead_id"] == lead_id
        assert CANARY not in str(item)
    finally:
        await shard.stop()


async def _say_withdrawn(world: World, buyer: Caller, lead_id: str) -> None:
    """What the book says; twice is once."""
    from redis.asyncio import Redis

    from engine.adapters.redis import user_stream
    from engine.market.buyer_events import BuyerEvent

    body = {"market": "austin", "lead_id": lead_id, "reason": "withdrawn"}
    redis = Redis.from_url(world.settings.redis_url)
    try:
        await user_stream.publish(redis, [BuyerEvent(buyer.user_id, "hold.expired", body)])
    finally:
        await redis.aclose()


async def test_an_account_that_goes_takes_its_notifications_along(world: World) -> None:
    buyer = await world.buyer()
    await tell(world, buyer, 0)
    await put(buyer, {"quiet_hours": {"start": 1, "end": 2, "time_zone": "UTC"}})
    connection = await asyncpg.connect(world.settings.database_url)
    try:
        await connection.execute("DELETE FROM wallets WHERE user_id = $1", buyer.user_id)
        await connection.execute("DELETE FROM users WHERE user_id = $1", buyer.user_id)
        left = await connection.fetchval(
            "SELECT (SELECT count(*) FROM notifications WHERE user_id = $1)"
            " + (SELECT count(*) FROM notification_settings WHERE user_id = $1)",
            buyer.user_id,
        )
    finally:
        await connection.close()
    assert left == 0
