"""`user`: a buyer is told what is theirs, and never what is another's."""

from __future__ import annotations

import asyncio
import random
import secrets

import pytest
from redis.asyncio import Redis

from engine.adapters.local.redis_server import RedisServer, stop_redis
from engine.adapters.redis import user_stream
from engine.market.buyer_events import TOLD, BuyerEvent
from serve_apps.api.feed.limits import FeedLimits
from tests.serve_apps.feed.world import (
    ask,
    closed_with,
    next_message,
    serving,
    subscribe,
    until,
)

BOUGHT = {"order_id": "o-1", "market": "m", "lead_id": "l-1", "price": 7, "bought_at": "now"}


async def _next_told(socket, seconds: float = 10) -> dict:
    while (message := await next_message(socket, seconds))["type"] == "missed":
        pass
    return message


async def _nothing_told(socket) -> None:
    """All that was sent before a ping has come before its pong."""
    await ask(socket, op="ping")
    assert (await _next_told(socket))["type"] == "pong"


@pytest.mark.parametrize("plain", [False, True])
async def test_a_buyer_is_told_on_every_socket_of_theirs(pool, redis, redis_url, market, plain):
    trader = await market(1)
    async with (
        serving(pool, redis_url, [trader.market], plain=plain) as served,
        served.connect("user1") as one,
        served.connect("user1") as two,
        served.connect("user1") as silent,
    ):
        for socket in (one, two):
            told = await subscribe(socket, "user")
            assert told == {"type": "subscribed", "channel": "user", "seq": None}
        await user_stream.publish(redis, [BuyerEvent("user1", "order.created", BOUGHT)])
        for socket in (one, two):
            told = await _next_told(socket)
            assert told == {"type": "order.created", "channel": "user", **BOUGHT}
        await _nothing_told(silent)
        await ask(one, op="unsubscribe", channel="user")
        assert (await _next_told(one))["type"] == "unsubscribed"
        await user_stream.publish(redis, [BuyerEvent("user1", "wallet.changed", {"balance": 3})])
        assert (await _next_told(two))["balance"] == 3
        await _nothing_told(one)


@pytest.mark.parametrize("seed", [1, 2])
async def test_nobody_is_told_what_is_another_s(pool, redis, redis_url, market, seed):
    rng = random.Random(seed)
    trader = await market(1)
    users = [f"user{number}" for number in range(8)]
    kinds = [*sorted(TOLD), "hold.started", "hold.ended", "queue.offered"]
    sent: dict[str, list[tuple[str, str]]] = {user: [] for user in users}
    async with serving(pool, redis_url, [trader.market]) as served:
        sockets = [await served.connect(user) for user in users]
        for socket in sockets:
            await subscribe(socket, "user")
        for _ in range(30):
            events = []
            for _ in range(rng.randrange(1, 12)):
                user, kind, mark = rng.choice(users), rng.choice(kinds), secrets.token_hex(6)
                if kind in TOLD:
                    sent[user].append((kind, mark))
                body = {"mark": f"{user}:{mark}", "type": "ping", "channel": "market:x"}
                events.append(BuyerEvent(user, kind, body))
            await user_stream.publish(redis, events)
        for user, socket in zip(users, sockets, strict=True):
            for kind, mark in sent[user]:
                told = await _next_told(socket)
                assert told == {"type": kind, "channel": "user", "mark": f"{user}:{mark}"}
            await _nothing_told(socket)
            await socket.close()
        await until(lambda: served.feed.hub.sockets == 0)
        assert not served.feed.hub.user._sockets


async def test_a_buyer_whose_account_ends_is_told_no_more(pool, redis, redis_url, market):
    trader = await market(1)
    async with (
        serving(pool, redis_url, [trader.market]) as served,
        served.connect("user1") as socket,
    ):
        await subscribe(socket, "user")
        served.doorman.revoked.add("user1")
        assert await closed_with(socket, 2) == 4001
        await until(lambda: not len(served.feed.hub.user))
        await user_stream.publish(redis, [BuyerEvent("user1", "wallet.changed", {"balance": 3})])


async def test_what_was_told_before_subscribing_is_not_repeated(pool, redis, redis_url, market):
    trader = await market(1)
    await user_stream.publish(redis, [BuyerEvent("user1", "wallet.changed", {"balance": 1})])
    async with (
        serving(pool, redis_url, [trader.market]) as served,
        served.connect("user1") as socket,
    ):
        await user_stream.publish(redis, [BuyerEvent("user1", "wallet.changed", {"balance": 2})])
        # The replica reads in order: a later one that came shows that this one has.
        async with served.connect("user2") as other:
            await subscribe(other, "user")
            await user_stream.publish(
                redis, [BuyerEvent("user2", "wallet.changed", {"balance": 9})]
            )
            assert (await _next_told(other))["balance"] == 9
        await subscribe(socket, "user")
        await _nothing_told(socket)


async def test_unreadable_entries_are_passed_over(pool, redis, redis_url, market):
    trader = await market(1)
    async with (
        serving(pool, redis_url, [trader.market]) as served,
        served.connect("user1") as socket,
    ):
        await subscribe(socket, "user")
        for fields in ({"events": "[["}, {"other": "1"}, {"events": '[{"type":"nonsense"}]'}):
            await redis.xadd(user_stream.KEY, fields)
        await user_stream.publish(redis, [BuyerEvent("user1", "wallet.changed", {"balance": 4})])
        assert (await _next_told(socket))["balance"] == 4
        assert served.feed.hub.alive


async def test_one_who_reads_nothing_is_closed_and_the_others_are_told(
    pool, redis, redis_url, market
):
    trader = await market(1)
    limits = FeedLimits(buffer_bytes=256 * 1024)
    async with (
        serving(pool, redis_url, [trader.market], limits=limits) as served,
        served.connect("user1", max_queue=1) as slow,
        served.connect("user1") as quick,
    ):
        await subscribe(slow, "user")
        await subscribe(quick, "user")
        slow.transport.pause_reading()
        big = {"text": "x" * 50_000}
        for _ in range(400):
            await user_stream.publish(redis, [BuyerEvent("user1", "notification", big)])
            assert (await _next_told(quick))["type"] == "notification"
            if served.feed.hub.metrics.closed.labels("4008")._value.get():
                break
        else:
            pytest.fail("the slow reader was never closed")
        slow.transport.resume_reading()
        assert await closed_with(slow) == 4008


async def test_after_redis_was_away_subscribers_are_told_that_they_may_have_missed_something(
    pool, tmp_path, market
):
    server = RedisServer(tmp_path / "redis", tmp_path / "redis.log", secrets.token_urlsafe(12))
    record = server.start()
    redis = Redis.from_url(record.url)
    trader = await market(1)
    trader.redis = None
    try:
        async with (
            serving(pool, record.url, [trader.market]) as served,
            served.connect("user1") as socket,
        ):
            await subscribe(socket, "user")
            await user_stream.publish(
                redis, [BuyerEvent("user1", "wallet.changed", {"balance": 1})]
            )
            assert (await _next_told(socket))["balance"] == 1
            await asyncio.to_thread(stop_redis, record)
            await asyncio.sleep(0.3)
            record = await asyncio.to_thread(server.start, record.port)
            await redis.connection_pool.disconnect()
            assert await next_message(socket) == {"type": "missed", "channel": "user"}
            await user_stream.publish(
                redis, [BuyerEvent("user1", "wallet.changed", {"balance": 2})]
            )
            assert (await next_message(socket))["balance"] == 2
    finally:
        await redis.aclose()
        await asyncio.to_thread(stop_redis, record)
