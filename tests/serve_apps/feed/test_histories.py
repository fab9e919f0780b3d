"""Old snapshot plus events is the new snapshot: random histories of a real book, through real
sockets, across restarts of the book and of the API replica; filtered or not."""

from __future__ import annotations

import asyncio
import random
import secrets
from typing import Any

import asyncpg
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from actors.lead_book import LeadBook
from engine.market import commands as c
from engine.market.listing import Listing
from engine.market.plan import load_plans
from serve_apps.api.server import ApiReplica
from tests.serve_apps.api.world import Caller, World, running, world_settings
from tests.serve_apps.feed import homes
from tests.serve_apps.feed.world import FACTS, THIN, Replica, ask, next_message, subscribe

MARKET = "austin"
CHANNEL = f"market:{MARKET}"
STEPS = 250
LEADS = 60


@pytest.fixture
async def world(fresh_database_url: str, redis_url: str):
    settings = world_settings(fresh_database_url, redis_url, feed_prices_interval_ms=20)
    async with running(settings) as started:
        yield started


class History:
    """What happens to a market: commands at random, and two restarts of either process."""

    def __init__(self, world: World, buyers: list[str], rng: random.Random) -> None:
        self.world = world
        self.rng = rng
        self.buyers = buyers
        self.ids = [f"lead-{secrets.token_hex(6)}" for _ in range(LEADS)]
        self.listed: list[str] = []

    async def run(self) -> None:
        restarts = (self.restart_book, self.restart_replica) * 2
        due = dict(zip(self.rng.sample(range(STEPS), len(restarts)), restarts, strict=True))
        for step in range(STEPS):
            if step in due:
                await due[step]()
            await asyncio.gather(
                *(self.world.submit(MARKET, self.command()) for _ in range(self.rng.randrange(4)))
            )
            await asyncio.sleep(self.rng.random() * 0.01)

    def command(self) -> c.Command:
        rng = self.rng
        if len(self.listed) < LEADS and rng.random() < 0.3:
            self.listed.append(self.ids[len(self.listed)])
            listing = self.listing()
            return c.ListLead(self.listed[-1], rng.randrange(5, 45), rng.randrange(1, 4), listing)
        if not self.listed:
            return c.Reprice((self.ids[0],), (5,), "demand")
        lead, buyer = rng.choice(self.listed), rng.choice(self.buyers)
        some = tuple(rng.sample(self.listed, min(4, len(self.listed))))
        prices = tuple(rng.randrange(5, 45) for _ in some)
        return rng.choices(
            (
                c.Hold(lead, buyer, "15m"),
                c.Release(lead, buyer),
                c.Buy(lead, buyer, secrets.token_hex(11)),
                c.UpdateLead(lead, self.listing()),
                c.Reprice(some, prices, "demand"),
                c.Withdraw(lead, "gone"),
                c.Relist(lead),
                c.Quarantine(lead, "odd"),
                c.Approve(lead),
                c.Merge(lead, rng.choice(self.listed)),
            ),
            (8, 6, 4, 6, 8, 1, 3, 1, 3, 1),
        )[0]

    def listing(self) -> Listing:
        found = homes.facts(self.rng)
        return Listing(**(found | {"sources": tuple(found["sources"])}))

    async def restart_book(self) -> None:
        """As after a crash: the old one finds out that it is not the book any more."""
        old, settings = self.world.books[MARKET], self.world.settings
        book = LeadBook(
            MARKET, settings.database_url, settings.redis_url, load_plans(settings.plans_file)
        )
        await book.start()
        self.world.books[MARKET] = book
        await old.stop()

    async def restart_replica(self) -> None:
        port = self.world.replica.port
        await self.world.replica.stop()
        self.world.replica = ApiReplica(
            self.world.settings,
            transport=self.world.transport,
            undo_merge=self.world.undo_merge,
            port=port,
            farewell_seconds=0.05,
        )
        await self.world.replica.start()

    async def truth(self, asked: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """The leads on offer that are asked for, from the tables."""
        connection = await asyncpg.connect(self.world.settings.database_url)
        rows = await connection.fetch(
            "SELECT t.*, t.max_buyers - t.sold - t.held AS seats_left, l.* FROM lead_trading t"
            " JOIN leads l ON l.lead_id = t.lead_id WHERE t.market = $1"
            " AND t.lead_state IN ('available', 'held')",
            MARKET,
        )
        await connection.close()
        leads = [{name: row[name] for name in (*THIN, *FACTS)} for row in rows]
        return {
            lead["lead_id"]: {name: lead[name] for name in THIN}
            for lead in leads
            if homes.matches(asked, lead)
        }


class Follower:
    """A client that comes back with what it has, whatever ends its socket."""

    def __init__(self, world: World, buyer: Caller, asked: dict[str, Any] | None) -> None:
        self.world = world
        self.buyer = buyer
        self.asked = asked
        self.replica = Replica(filtered=asked is not None)
        self.sockets = 0

    async def follow(self, rng: random.Random) -> None:
        """Until cancelled. Now and then it goes away by itself."""
        while True:
            try:
                async with asyncio.timeout(rng.uniform(0.3, 4)):
                    await self._read()
            except (ConnectionClosed, InvalidStatus, OSError, TimeoutError):
                await asyncio.sleep(rng.random() * 0.1)

    async def _read(self) -> None:
        async with self._connect() as socket:
            await self._subscribe(socket)
            self.sockets += 1
            while True:
                self.replica.take(await next_message(socket, 60))

    async def finish(self, seq: int) -> Replica:
        """Read to the end of the history. Bounds on the price always begin with a snapshot."""
        seen = self.replica.snapshots if self.asked and "price_max" in self.asked else 0
        async with self._connect() as socket, asyncio.timeout(10):
            await self._subscribe(socket)
            while self.replica.seq < seq or self.replica.snapshots <= seen:
                self.replica.take(await next_message(socket))
            await ask(socket, op="ping")
            while (message := await next_message(socket))["type"] != "pong":
                self.replica.take(message)
        return self.replica

    def _connect(self) -> connect:
        return connect(
            f"ws://127.0.0.1:{self.world.replica.port}/v1/feed",
            additional_headers={"Authorization": f"Bearer {self.buyer.tokens['access_token']}"},
        )

    async def _subscribe(self, socket: ClientConnection) -> None:
        since = self.replica.seq if self.replica.snapshots else None
        await subscribe(socket, CHANNEL, since, self.asked)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_old_snapshot_and_events_are_the_new_snapshot(world, seed):
    rng = random.Random(seed)
    buyers = [await world.buyer(credits=500) for _ in range(4)]
    history = History(world, [buyer.user_id for buyer in buyers], rng)
    filters = [dict(wanted) for wanted in homes.FILTERS]
    filters[-1]["lead_ids"] = history.ids[: LEADS // 3]
    followers = [
        Follower(world, buyers[number % 4], asked)
        for number, asked in enumerate((None, None, *filters))
    ]
    following = [
        asyncio.create_task(follower.follow(random.Random(seed * 100 + number)))
        for number, follower in enumerate(followers)
    ]
    await history.run()
    await asyncio.sleep(0.3)
    for task in following:
        task.cancel()
    await asyncio.gather(*following, return_exceptions=True)
    journal = await asyncpg.connect(world.settings.database_url)
    seq = await journal.fetchval("SELECT feed_seq FROM markets WHERE market = $1", MARKET)
    await journal.close()
    assert seq > STEPS / 3
    for follower in followers:
        assert follower.sockets >= 2, "it never came back"
        await follower.finish(seq)
        fresh = await Follower(world, buyers[0], follower.asked).finish(seq)
        expected = await history.truth(follower.asked or {})
        assert follower.replica.states == fresh.states, follower.asked
        assert fresh.states == {
            lead_id: (lead["lead_state"], lead["max_buyers"], lead["seats_left"])
            for lead_id, lead in expected.items()
        }, follower.asked
    assert world.replica.deps.feed.hub.market_feed(MARKET).seq == seq
