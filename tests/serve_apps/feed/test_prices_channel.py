"""`prices:*`: ticks, conflated for readers that are slow."""

from __future__ import annotations

import asyncio

from serve_apps.api.feed.limits import FeedLimits
from tests.serve_apps.feed.world import Replica, next_message, serving, subscribe, until


async def test_ticks_reach_readers_and_the_model(pool, redis_url, market):
    trader = await market(3)
    lead = f"{trader.market}-000001"
    async with serving(pool, redis_url, [trader.market]) as served, served.connect() as socket:
        await subscribe(socket, f"prices:{trader.market}")
        await trader.reprice({lead: 77})
        message = await next_message(socket)
        assert message["type"] == "prices"
        assert message["seq"] == 3
        assert message["ticks"] == [{"lead_id": lead, "price": 77, "reason": "demand"}]
        assert served.feed.hub.model(trader.market).get(lead).price == 77
        await subscribe(socket, f"market:{trader.market}")
        replica = Replica()
        await replica.follow(socket, 3)
        assert replica.leads[lead]["price"] == 77


async def test_ticks_that_redis_lost_come_from_the_journal(pool, redis_url, market):
    trader = await market(1)
    lead = f"{trader.market}-000000"
    async with serving(pool, redis_url, [trader.market]) as served, served.connect() as socket:
        await subscribe(socket, f"prices:{trader.market}")
        await trader.reprice({lead: 5}, publish=False)
        assert (await next_message(socket, 4))["ticks"][0]["price"] == 5
        await trader.reprice({lead: 6})
        assert (await next_message(socket, 4))["ticks"][0]["price"] == 6


async def test_ticks_before_the_model_was_loaded_are_not_repeated(pool, redis_url, market):
    trader = await market(1)
    lead = f"{trader.market}-000000"
    await trader.reprice({lead: 5})
    async with serving(pool, redis_url, [trader.market]) as served, served.connect() as socket:
        assert served.feed.hub.model(trader.market).get(lead).price == 5
        await subscribe(socket, f"prices:{trader.market}")
        await trader.reprice({lead: 6})
        assert (await next_message(socket))["ticks"][0]["price"] == 6


async def test_a_slow_reader_gets_the_latest_price_of_each_lead(pool, redis_url, market):
    """What a full connection misses is conflated; reading again brings every lead's newest."""
    trader = await market(1200)
    leads = list(trader.leads)
    rounds = 60
    limits = FeedLimits(buffer_bytes=1024 * 1024)
    feed = serving(pool, redis_url, [trader.market], limits=limits)
    async with feed as served, served.connect(max_queue=1) as socket:
        await subscribe(socket, f"prices:{trader.market}")
        for number in range(rounds):
            await trader.reprice(dict.fromkeys(leads, 100 + number))
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)
        newest: dict[str, int] = {}
        received = 0
        while any(newest.get(lead) != 99 + rounds for lead in leads):
            message = await next_message(socket)
            assert len(message["ticks"]) <= 1000
            received += len(message["ticks"])
            for tick in message["ticks"]:
                assert tick["price"] >= newest.get(tick["lead_id"], 0), "prices never go back"
                newest[tick["lead_id"]] = tick["price"]
        assert received < rounds * len(leads), "nothing was conflated"
        # It keeps up again and gets the next tick whole.
        await trader.reprice({leads[0]: 7})
        message = await next_message(socket)
        assert message["ticks"] == [{"lead_id": leads[0], "price": 7, "reason": "demand"}]


async def test_ticks_within_the_interval_travel_as_one(pool, redis_url, market):
    trader = await market(3)
    one, two, sold = trader.leads
    limits = FeedLimits(prices_interval_seconds=2.0)
    feed = serving(pool, redis_url, [trader.market], limits=limits)
    async with feed as served, served.connect() as socket:
        await subscribe(socket, f"prices:{trader.market}")
        # After a quiet time one goes at once.
        await trader.reprice({one: 100})
        assert (await next_message(socket))["ticks"][0]["price"] == 100
        for price in range(101, 109):
            await trader.reprice({one: price, sold: price} if price % 2 else {two: price})
        await trader.trade([trader.change(sold, "lead.sold", "sold", 10, 3, 0)])
        await until(lambda: served.feed.hub.model(trader.market).seq == trader.seq)
        message = await next_message(socket)
        # Newer than every event so far, and without what is no longer on offer.
        assert message["seq"] == trader.seq
        assert {tick["lead_id"]: tick["price"] for tick in message["ticks"]} == {one: 107, two: 108}


async def test_without_an_interval_every_tick_is_a_frame(pool, redis_url, market):
    trader = await market(1)
    (lead,) = trader.leads
    limits = FeedLimits(prices_interval_seconds=0.0)
    feed = serving(pool, redis_url, [trader.market], limits=limits)
    async with feed as served, served.connect() as socket:
        await subscribe(socket, f"prices:{trader.market}")
        for price in range(20, 30):
            await trader.reprice({lead: price})
        for price in range(20, 30):
            assert [tick["price"] for tick in (await next_message(socket))["ticks"]] == [price]
