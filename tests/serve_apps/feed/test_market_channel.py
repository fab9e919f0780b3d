"""Snapshot, events, resume: what a reader of `market:*` is promised."""

from __future__ import annotations

import asyncio
import json
import random

import pytest

from serve_apps.api.feed.limits import FeedLimits
from tests.serve_apps.feed.world import (
    Replica,
    Trader,
    ask,
    next_message,
    serving,
    subscribe,
)


async def test_snapshot_comes_in_parts_then_events(pool, redis_url, market):
    trader = await market(2500)
    sold = trader.change(f"{trader.market}-000000", "lead.sold", "sold", 10, 3, 0)
    await trader.trade([sold])
    async with serving(pool, redis_url, [trader.market]) as served, served.connect() as socket:
        told = await subscribe(socket, f"market:{trader.market}")
        assert told["seq"] == 2501
        sizes = []
        replica = Replica()
        while not replica.snapshots:
            message = await next_message(socket)
            sizes.append((message["part"], message["last"], len(message["leads"])))
            replica.take(message)
        assert sizes == [(0, False, 1000), (1, False, 1000), (2, True, 499)]
        assert replica.seq == 2501
        assert f"{trader.market}-000000" not in replica.leads
        await trader.trade([trader.listed("fresh")])
        await replica.follow(socket, 2502)
        assert replica.leads["fresh"]["price"] == 10
        assert replica.events[0]["type"] == "lead.listed"


async def test_empty_market_has_one_empty_part(pool, redis_url, market):
    trader = await market()
    async with serving(pool, redis_url, [trader.market]) as served, served.connect() as socket:
        await subscribe(socket, f"market:{trader.market}")
        message = await next_message(socket)
        assert (message["part"], message["last"], message["leads"]) == (0, True, [])
        assert message["seq"] == 0


@pytest.mark.parametrize("plain", [False, True])
async def test_resume_repeats_what_was_missed_and_nothing_else(pool, redis_url, market, plain):
    trader = await market(3)
    channel = f"market:{trader.market}"
    async with serving(pool, redis_url, [trader.market], plain=plain) as served:
        async with served.connect() as socket:
            await subscribe(socket, channel)
            replica = Replica()
            await replica.follow(socket, 3)
        for number in range(20):
            await trader.trade([trader.listed(f"late-{number}")])
        async with served.connect() as socket:
            await subscribe(socket, channel, since=3)
            await replica.follow(socket, 23)
            assert replica.snapshots == 1
            assert [event["seq"] for event in replica.events] == list(range(4, 24))
        async with served.connect() as socket:
            await subscribe(socket, channel, since=23)
            await trader.trade([trader.listed("last")])
            await replica.follow(socket, 24)
            assert replica.snapshots == 1


async def test_resume_reaches_into_the_journal(pool, redis_url, market):
    trader = await market(50)
    for number in range(30):
        await trader.trade([trader.listed(f"x-{number}-{i}") for i in range(40)])
    limits = FeedLimits(ring_events_max=100)
    feed = serving(pool, redis_url, [trader.market], limits=limits)
    async with feed as served, served.connect() as socket:
        await subscribe(socket, f"market:{trader.market}", since=0)
        replica = Replica()
        replica.seq = 0
        await replica.follow(socket, trader.seq)
        assert replica.snapshots == 0
        assert len(replica.events) == trader.seq


async def test_since_too_old_or_in_the_future_is_answered_by_a_snapshot(pool, redis_url, market):
    trader = await market(30)
    limits = FeedLimits(ring_events_max=5, replay_events_max=10)
    async with serving(pool, redis_url, [trader.market], limits=limits) as served:
        for since in (2, 31, 10**25):
            async with served.connect() as socket:
                await subscribe(socket, f"market:{trader.market}", since=since)
                replica = Replica()
                await replica.follow(socket, 30)
                assert replica.snapshots == 1
                assert not replica.events


async def test_a_seq_another_replica_sent_already_is_waited_for(pool, redis, redis_url, market):
    trader = await market(5)
    async with serving(pool, redis_url, [trader.market]) as served, served.connect() as socket:
        await trader.trade([trader.listed("ahead")], publish=False)
        await subscribe(socket, f"market:{trader.market}", since=6)
        await trader.trade([trader.listed("next")])
        replica = Replica()
        replica.seq = 6
        await replica.follow(socket, 7)
        assert replica.snapshots == 0


async def test_unsubscribe_ends_the_events_and_the_socket_may_subscribe_again(
    pool, redis_url, market
):
    trader = await market(1)
    channel = f"market:{trader.market}"
    async with serving(pool, redis_url, [trader.market]) as served, served.connect() as socket:
        await subscribe(socket, channel, since=1)
        await ask(socket, op="unsubscribe", channel=channel)
        assert (await next_message(socket))["type"] == "unsubscribed"
        await trader.trade([trader.listed("unseen")])
        await ask(socket, op="ping")
        assert await next_message(socket) == {"type": "pong"}
        await subscribe(socket, channel, since=2)
        await trader.trade([trader.listed("seen")])
        replica = Replica()
        replica.seq = 2
        await replica.follow(socket, 3)


async def test_large_listings_are_split_into_frames_that_join(pool, redis_url, market):
    trader = await market(1)
    async with serving(pool, redis_url, [trader.market]) as served, served.connect() as socket:
        await subscribe(socket, f"market:{trader.market}", since=1)
        await trader.trade(
            [
                trader.change(f"big-{i}", "lead.listed", "available", 5, 1, 1, remarks="x" * 4000)
                for i in range(200)
            ]
        )
        replica = Replica()
        replica.seq = 1
        frames = 0
        while replica.seq < 201:
            message = await next_message(socket)
            assert len(json.dumps(message)) < 400_000
            replica.take(message)
            frames += 1
        assert frames > 2


async def _trade_at_random(trader: Trader, rng: random.Random, batches: int) -> None:
    for _ in range(batches):
        changes = [trader.random_change(rng) for _ in range(rng.randrange(1, 6))]
        await trader.trade(changes, publish=rng.random() < 0.9)
        await asyncio.sleep(rng.random() * 0.004)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_snapshot_and_events_equal_a_later_snapshot(pool, redis_url, market, seed):
    """Readers that come at any moment of a busy market, with and without `since`, agree."""
    rng = random.Random(seed)
    trader = await market(5)
    limits = FeedLimits(ring_events_max=20, snapshot_shared_seconds=0.05)
    channel = f"market:{trader.market}"
    async with serving(pool, redis_url, [trader.market], limits=limits) as served:
        trading = asyncio.create_task(_trade_at_random(trader, rng, 120))
        replicas: list[Replica] = []

        async def read(delay: float) -> None:
            replica = Replica()
            replicas.append(replica)
            await asyncio.sleep(delay)
            async with served.connect() as socket:
                await subscribe(socket, channel)
                await replica.follow(socket, rng.randrange(1, 60))
            await asyncio.sleep(0.03)
            async with served.connect() as socket:
                await subscribe(socket, channel, since=replica.seq)
                await trading
                await replica.follow(socket, trader.seq)

        await asyncio.gather(*(read(rng.random() * 0.5) for _ in range(12)), trading)
        async with served.connect() as socket:
            await subscribe(socket, channel)
            last = Replica()
            await last.follow(socket, trader.seq)
        assert last.seq == trader.seq
        expected = {
            lead_id: lead
            for lead_id, lead in trader.leads.items()
            if lead["lead_state"] in ("available", "held")
        }
        assert last.states.keys() == expected.keys()
        for replica in replicas:
            assert replica.seq == trader.seq
            assert replica.states == last.states
