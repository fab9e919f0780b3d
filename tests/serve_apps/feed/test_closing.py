"""When and how the feed closes a socket."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pytest
from websockets.frames import Frame, Opcode

from engine.adapters.redis.feed_presence import Presence
from serve_apps.api.feed.limits import FeedLimits
from tests.serve_apps.feed.world import (
    Replica,
    ask,
    closed_with,
    next_message,
    serving,
    slow_reader,
    subscribe,
    until,
)


@pytest.mark.parametrize("plain", [False, True])
async def test_a_live_reader_that_does_not_read_is_closed_with_4008(pool, redis_url, market, plain):
    trader = await market(1)
    limits = FeedLimits(buffer_bytes=256 * 1024)
    feed = serving(pool, redis_url, [trader.market], limits=limits, plain=plain)
    async with feed as served, slow_reader(served) as slow, served.connect() as quick:
        await subscribe(slow, f"market:{trader.market}", since=1)
        await subscribe(quick, f"market:{trader.market}", since=1)
        slow.transport.pause_reading()
        replica = Replica()
        replica.seq = 1
        big = "x" * 20_000
        for number in range(800):
            lead = trader.change(f"b-{number}", "lead.listed", "available", 1, 1, 1, remarks=big)
            await trader.trade([lead])
            await replica.follow(quick, trader.seq)
            if served.feed.hub.metrics.closed.labels("4008")._value.get():
                break
        else:
            pytest.fail("the slow reader was never closed")
        slow.transport.resume_reading()
        assert await closed_with(slow) == 4008
        # What it did get is in order, and it may resume from there.
        async with served.connect() as again:
            await subscribe(again, f"market:{trader.market}", since=2)
            replica = Replica()
            replica.seq = 2
            await replica.follow(again, trader.seq)


async def test_a_slow_snapshot_waits_and_is_whole(pool, redis_url, market):
    trader = await market(15_000)
    limits = FeedLimits(buffer_bytes=256 * 1024)
    feed = serving(pool, redis_url, [trader.market], limits=limits)
    async with feed as served, slow_reader(served) as slow:
        await subscribe(slow, f"market:{trader.market}")
        slow.transport.pause_reading()
        await trader.trade([trader.listed("meanwhile")])
        await asyncio.sleep(0.5)
        (socket,) = served.feed.hub.paused
        assert socket.writer.buffered() < 256 * 1024
        slow.transport.resume_reading()
        replica = Replica()
        await replica.follow(slow, 15_001)
        assert len(replica.leads) == 15_001


async def test_a_snapshot_nobody_reads_is_given_up(pool, redis_url, market):
    trader = await market(15_000)
    limits = FeedLimits(stalled_seconds=0.3)
    feed = serving(pool, redis_url, [trader.market], limits=limits)
    async with feed as served, slow_reader(served) as slow:
        await subscribe(slow, f"market:{trader.market}")
        slow.transport.pause_reading()
        await asyncio.sleep(1.0)
        slow.transport.resume_reading()
        assert await closed_with(slow) == 4008


@pytest.mark.parametrize("plain", [False, True])
async def test_an_expired_token_closes_with_4001(pool, redis_url, market, plain):
    trader = await market(1)
    async with serving(pool, redis_url, [trader.market], plain=plain) as served:
        served.doorman.expires_at = time.time() + 0.8
        async with served.connect() as socket:
            await subscribe(socket, f"market:{trader.market}")
            began = time.monotonic()
            assert await closed_with(socket) == 4001
            assert time.monotonic() - began < 2


async def test_a_revoked_token_closes_with_4001_and_others_stay(pool, redis_url, market):
    trader = await market(1)
    async with (
        serving(pool, redis_url, [trader.market]) as served,
        served.connect("user1") as one,
        served.connect("user2") as two,
    ):
        await subscribe(one, f"market:{trader.market}")
        served.doorman.revoked.add("user1")
        assert await closed_with(one, 2) == 4001
        await ask(two, op="ping")
        assert await next_message(two) == {"type": "pong"}


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("fragmented", [False, True])
async def test_a_message_over_64_kib_closes_with_1009(pool, redis_url, market, fragmented, plain):
    trader = await market(1)
    async with serving(pool, redis_url, [trader.market], plain=plain) as served:
        async with served.connect() as socket:
            await socket.send("x" * (64 * 1024))
            assert (await next_message(socket))["problem"]["type"] == "validation"
        async with served.connect() as socket:
            with contextlib.suppress(Exception):
                if fragmented:
                    await socket.send(["y" * 3000] * 30)
                else:
                    await socket.send("x" * (64 * 1024 + 1))
            assert await closed_with(socket) == 1009


async def test_a_message_in_endless_fragments_closes_with_1009(pool, redis_url, market):
    trader = await market(1)
    async with serving(pool, redis_url, [trader.market]) as served, served.connect() as socket:
        with contextlib.suppress(Exception):
            await socket.send([""] * 5000)
        assert await closed_with(socket) == 1009


async def test_invalid_utf8_closes_with_1007(pool, redis_url, market):
    trader = await market(1)
    async with serving(pool, redis_url, [trader.market]) as served, served.connect() as socket:
        wire = Frame(Opcode.TEXT, b'{"op":"\xff\xfe"}').serialize(mask=True)
        socket.transport.write(wire)
        assert await closed_with(socket) == 1007


async def test_too_many_messages_close_with_1008(pool, redis_url, market):
    trader = await market(1)
    async with serving(pool, redis_url, [trader.market]) as served, served.connect() as socket:
        kinds = set()
        with contextlib.suppress(Exception):
            for _ in range(200):
                await ask(socket, op="ping")
        with contextlib.suppress(Exception):
            while True:
                kinds.add((await next_message(socket))["type"])
        assert kinds == {"pong", "error"}
        assert socket.close_code == 1008


async def test_too_many_pings_close_with_1008(pool, redis_url, market):
    trader = await market(1)
    async with serving(pool, redis_url, [trader.market]) as served, served.connect() as socket:
        wire = Frame(Opcode.PING, b"?").serialize(mask=True)
        socket.transport.write(wire * 50)
        await ask(socket, op="ping")
        assert await next_message(socket) == {"type": "pong"}
        socket.transport.write(wire * 200)
        assert await closed_with(socket) == 1008


@pytest.mark.parametrize("plain", [False, True])
async def test_a_stopping_feed_closes_with_1012(pool, redis_url, market, plain):
    trader = await market(1)
    async with (
        serving(pool, redis_url, [trader.market], plain=plain) as served,
        served.connect() as one,
        served.connect() as two,
    ):
        await subscribe(one, f"market:{trader.market}")
        await served.feed.stop()
        assert await closed_with(one) == 1012
        assert await closed_with(two) == 1012


async def test_a_stopping_server_closes_with_1012_in_bounded_time(pool, redis_url, market):
    trader = await market(15_000)
    async with (
        serving(pool, redis_url, [trader.market]) as served,
        served.connect() as socket,
        slow_reader(served) as slow,
    ):
        await subscribe(socket, f"market:{trader.market}", since=trader.seq)
        await subscribe(slow, f"market:{trader.market}")
        slow.transport.pause_reading()
        await asyncio.sleep(0.2)
        served.server.should_exit = True
        assert await closed_with(socket) == 1012
        await until(lambda: not served.server.server_state.connections, 15)
        slow.transport.abort()


async def test_sockets_leave_nothing_behind(pool, redis_url, market):
    trader = await market(3000)
    async with serving(pool, redis_url, [trader.market]) as served:
        hub = served.feed.hub
        for number in range(30):
            socket = await served.connect()
            await ask(socket, op="subscribe", channel=f"market:{trader.market}")
            await ask(socket, op="subscribe", channel=f"prices:{trader.market}")
            if number % 3 == 0:
                socket.transport.abort()
            else:
                await socket.close()
        await until(lambda: hub.sockets == 0)
        assert not hub.paused
        assert hub.readers.here() == Presence(0, 0, {})
        assert len(hub.feed_of(f"market:{trader.market}").live) == 0
        assert len(hub.feed_of(f"prices:{trader.market}").live) == 0
        assert hub.metrics.sockets._value.get() == 0
