"""Shards of carts: who is reminded when, once, whatever is away or starts anew."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import msgspec
import pytest

from engine.adapters.local.ports import free_port
from engine.market import commands as c
from engine.market.answers import Bought
from engine.market.cart_shards import shard_of
from engine.market.instant import rfc3339
from tests.actors.cart_stand import MINUTE, SECOND, CartStand, cart_stand
from tests.actors.trading_house import trading_house, until


@pytest.fixture
async def stand(fresh_database_url: str, redis_url: str) -> AsyncIterator[CartStand]:
    """A database of this test's own: a shard sees the carts of all markets in it."""
    async with trading_house(fresh_database_url, redis_url) as house, cart_stand(house) as stand:
        yield stand


async def test_a_reminder_comes_when_it_is_due(stand: CartStand) -> None:
    ann = await stand.house.buyer()
    lead_id, until_us = await stand.hold(ann, 10 * MINUTE + SECOND)
    shard = await stand.shard()
    assert await stand.told(ann) == []
    await until(lambda: len(stand.heard(ann, "notification")) == 1)
    (row,) = await stand.told(ann)
    late_us = (row["created_at"].timestamp() * 1e6) - (until_us - 10 * MINUTE)
    print(f"\nlate by {late_us / 1000:.1f} ms")
    assert late_us >= 0
    assert row["key"] == f"hold.expiring:{lead_id}:{until_us}:10"
    assert row["title"] == "Your hold ends in 10 minutes"
    assert "Condominium in Austin at 25 credits" in row["body"]
    (expiring,) = stand.heard(ann, "hold.expiring")
    assert expiring == {
        "market": stand.house.market,
        "lead_id": lead_id,
        "price": 25,
        "hold": "15m",
        "held_until": rfc3339(until_us),
        "minutes_left": 10,
    }
    (notification,) = stand.heard(ann, "notification")
    assert notification["notification_id"] == row["notification_id"]
    assert notification["facts"]["city"] == "Austin"
    assert notification["read_at"] is None
    assert shard.stats()["reminded"] == 1


async def test_a_hold_is_followed_from_its_beginning(stand: CartStand) -> None:
    ann = await stand.house.buyer()
    shard = await stand.shard(reconcile_seconds=3600)
    lead_id, until_us = await stand.hold(ann, MINUTE + SECOND, held_us=0)
    await stand.say_held(ann, lead_id, until_us)
    await until(lambda: shard.stats()["holds"] == 1)
    assert [held.lead_id for held in (await shard.cart(ann)).holds] == [lead_id]
    await until(lambda: len(stand.heard(ann, "hold.expiring")) == 1)
    # Ten minutes were never left.
    assert await stand.keys(ann) == [f"hold.expiring:{lead_id}:{until_us}:1"]


async def test_nobody_is_reminded_of_a_hold_that_is_over_or_goes_on(stand: CartStand) -> None:
    ann, bob = await stand.house.buyer(), await stand.house.buyer()
    released, _ = await stand.hold(ann, MINUTE + SECOND)
    extended, until_us = await stand.hold(bob, MINUTE + SECOND)
    shard = await stand.shard(reconcile_seconds=3600)
    # Nobody says so.
    await stand.house.pool.execute("DELETE FROM seats WHERE lead_id = $1", released)
    await stand.house.pool.execute(
        "UPDATE seats SET held_until = held_until + $2 WHERE lead_id = $1", extended, SECOND
    )
    await until(lambda: len(stand.heard(bob, "hold.expiring")) == 1)
    assert await stand.keys(bob) == [f"hold.expiring:{extended}:{until_us + SECOND}:1"]
    assert await stand.told(ann) == []
    assert (await shard.cart(ann)).holds == ()


async def test_a_missed_reminder_comes_late_and_only_the_last(stand: CartStand) -> None:
    ann, bob, cyd = [await stand.house.buyer() for _ in range(3)]
    both, until_us = await stand.hold(ann, MINUTE // 2, held_us=14 * MINUTE)
    late, late_until = await stand.hold(bob, 7 * MINUTE, held_us=8 * MINUTE)
    # Held again just now, from a first hold of long ago.
    await stand.hold(cyd, 7 * MINUTE, held_us=SECOND)
    first = await stand.shard()
    await until(lambda: len(stand.heard(bob, "hold.expiring")) == 1)
    await first.stop()
    second = await stand.shard()
    await until(lambda: second.stats()["waiting"] == 0 and second.stats()["reminded"] == 2)
    assert await stand.keys(ann) == [f"hold.expiring:{both}:{until_us}:1"]
    assert await stand.keys(bob) == [f"hold.expiring:{late}:{late_until}:10"]
    assert [each["minutes_left"] for each in stand.heard(bob, "hold.expiring")] == [7]
    assert await stand.told(cyd) == []


async def test_two_shards_with_one_cart_remind_once(stand: CartStand) -> None:
    users = [await stand.house.buyer() for _ in range(20)]
    for user in users:
        await stand.hold(user, 10 * MINUTE + SECOND)
    one, other = await stand.shard(), await stand.shard()
    await until(lambda: one.stats()["reminded"] == 20 and other.stats()["reminded"] == 20)
    for user in users:
        assert len(await stand.told(user)) == 1
        assert len(stand.heard(user, "hold.expiring")) == 1


async def test_without_redis_reminders_come_all_the_same(stand: CartStand) -> None:
    ann, bob = await stand.house.buyer(), await stand.house.buyer()
    await stand.hold(ann, 10 * MINUTE + SECOND // 2)
    nowhere = f"redis://127.0.0.1:{free_port()}"
    shard = await stand.shard(redis_url=nowhere, reconcile_seconds=0.2)
    # Begun when nobody could say so.
    lead_id, until_us = await stand.hold(bob, 10 * MINUTE + 2 * SECOND)
    await until(lambda: shard.stats()["reminded"] == 2)
    assert len(await stand.told(ann)) == 1
    assert await stand.keys(bob) == [f"hold.expiring:{lead_id}:{until_us}:10"]


async def test_carts_move_when_there_are_more_shards(stand: CartStand) -> None:
    users = [await stand.house.buyer() for _ in range(12)]
    for user in users:
        await stand.hold(user, 10 * MINUTE + 3 * SECOND)
    first = await stand.shard()
    assert first.stats()["carts"] == 12
    moving = [user for user in users if shard_of(user, 2) == 1]
    assert 0 < len(moving) < 12
    second = await stand.shard(1, 2)
    await first.assign(0, 2)
    assert first.stats()["carts"] == 12 - len(moving)
    assert second.stats()["carts"] == len(moving)
    assert len((await second.cart(moving[0])).holds) == 1
    with pytest.raises(ValueError, match="carts:1 has that cart"):
        await first.cart(moving[0])
    await until(lambda: len([e for e in stand.said if e.type == "hold.expiring"]) == 12)
    assert [len(await stand.told(user)) for user in users] == [1] * 12
    assert first.stats()["reminded"] == 12 - len(moving)
    # And back again.
    await first.assign(0, 1)
    assert first.stats()["carts"] == 12


async def test_the_number_of_shards_is_read_in_the_tables(stand: CartStand) -> None:
    """An actor that Ray starts again is made with the number of its first day."""
    users = [await stand.house.buyer() for _ in range(8)]
    for user in users:
        await stand.hold(user, 12 * MINUTE)
    await stand.house.pool.execute("INSERT INTO cart_shards (shards) VALUES (2)")
    try:
        shard = await stand.shard(0, 1)
        assert shard.stats()["shards"] == 2
        assert shard.stats()["carts"] == sum(shard_of(user, 2) == 0 for user in users)
    finally:
        await stand.house.pool.execute("DELETE FROM cart_shards")


async def test_a_database_that_is_away_delays_reminders(stand: CartStand) -> None:
    from tests.actors.faults import wire

    ann = await stand.house.buyer()
    lead_id, until_us = await stand.hold(ann, 10 * MINUTE + SECOND)
    async with wire(stand.house.database_url) as to_database:
        shard = await stand.shard(database_url=to_database.url)
        await to_database.cut()
        await asyncio.sleep(1.5)
        assert shard.stats()["reminded"] == 0
        await to_database.mend()
        await until(lambda: shard.stats()["reminded"] == 1)
        assert await stand.keys(ann) == [f"hold.expiring:{lead_id}:{until_us}:10"]
        await shard.stop()


# --- what the book does ----------------------------------------------------------------


async def expired_hold(stand: CartStand) -> tuple[str, str]:
    """A buyer's hold that the book has let run out: (buyer, lead)."""
    ahead = [0]
    await stand.house.book(clock=lambda: time.time_ns() + ahead[0])
    ann, lead_id = await stand.house.buyer(), await stand.house.lead()
    await stand.house.said(c.Hold(lead_id, ann, "15m"))
    ahead[0] = 16 * MINUTE * 1000

    async def is_over() -> bool:
        seats = "SELECT count(*) FROM seats WHERE user_id = $1"
        return await stand.house.pool.fetchval(seats, ann) == 0

    await until(is_over)
    return ann, lead_id


async def test_the_end_of_a_hold_is_told_once(stand: CartStand) -> None:
    shard = await stand.shard(reconcile_seconds=3600)
    ann, lead_id = await expired_hold(stand)
    for _ in range(3):
        await stand.say(ann, "hold.expired", lead_id, reason="expired")
    await until(lambda: len(stand.heard(ann, "notification")) == 1)
    # The journal says so too.
    await shard.reconcile()
    (row,) = await stand.told(ann)
    assert (row["kind"], row["title"]) == ("hold.expired", "Your hold has run out")
    # And there was no such thing.
    await stand.say(ann, "hold.expired", lead_id, reason="withdrawn")
    await stand.say(await stand.house.buyer(), "hold.expired", lead_id, reason="expired")
    await until(lambda: shard.stats()["waiting"] == 0)
    assert len(await stand.told(ann)) == 1
    assert len(stand.heard(ann, "notification")) == 1


async def test_what_nobody_said_is_read_in_the_journal(stand: CartStand) -> None:
    ann, lead_id = await expired_hold(stand)
    await stand.shard(redis_url=f"redis://127.0.0.1:{free_port()}")
    (row,) = await stand.told(ann)
    assert row["kind"] == "hold.expired"
    assert msgspec.json.decode(row["facts"])["lead_id"] == lead_id


async def test_offers_ends_of_lines_and_fills(stand: CartStand) -> None:
    await stand.house.book()
    shard = await stand.shard(reconcile_seconds=3600)
    ann, bob = await stand.house.buyer(), await stand.house.buyer()
    offered, until_us = await stand.hold(ann, 5 * MINUTE, is_offer=True)
    sold = await stand.house.lead()
    answer = await stand.house.buy(sold, bob)
    assert isinstance(answer, Bought)
    for _ in range(2):
        await stand.say(ann, "queue.offered", offered, price=25, offered_until=rfc3339(until_us))
        await stand.say(ann, "queue.ended", sold, reason="sold")
        await stand.say(
            bob,
            "standing_order.filled",
            sold,
            standing_order_id="s-1",
            order_id=answer.order_id,
            price=10,
        )
    await stand.say(ann, "queue.offered", offered, price=25, offered_until=rfc3339(until_us + 1))
    await stand.say(bob, "queue.ended", offered, reason="sold")
    last, _ = await stand.hold(bob, 5 * MINUTE, is_offer=True)
    await until(lambda: len(stand.heard(bob, "notification")) >= 1)
    await until(lambda: len(stand.heard(ann, "notification")) >= 2)
    await until(lambda: shard.stats()["waiting"] == 0)
    assert {row["kind"] for row in await stand.told(ann)} == {"queue.offered", "queue.ended"}
    assert await stand.keys(bob) == [f"standing_order.filled:{sold}:{answer.order_id}"]
    # An offer is no hold.
    assert (await shard.cart(bob)).holds == ()
    assert last
    texts = " ".join(str(dict(row)) for row in await stand.told(ann) + await stand.told(bob))
    assert "Quillwhistle" not in texts


async def test_a_full_shard_reads_the_journal(
    stand: CartStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.cart_clock.WAITING_MAX", 0)
    shard = await stand.shard(reconcile_seconds=3600)
    ann, lead_id = await expired_hold(stand)
    await stand.say(ann, "hold.expired", lead_id, reason="expired")
    await until(lambda: len(stand.heard(ann, "notification")) == 1)
    assert shard.stats()["waiting"] == 0


async def test_what_can_not_be_told_keeps_back_nobody(stand: CartStand) -> None:
    shard = await stand.shard(reconcile_seconds=3600)
    ann, lead_id = await expired_hold(stand)
    await stand.say(ann, "hold.started", lead_id)
    await stand.say(ann, "queue.offered", lead_id)
    await stand.say(ann, "hold.expired", lead_id, reason="expired")
    await until(lambda: len(stand.heard(ann, "notification")) == 1)
    assert shard.stats()["serving"]


async def test_settings_choose_the_channels(stand: CartStand) -> None:
    ann = await stand.house.buyer()
    off = {"hold.expiring": {"in_app": False, "email": False}}
    await stand.house.pool.execute(
        "INSERT INTO notification_settings (user_id, channels) VALUES ($1, $2::text::jsonb)",
        ann,
        msgspec.json.encode(off).decode(),
    )
    await stand.hold(ann, 10 * MINUTE + SECOND // 2)
    await stand.shard()
    # The feed tells it in any case.
    await until(lambda: len(stand.heard(ann, "hold.expiring")) == 1)
    assert stand.heard(ann, "notification") == []
    (row,) = await stand.told(ann)
    assert not row["in_app"]


async def test_a_shard_ends_in_order(stand: CartStand) -> None:
    shard = await stand.shard()
    assert shard.stats()["serving"]
    await shard.stop()
    assert not shard.stats()["serving"]
