"""Who reads what is counted, here and over all replicas; many who come at once are bounded."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import generate_latest
from redis.asyncio import Redis
from websockets.exceptions import InvalidStatus

from serve_apps.api.feed.limits import FeedLimits
from tests.serve_apps.feed.world import ask, next_message, serving, subscribe, until


def _metrics(served) -> dict[str, float]:
    lines = generate_latest(served.registry).decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


async def test_sockets_and_accounts_are_counted_by_channel(pool, redis_url, market):
    trader = await market(1)
    channel = f"market:{trader.market}"
    async with serving(pool, redis_url, [trader.market]) as served:
        sockets = [await served.connect(user) for user in ("user1", "user1", "user2")]
        for socket in sockets:
            await subscribe(socket, channel, since=1)
        await subscribe(sockets[0], "user")
        await subscribe(sockets[0], f"prices:{trader.market}", filter={"price_max": 5})
        counted = _metrics(served)
        assert counted["aiqleads_feed_sockets"] == 3
        assert counted["aiqleads_feed_users"] == 2
        assert counted[f'aiqleads_feed_subscriptions{{channel="{channel}"}}'] == 3
        assert counted[f'aiqleads_feed_channel_users{{channel="{channel}"}}'] == 2
        assert counted['aiqleads_feed_subscriptions{channel="user"}'] == 1
        # A subscription that is refused is none.
        await ask(sockets[1], op="subscribe", channel=channel)
        assert (await next_message(sockets[1]))["type"] == "error"
        await ask(sockets[1], op="unsubscribe", channel=channel)
        assert (await next_message(sockets[1]))["type"] == "unsubscribed"
        assert served.feed.hub.readers.here().channels[channel] == 2
        for socket in sockets:
            await socket.close()
        await until(lambda: served.feed.hub.sockets == 0)
        assert served.feed.hub.readers.here().channels == {}
        assert served.feed.hub.readers.here().users == 0


async def test_replicas_know_of_each_other_s_readers(pool, redis, redis_url, market):
    trader = await market(1)
    channel = f"market:{trader.market}"
    async with serving(pool, redis_url, [trader.market]) as one:
        async with (
            serving(pool, redis_url, [trader.market]) as two,
            one.connect() as first,
            two.connect("user2") as second,
        ):
            await subscribe(first, channel, since=1)
            await subscribe(second, channel, since=1)
            replicas = [served.feed.hub.readers for served in (one, two)]
            telling = [asyncio.create_task(readers.tell()) for readers in replicas]
            await asyncio.sleep(0.2)
            for readers in replicas:
                found = await readers.everywhere()
                assert [replica.sockets for replica in found] == [1, 1]
                assert [replica.channels for replica in found] == [{channel: 1}] * 2
            for task in telling:
                task.cancel()
        # The one that stopped is forgotten at once, one that was killed after a while.
        assert len(await one.feed.hub.readers.everywhere()) == 1
        await redis.sadd("feed:presence", "killed")
        assert len(await one.feed.hub.readers.everywhere()) == 1
        assert b"killed" not in await redis.smembers("feed:presence")


async def test_without_redis_a_replica_knows_its_own(pool, market):
    trader = await market(1)
    async with serving(pool, "", [trader.market]) as served, served.connect() as socket:
        await subscribe(socket, "user")
        (found,) = await served.feed.hub.readers.everywhere()
        assert found.channels == {"user": 1}
        served.feed.hub.readers._redis = Redis.from_url("redis://127.0.0.1:1")
        (found,) = await served.feed.hub.readers.everywhere()
        assert found.sockets == 1


async def test_only_so_many_are_looked_at_at_once(pool, redis_url, market, monkeypatch):
    trader = await market(1)
    limits = FeedLimits(handshakes_max=4)
    async with serving(pool, redis_url, [trader.market], limits=limits) as served:
        authenticate, opened = served.doorman.authenticate, asyncio.Event()

        async def slowly(authorization: bytes):
            await opened.wait()
            return await authenticate(authorization)

        monkeypatch.setattr(served.doorman, "authenticate", slowly)
        waiting = [asyncio.ensure_future(served.connect()) for _ in range(4)]
        await until(lambda: served.feed.endpoint._handshakes == 4)
        with pytest.raises(InvalidStatus) as refused:
            await served.connect()
        assert refused.value.response.status_code == 503
        assert 1 <= int(refused.value.response.headers["retry-after"]) <= 5
        opened.set()
        sockets = await asyncio.gather(*waiting)
        for socket in (*sockets, await served.connect()):
            await ask(socket, op="ping")
            assert await next_message(socket) == {"type": "pong"}
            await socket.close()


async def test_a_stop_tells_clients_to_come_back_apart(pool, redis_url, market):
    trader = await market(1)
    async with serving(pool, redis_url, [trader.market]) as served, served.connect() as socket:
        await served.feed.stop()
        await asyncio.wait_for(socket.wait_closed(), 5)
        assert socket.close_code == 1012
        assert "random" in socket.close_reason
