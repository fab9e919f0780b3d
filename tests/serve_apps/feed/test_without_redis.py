"""The feed goes on whatever happens to Redis."""

from __future__ import annotations

import asyncio
import secrets

import pytest
from redis.asyncio import Redis

from engine.adapters.local.redis_server import RedisServer, stop_redis
from engine.adapters.redis import feed_stream
from tests.serve_apps.feed.world import Replica, Trader, serving, subscribe


async def test_a_gap_in_the_stream_is_filled_from_the_journal(pool, redis_url, market):
    trader = await market(1)
    async with serving(pool, redis_url, [trader.market]) as served, served.connect() as socket:
        await subscribe(socket, f"market:{trader.market}", since=1)
        replica = Replica()
        replica.seq = 1
        for number in range(10):
            await trader.trade([trader.listed(f"l-{number}")], publish=number % 3 == 0)
        await replica.follow(socket, 11)
        # The newest was published, so this did not wait for the journal to be compared.
        assert replica.seq == 11


async def test_what_the_stream_never_brings_comes_from_the_journal(pool, redis_url, market):
    trader = await market(1)
    async with serving(pool, redis_url, [trader.market]) as served, served.connect() as socket:
        await subscribe(socket, f"market:{trader.market}", since=1)
        await trader.trade([trader.listed("unpublished")], publish=False)
        replica = Replica()
        replica.seq = 1
        async with asyncio.timeout(4):
            await replica.follow(socket, 2)


async def test_batches_published_again_with_other_edges_are_not_repeated(
    pool, redis, redis_url, market
):
    trader = await market(1)
    async with serving(pool, redis_url, [trader.market]) as served, served.connect() as socket:
        await subscribe(socket, f"market:{trader.market}", since=1)
        await trader.trade([trader.listed(f"a-{i}") for i in range(4)])
        replica = Replica()
        replica.seq = 1
        await replica.follow(socket, 5)
        # As after a restart of the book: the stream is written anew, in other batches.
        await trader.trade([trader.listed("b")], publish=False)
        rows = await pool.fetch(
            "SELECT public FROM market_events WHERE market = $1 AND feed_seq > 3 ORDER BY feed_seq",
            trader.market,
        )
        text = feed_stream.json_array(row[0] for row in rows)
        assert await feed_stream.publish(redis, trader.market, 4, 6, text)
        assert not await feed_stream.publish(redis, trader.market, 4, 6, text)
        await replica.follow(socket, 6)


async def test_a_stream_of_another_history_or_of_rubbish_is_not_believed(
    pool, redis, redis_url, market
):
    trader = await market(1)
    async with serving(pool, redis_url, [trader.market]) as served, served.connect() as socket:
        await subscribe(socket, f"market:{trader.market}", since=1)
        await feed_stream.publish(redis, trader.market, 500, 500, '[{"seq":500}]')
        await redis.xadd(feed_stream.feed_key(trader.market), {"from": "x"}, id="600-0")
        await redis.xadd(feed_stream.feed_key(trader.market), {"events": "[[["}, id="700-0")
        await redis.xadd(feed_stream.prices_key(trader.market), {"ticks": "{}"}, id="700-0")
        for number in range(3):
            await trader.trade([trader.listed(f"true-{number}")])
            await asyncio.sleep(0.3)
        replica = Replica()
        replica.seq = 1
        async with asyncio.timeout(5):
            await replica.follow(socket, 4)
        assert [event["lead"]["lead_id"] for event in replica.events] == [
            "true-0",
            "true-1",
            "true-2",
        ]
        assert served.feed.hub.alive


async def test_without_any_redis_the_journal_is_the_feed(pool, market):
    trader = await market(1)
    async with serving(pool, "", [trader.market]) as served, served.connect() as socket:
        await subscribe(socket, f"market:{trader.market}", since=1)
        replica = Replica()
        replica.seq = 1
        for number in range(3):
            await trader.trade([trader.listed(f"l-{number}")])
        async with asyncio.timeout(2):
            await replica.follow(socket, 4)


@pytest.mark.parametrize("published", [False, True])
async def test_redis_dies_and_comes_back(pool, tmp_path, market, published):
    """Events flow before, during and after, whether the books publish anew or not."""
    server = RedisServer(tmp_path / "redis", tmp_path / "log", secrets.token_urlsafe(8))
    record = await asyncio.to_thread(server.start)
    opened = await market(1)
    redis = Redis.from_url(record.url)
    trader = Trader(pool, redis, opened.market)
    trader.seq, trader.position, trader.leads = opened.seq, opened.position, opened.leads
    try:
        async with (
            serving(pool, record.url, [trader.market]) as served,
            served.connect() as socket,
        ):
            await subscribe(socket, f"market:{trader.market}", since=1)
            replica = Replica()
            replica.seq = 1
            await trader.trade([trader.listed("before")])
            await replica.follow(socket, 2)
            await asyncio.to_thread(stop_redis, record)
            for number in range(3):
                await trader.trade([trader.listed(f"during-{number}")], publish=False)
                async with asyncio.timeout(3):
                    await replica.follow(socket, 3 + number)
            record = await asyncio.to_thread(server.start, record.port)
            await redis.connection_pool.disconnect()
            await trader.trade([trader.listed("after")], publish=published)
            async with asyncio.timeout(4):
                await replica.follow(socket, 6)
            # A stream where nothing happens is known to be there after its first empty read.
            await asyncio.sleep(1.8)
            assert served.feed.hub.streaming
    finally:
        await redis.aclose()
        await asyncio.to_thread(stop_redis, record)
