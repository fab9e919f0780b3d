"""`filter` on a subscription: what a reader gets to see, and that it adds up."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from engine.adapters.postgres.feed_journal import Head
from serve_apps.api.feed.limits import FeedLimits
from tests.serve_apps.feed import homes
from tests.serve_apps.feed.world import (
    Replica,
    Trader,
    ask,
    next_message,
    serving,
    slow_reader,
    subscribe,
    until,
)

HOUSE = {"property_type": "House", "sources": ["mls"], "list_price": 300_000}
CONDO = {"property_type": "Condo", "sources": ["mls"], "list_price": 200_000}


def _home(trader: Trader, name: str, facts: dict[str, Any], price: int = 10) -> dict[str, Any]:
    lead_id = f"{trader.market}-{name}"
    return trader.change(lead_id, "lead.listed", "available", price, 2, 2, **facts)


async def _follow(socket, replica: Replica, seq: int) -> None:
    while replica.seq < seq or replica.snapshots == 0:
        replica.take(await next_message(socket))


async def test_a_reader_sees_what_it_asked_for_and_numbers_join(pool, redis_url, market):
    trader = await market()
    await trader.trade([_home(trader, "h1", HOUSE), _home(trader, "c1", CONDO)])
    channel = f"market:{trader.market}"
    async with serving(pool, redis_url, [trader.market]) as served, served.connect() as socket:
        await subscribe(socket, channel, filter={"property_type": ["House"]})
        replica = Replica(filtered=True)
        await _follow(socket, replica, 2)
        assert set(replica.leads) == {f"{trader.market}-h1"}
        await trader.trade([_home(trader, "c2", CONDO)])
        await trader.trade([_home(trader, "h2", HOUSE)])
        message = await next_message(socket)
        assert (message["from_seq"], message["to_seq"]) == (3, 4)
        assert [event["seq"] for event in message["events"]] == [4]
        assert message["events"][0]["lead"]["list_price"] == 300_000
        # It becomes a condo, and a house again.
        for facts, sign in ((CONDO, False), (HOUSE, None)):
            home = _home(trader, "h2", facts) | {"type": "lead.updated"}
            await trader.trade([home])
            (event,) = (await next_message(socket))["events"]
            assert event.get("matches") is sign
        held = trader.change(f"{trader.market}-h2", "lead.held", "held", 10, 2, 0)
        await trader.trade([held])
        assert (await next_message(socket))["events"][0]["type"] == "lead.held"


async def test_readers_of_the_same_filter_share_one(pool, redis_url, market):
    trader = await market()
    await trader.trade([_home(trader, "h1", HOUSE)])
    channel = f"market:{trader.market}"
    async with serving(pool, redis_url, [trader.market]) as served:
        sockets = [await served.connect() for _ in range(3)]
        asked = ({"source": ["a", "mls"]}, {"source": ["mls", "a", "a"], "seats": "any"})
        for socket, wanted in zip(sockets, (*asked, {"source": "mls"}), strict=True):
            await subscribe(socket, f"prices:{trader.market}", filter=wanted)
            await subscribe(socket, channel, filter=wanted)
            assert (await next_message(socket))["type"] == "snapshot"
        assert len(served.feed.hub.filters) == 2
        # One who comes in the middle of what was filtered out gets frames that join.
        await trader.trade([_home(trader, "x", {"sources": ["other"]})])
        async with served.connect() as late:
            await subscribe(late, channel, filter=asked[0])
            replica = Replica(filtered=True)
            await _follow(late, replica, 2)
            await trader.trade([_home(trader, "h2", HOUSE)])
            await _follow(late, replica, 3)
            first = Replica(filtered=True)
            first.seq, first.snapshots = 1, 1
            await _follow(sockets[0], first, 3)
            assert [event["seq"] for event in first.events] == [3]
        for socket in sockets:
            await socket.close()
        await until(lambda: served.feed.hub.sockets == 0)
        assert all(not group.readers for group in served.feed.hub._feeds[trader.market].filters)


async def test_how_far_the_market_is_comes_now_and_then(pool, redis_url, market):
    trader = await market(1)
    limits = FeedLimits(cover_seconds=0.1, sweep_seconds=0.05)
    feed = serving(pool, redis_url, [trader.market], limits=limits)
    async with feed as served, served.connect() as socket:
        await subscribe(socket, f"market:{trader.market}", filter={"lead_ids": ["nothing"]})
        assert (await next_message(socket))["leads"] == []
        for seq in (2, 3):
            await trader.trade([trader.listed(f"other-{seq}")])
            message = await next_message(socket, 3)
            assert (message["from_seq"], message["to_seq"], message["events"]) == (seq, seq, [])


async def test_a_price_that_crosses_the_bound_tells_who_comes_and_goes(pool, redis_url, market):
    trader = await market()
    await trader.trade([_home(trader, "h1", HOUSE, 10), _home(trader, "h2", HOUSE, 30)])
    one, two = f"{trader.market}-h1", f"{trader.market}-h2"
    async with serving(pool, redis_url, [trader.market]) as served, served.connect() as socket:
        await subscribe(socket, f"market:{trader.market}", filter={"price_max": 20})
        replica = Replica(filtered=True)
        await _follow(socket, replica, 2)
        assert set(replica.leads) == {one}
        await trader.reprice({one: 21, two: 20})
        message = await next_message(socket)
        assert (message["from_seq"], message["to_seq"]) == (3, 2)
        replica.take(message)
        assert set(replica.leads) == {two}
        assert {event["type"] for event in message["events"]} == {"lead.repriced"}
        # Within the bound nothing is told here: that is what prices are for.
        await trader.reprice({two: 19})
        await trader.trade([trader.change(two, "lead.held", "held", 19, 2, 0)])
        message = await next_message(socket)
        assert [event["type"] for event in message["events"]] == ["lead.held"]
        await socket.close()
    async with serving(pool, redis_url, [trader.market]) as served, served.connect() as socket:
        # Prices have no numbers: a `since` alone could not tell what moved.
        await subscribe(socket, f"market:{trader.market}", since=2, filter={"price_max": 20})
        assert [lead["lead_id"] for lead in (await next_message(socket))["leads"]] == [two]


async def test_prices_are_filtered(pool, redis_url, market):
    trader = await market()
    await trader.trade([_home(trader, "h1", HOUSE, 10), _home(trader, "c1", CONDO, 10)])
    house, condo = f"{trader.market}-h1", f"{trader.market}-c1"
    channel = f"prices:{trader.market}"
    async with (
        serving(pool, redis_url, [trader.market]) as served,
        served.connect() as houses,
        served.connect() as cheap,
    ):
        await subscribe(houses, channel, filter={"property_type": "House"})
        await subscribe(cheap, channel, filter={"price_max": 11})
        filters = served.feed.hub._feeds[trader.market].filters
        await until(lambda: [len(group.prices.live) for group in filters] == [1, 1])
        await trader.reprice({house: 12, condo: 11})
        assert [t["lead_id"] for t in (await next_message(houses))["ticks"]] == [house]
        # The one that leaves the bound is told a last time.
        assert len((await next_message(cheap))["ticks"]) == 2
        await trader.reprice({house: 13, condo: 9})
        assert (await next_message(cheap))["ticks"] == [
            {"lead_id": condo, "price": 9, "reason": "demand"}
        ]


@pytest.mark.parametrize(
    ("wanted", "named"),
    [
        ({"city": "Austin", "zip": 1}, ["city", "zip", "rule place-lists"]),
        ({"schoolRating": 8}, ["schoolRating", "rule schools"]),
        ({"q": "pool"}, ["q"]),
        ({"list_price_min": "x"}, ["list_price_min"]),
        ({"list_price_min": -1}, ["list_price_min"]),
        ({"price_min": 5, "price_max": 4}, ["price_min", "price_max"]),
        ({"near": [30, -97]}, ["near", "radius_m"]),
        ({"near": [95, -97], "radius_m": 5}, ["near"]),
        ({"bbox": [1, 2, 1, 3]}, ["bbox"]),
        ({"lead_state": "sold"}, ["lead_state"]),
        ({"lead_state": "x" * 5_000}, ["lead_state"]),
        ({"lead_ids": []}, ["lead_ids"]),
        ({"lead_ids": ["x"] * 201}, ["lead_ids"]),
        ({"seats": 1}, ["seats"]),
        ({"x" * 9_000: 1}, ["xxx"]),
        ([], ["filter"]),
    ],
)
async def test_what_can_t_be_asked_is_refused_by_name(pool, redis_url, market, wanted, named):
    trader = await market()
    async with serving(pool, redis_url, [trader.market]) as served, served.connect() as socket:
        for channel in (f"market:{trader.market}", f"prices:{trader.market}"):
            await ask(socket, op="subscribe", channel=channel, filter=wanted)
            answer = await next_message(socket)
            assert answer["problem"]["type"] == "validation"
            assert all(name in answer["problem"]["detail"] for name in named)
            assert len(str(answer)) < 1200
        assert not len(served.feed.hub.filters)


async def test_there_are_only_so_many_filters(pool, redis_url, market):
    trader = await market(1)
    channel = f"market:{trader.market}"
    limits = FeedLimits(filters_max=3, filters_per_user_max=2)
    async with serving(pool, redis_url, [trader.market], limits=limits) as served:

        async def refused(socket, number: int) -> str | None:
            await ask(socket, op="subscribe", channel=channel, filter={"price_max": number})
            answer = await next_message(socket)
            return answer["problem"]["type"] if answer["type"] == "error" else None

        sockets = [await served.connect(f"user{n // 2}") for n in range(6)]
        assert [await refused(s, n) for n, s in enumerate(sockets[:3])] == [None] * 3
        assert await refused(sockets[3], 3) == "unavailable"
        # One in use already is no further one; an account has only so many of its own.
        assert await refused(sockets[3], 0) is None
        again = await served.connect("user1")
        assert await refused(again, 1) == "validation"
        # Who goes makes room.
        await ask(sockets[2], op="unsubscribe", channel=channel)
        assert (await next_message(sockets[2]))["type"] == "unsubscribed"
        assert await refused(sockets[4], 4) is None
        assert len(served.feed.hub.filters) == 3
        for socket in (*sockets, again):
            await socket.close()


async def test_unused_filters_and_facts_are_let_go(pool, redis_url, market):
    trader = await market(5)
    limits = FeedLimits(filter_idle_seconds=0.1, sweep_seconds=0.05)
    feed = serving(pool, redis_url, [trader.market], limits=limits)
    async with feed as served, served.connect() as socket:
        filters = served.feed.hub._feeds[trader.market].filters
        for _ in range(2):
            await subscribe(socket, f"market:{trader.market}", filter={"price_max": 50})
            assert len((await next_message(socket))["leads"]) == 5
            await ask(socket, op="unsubscribe", channel=f"market:{trader.market}")
            assert (await next_message(socket))["type"] == "unsubscribed"
            await until(lambda: filters._facts is None)
            assert not filters.is_active


async def test_without_a_database_the_subscription_ends_and_the_socket_lives_on(
    pool, redis_url, market, monkeypatch
):
    trader = await market(1)

    async def away(market: str):
        raise OSError("away")
        yield

    async with serving(pool, redis_url, [trader.market]) as served, served.connect() as socket:
        journal = served.feed.hub.journal
        monkeypatch.setattr(journal, "listings", away)
        channel = f"market:{trader.market}"
        await subscribe(socket, channel, filter={"price_max": 5})
        answer = await next_message(socket)
        assert (answer["channel"], answer["problem"]["type"]) == (channel, "unavailable")
        assert not len(served.feed.hub.filters)
        monkeypatch.undo()
        await subscribe(socket, channel, filter={"price_max": 50})
        assert len((await next_message(socket))["leads"]) == 1


async def test_listings_that_come_while_the_facts_are_read_count(
    pool, redis_url, market, monkeypatch
):
    trader = await market()
    await trader.trade([_home(trader, "h1", HOUSE), _home(trader, "h2", HOUSE)])
    async with serving(pool, redis_url, [trader.market]) as served, served.connect() as socket:
        hub = served.feed.hub
        listings = hub.journal.listings

        async def slowly(name: str):
            async for reading in listings(name):
                yield reading
                if isinstance(reading, Head):
                    turned = _home(trader, "h1", CONDO) | {"type": "lead.updated"}
                    gone = trader.change(f"{trader.market}-h2", "lead.sold", "sold", 10, 2, 0)
                    await trader.trade([turned, gone, _home(trader, "h3", HOUSE)])
                    await until(lambda: hub.model(name).seq == 5)

        monkeypatch.setattr(hub.journal, "listings", slowly)
        await subscribe(socket, f"market:{trader.market}", filter={"property_type": "House"})
        replica = Replica(filtered=True)
        await _follow(socket, replica, 5)
        assert set(replica.leads) == {f"{trader.market}-h3"}


async def test_prices_that_cross_the_bound_during_a_slow_snapshot_count(pool, redis_url, market):
    trader = await market(15_000)
    limits = FeedLimits(buffer_bytes=256 * 1024)
    feed = serving(pool, redis_url, [trader.market], limits=limits)
    async with feed as served, slow_reader(served) as slow:
        await subscribe(slow, f"market:{trader.market}", filter={"price_min": 8, "price_max": 12})
        slow.transport.pause_reading()
        await until(lambda: served.feed.hub.paused)
        leads = sorted(trader.leads)
        away, back = leads[:600], leads[600:650]
        await trader.reprice(dict.fromkeys(away + back, 13))
        await trader.reprice(dict.fromkeys(back, 12))
        await trader.trade([trader.listed("meanwhile")])
        await until(lambda: served.feed.hub.model(trader.market).seq == trader.seq)
        slow.transport.resume_reading()
        replica = Replica(filtered=True)
        while len(replica.leads) != 14_401 or replica.seq < trader.seq:
            replica.take(await next_message(slow))
        assert replica.leads.keys() == homes.view(trader, {"price_max": 12}).keys()
        # And live from there.
        await trader.reprice({away[0]: 9})
        message = await next_message(slow)
        assert [event["lead"]["lead_id"] for event in message["events"]] == [away[0]]


async def _live_at_random(trader: Trader, rng: random.Random, batches: int) -> None:
    for _ in range(batches):
        changes = [homes.change(trader, rng) for _ in range(rng.randrange(1, 6))]
        once = {change["lead"]["lead_id"]: change for change in changes}
        await trader.trade(list(once.values()), publish=rng.random() < 0.9)
        if rng.random() < 0.6:
            some = rng.sample(sorted(trader.leads), min(5, len(trader.leads)))
            await trader.reprice({lead_id: rng.randrange(5, 45) for lead_id in some})
        await asyncio.sleep(rng.random() * 0.004)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_filtered_snapshot_and_events_equal_a_later_snapshot(pool, redis_url, market, seed):
    """Readers of every filter come at any moment of a busy market, and come again."""
    rng = random.Random(seed)
    trader = await market()
    asked = [wanted | _own_ids(trader, wanted) for wanted in homes.FILTERS]
    limits = FeedLimits(
        ring_events_max=20,
        snapshot_shared_seconds=0.05,
        cover_seconds=0.05,
        sweep_seconds=0.05,
        filters_per_user_max=50,
    )
    channel = f"market:{trader.market}"
    async with serving(pool, redis_url, [trader.market], limits=limits) as served:
        trading = asyncio.create_task(_live_at_random(trader, rng, 120))
        replicas: list[tuple[dict[str, Any], Replica]] = []

        async def read(wanted: dict[str, Any], delay: float) -> None:
            replica = Replica(filtered=True)
            await asyncio.sleep(delay)
            async with served.connect() as socket:
                await subscribe(socket, channel, filter=wanted)
                await _follow(socket, replica, rng.randrange(1, 60))
            await asyncio.sleep(rng.random() * 0.2)
            async with served.connect() as socket:
                await subscribe(socket, channel, since=replica.seq, filter=wanted)
                await trading
                await _follow(socket, replica, trader.seq)
                # A tick may be on its way yet.
                await asyncio.sleep(0.6)
                await ask(socket, op="ping")
                while (message := await next_message(socket))["type"] != "pong":
                    replica.take(message)
            replicas.append((wanted, replica))

        await asyncio.gather(
            *(read(wanted, rng.random() * 0.5) for wanted in asked for _ in range(2)), trading
        )
        for wanted, replica in replicas:
            expected = homes.view(trader, wanted)
            assert replica.seq == trader.seq
            assert replica.leads.keys() == expected.keys(), wanted
            for lead_id, lead in expected.items():
                assert replica.states[lead_id] == (
                    lead["lead_state"],
                    lead["max_buyers"],
                    lead["seats_left"],
                )


def _own_ids(trader: Trader, wanted: dict[str, Any]) -> dict[str, Any]:
    if "lead_ids" not in wanted:
        return {}
    return {"lead_ids": [f"{trader.market}-{number}" for number in wanted["lead_ids"]]}
