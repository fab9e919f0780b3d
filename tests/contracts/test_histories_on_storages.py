"""A book told the same at the same instants leaves the same rows, in whichever store."""

from __future__ import annotations

import random
import secrets
from collections import Counter

import msgspec
from msgspec.structs import replace

from actors.client import AWAY, BUSY
from actors.lead_book import LeadBook
from engine.adapters.memory.schema import Schema
from engine.market import commands as c
from engine.market.answers import Reply, Request
from engine.market.book import Book
from engine.market.fingerprint import fingerprint
from engine.market.listing import PUBLIC_FACTS, Listing
from engine.market.plan import load_plans
from engine.market.standing_terms import StandingFilter, StandingTerms
from engine.ports import Committed
from tests.contracts.storages import DUMPED, Dump, PostgresStorage, Storage, storage_of

PLANS = {
    name: replace(plan, hold_fee_percent={"15m": 10}, hold_value_max=60)
    for name, plan in load_plans().items()
}
NOW = 1_800_000_000_000_000
MINUTE = 60_000_000
HISTORIES = 8

_encode = msgspec.msgpack.Encoder().encode
_replies = msgspec.msgpack.Decoder(list[Reply]).decode


class Unpublished:
    """A publisher for books whose stream nobody reads."""

    published_seq = 0

    def start(self, committed_seq: int) -> None:
        pass

    def resume(self, committed_seq: int) -> None:
        pass

    def put(self, committed: Committed) -> None:
        pass

    async def stop(self) -> None:
        pass


class History:
    """What happens to a book is drawn from a seed alone, whatever its store does."""

    def __init__(self, storage: Storage, number: int) -> None:
        self.storage = storage
        self.rng = random.Random(number)
        self.now = NOW
        self.users = [f"{storage.market}-user-{n}" for n in range(4)]
        self.leads = [f"{storage.market}-lead-{n}" for n in range(6)]
        self.replies: list[list[Reply]] = []
        self.dumps: list[Dump] = []
        self.past: list[Request] = []
        self.window_us = (0, 400_000)[number % 2]
        self.standing: list[str] = []
        self.book: LeadBook | None = None

    async def play(self, rounds: int) -> None:
        for user in self.users:
            await self.storage.add_user(user, self.rng.choice((5, 40, 1_000)))
        for lead_id in self.leads[::2]:
            await self.storage.add_contact(lead_id)
        for number in range(rounds):
            if self.book is None or self.rng.random() < 0.1:
                await self._start_another()
            if self.rng.random() < 0.5:
                self.now += self.rng.choice((200_000, 400_000, self.rng.randrange(20 * MINUTE)))
            await self._send([self._request() for _ in range(self.rng.randint(1, 6))])
            # What the book does by itself at this instant comes before what follows.
            while self.book is not None and self.book._is_something_due():
                await self._send([])
            if number % 10 == 9:
                await self._look()
        assert self.book is not None
        await self.book.stop()

    async def _look(self) -> None:
        dump = await self.storage.dump(self.users)
        # When they are forgotten is the book's own business.
        dump["past_holds"] = [row for row in dump["past_holds"] if row["forget_at"] > self.now]
        self.dumps.append(dump)
        bought = Counter(row["standing_order_id"] for row in dump["orders"])
        for row in dump["standing_orders"]:
            assert row["bought"] == bought[row["standing_order_id"]], row

    async def _start_another(self) -> None:
        if self.book is not None:
            await self.book.stop()
        self.book = LeadBook(
            self.storage.market, "", "", PLANS,
            claim_window_us=self.window_us, offer_us=10 * MINUTE,
            clock=lambda: self.now * 1000, connect=self.storage.connect, publisher=Unpublished(),
        )  # fmt: skip
        await self.book.start()

    async def _send(self, requests: list[Request]) -> None:
        assert self.book is not None
        answered = await self.book.submit(_encode(requests))
        assert answered not in (AWAY, BUSY)
        self.replies.append(_replies(answered))
        assert self.book.stats()["reloads"] == 0

    def _request(self) -> Request:
        rng = self.rng
        if self.past and rng.random() < 0.1:
            return rng.choice(self.past)
        key = rng.choice((None, b"one body", b"another"))
        request = Request(rng.randbytes(16), self._command(), key)
        self.past.append(request)
        return request

    def _command(self) -> c.Command:
        rng = self.rng
        lead_id, user, term = (
            rng.choice(self.leads),
            rng.choice(self.users),
            rng.choice(("15m",) * 3 + ("24h",)),
        )
        listing = Listing(
            sources=("redfin", "zillow")[: rng.randrange(3)],
            list_price=rng.choice((None, 300_000)),
            city=rng.choice((None, "Austin")),
            latitude=rng.choice((None, 30.25, 30.5)),
            longitude=rng.choice((None, -97.75)),
        )
        if rng.random() < 0.15:
            return self._standing_command(user)
        return rng.choice(
            (
                *(c.Join(lead_id, user) for _ in range(5)),
                c.Leave(lead_id, user),
                c.ListLead(
                    lead_id, rng.randint(1, 30), rng.randint(1, 3), listing, rng.randbytes(3)
                ),
                c.ListLead(lead_id, rng.randint(1, 30), rng.randint(1, 3), listing),
                *(c.Hold(lead_id, user, term) for _ in range(5)),
                c.Extend(lead_id, user, term),
                c.Release(lead_id, user),
                c.Buy(lead_id, user, rng.randbytes(8).hex(), from_cart=rng.random() < 0.3),
                c.Buy(lead_id, user, rng.randbytes(8).hex(), max_price=rng.randint(1, 30)),
                c.Reprice((lead_id, self.leads[0]), (rng.randint(1, 40), 7), "demand"),
                c.Reprice(
                    (lead_id, self.leads[0]),
                    (rng.randint(1, 40), 9),
                    "demand",
                    rng.choice(((), (7, 7), (9, 7))),
                    (rng.randbytes(4), rng.randbytes(4)),
                ),
                c.UpdateLead(lead_id, listing),
                c.Withdraw(lead_id, "gone", rng.choice((None, self.leads[0]))),
                c.Merge(lead_id, rng.choice(self.leads)),
                c.Relist(lead_id),
                c.Quarantine(lead_id, "odd"),
                c.Approve(lead_id),
            )
        )

    def _standing_command(self, user: str) -> c.Command:
        rng = self.rng
        terms = StandingTerms(
            name="homes",
            price_max=rng.randint(5, 40),
            filter=StandingFilter(
                q=rng.choice((None, None, "Austin")),
                list_price_max=rng.choice((None, None, 400_000)),
                source=rng.choice(((), (), ("zillow",))),
            ),
            per_day=rng.choice((None, 1, 2)),
            budget=rng.choice((None, 50)),
            is_paused=rng.random() < 0.1,
        )
        if not self.standing or rng.random() < 0.5:
            self.standing.append(f"{self.storage.market}-standing-{len(self.standing)}")
            return c.PlaceStanding(self.standing[-1], user, terms)
        order_id = rng.choice(self.standing)
        if rng.random() < 0.7:
            return c.ChangeStanding(order_id, user, terms, rng.randint(1, 2))
        return c.CancelStanding(order_id, user)


async def test_histories_leave_the_same_rows(database_url: str) -> None:
    written = set()
    for number in range(HISTORIES):
        market = f"m-{secrets.token_hex(4)}"
        played = []
        for kind in ("memory", "postgres"):
            async with storage_of(kind, database_url, market) as storage:
                history = History(storage, number)
                await history.play(60)
                await _folds_alike(history)
            played.append(history)
        one, other = played
        assert one.replies == other.replies, f"history {number}"
        for mine, theirs in zip(one.dumps, other.dumps, strict=True):
            for table in mine.keys() | theirs.keys():
                assert mine[table] == theirs[table], f"{table} of history {number}"
                if mine[table]:
                    written.add(table)
    assert written == one.dumps[0].keys(), "a table that no history touches"


async def _folds_alike(history: History) -> None:
    """The journal folds to what the tables load, and to what the book has in memory."""
    store = await history.storage.connect()
    folded, loaded = Book(), Book()
    async for event, at in store.journal():
        folded.apply(event, at)
    await store.load(loaded, history.now)
    await store.close()
    assert history.book is not None
    found = {fingerprint(book, history.now) for book in (folded, loaded, history.book._book)}
    assert len(found) == 1
    assert folded.holds_of == loaded.holds_of == history.book._book.holds_of


async def test_the_memory_has_every_column(database_url: str) -> None:
    """A column that a migration adds is no longer compared until it is there too."""
    async with storage_of("postgres", database_url) as storage:
        assert isinstance(storage, PostgresStorage)
        rows = await storage.pool.fetch(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name = ANY($1)",
            [*DUMPED, "wallets", "transfers"],
        )
    known = Schema().tables()
    missing = {(table, column) for table, column in rows if column not in known[table].columns}
    # The listing is one column, and what is derived from it none.
    missing -= {("leads", column) for column in (*PUBLIC_FACTS, "location", "search")}
    assert missing == {("markets", "name")}
