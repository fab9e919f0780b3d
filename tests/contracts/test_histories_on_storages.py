"""A book told the same at the same instants leaves the same rows, in whichever store."""

from __future__ import annotations

import random
import secrets

import msgspec
import pytest

from actors.client import AWAY, BUSY
from actors.lead_book import LeadBook
from engine.market import commands as c
from engine.market.answers import Reply, Request
from engine.market.book import Book
from engine.market.fingerprint import fingerprint
from engine.market.listing import Listing
from engine.market.plan import load_plans
from engine.ports import Committed
from tests.contracts.storages import Dump, Storage, storage_of

PLANS = load_plans()
NOW = 1_800_000_000_000_000
MINUTE = 60_000_000

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
        self.past: list[Request] = []
        self.book: LeadBook | None = None

    async def play(self, rounds: int) -> Dump:
        for user in self.users:
            await self.storage.add_user(user, self.rng.choice((5, 40, 1_000)))
        for lead_id in self.leads[::2]:
            await self.storage.add_contact(lead_id)
        for _ in range(rounds):
            if self.book is None or self.rng.random() < 0.1:
                await self._start_another()
            if self.rng.random() < 0.3:
                self.now += self.rng.randrange(20 * MINUTE)
            await self._send([self._request() for _ in range(self.rng.randint(1, 6))])
        assert self.book is not None
        await self.book.stop()
        dump = await self.storage.dump(self.users)
        # When they are forgotten is the book's own business.
        dump["past_holds"] = [row for row in dump["past_holds"] if row["forget_at"] > self.now]
        return dump

    async def _start_another(self) -> None:
        if self.book is not None:
            await self.book.stop()
        self.book = LeadBook(
            self.storage.market, "", "", PLANS,
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
        return rng.choice(
            (
                c.ListLead(lead_id, rng.randint(1, 30), rng.randint(1, 3), listing),
                c.ListLead(lead_id, rng.randint(1, 30), rng.randint(1, 3), listing),
                c.Hold(lead_id, user, term),
                c.Hold(lead_id, user, term),
                c.Hold(lead_id, user, term),
                c.Extend(lead_id, user, term),
                c.Release(lead_id, user),
                c.Buy(lead_id, user, rng.randbytes(8).hex(), from_cart=rng.random() < 0.3),
                c.Buy(lead_id, user, rng.randbytes(8).hex(), max_price=rng.randint(1, 30)),
                c.Reprice((lead_id, self.leads[0]), (rng.randint(1, 40), 7), "demand"),
                c.UpdateLead(lead_id, listing),
                c.Withdraw(lead_id, "gone", rng.choice((None, self.leads[0]))),
                c.Merge(lead_id, rng.choice(self.leads)),
                c.Relist(lead_id),
                c.Quarantine(lead_id, "odd"),
                c.Approve(lead_id),
            )
        )


@pytest.mark.parametrize("number", range(4))
async def test_a_history_leaves_the_same_rows(database_url: str, number: int) -> None:
    market = f"m-{secrets.token_hex(4)}"
    dumps, replies = [], []
    for kind in ("memory", "postgres"):
        async with storage_of(kind, database_url, market) as storage:
            history = History(storage, number)
            dumps.append(await history.play(60))
            replies.append(history.replies)
            await _folds_alike(history)
    assert replies[0] == replies[1]
    assert dumps[0].keys() == dumps[1].keys()
    for table, rows in dumps[0].items():
        assert rows == dumps[1][table], table
    assert dumps[0]["orders"]
    assert dumps[0]["past_holds"] or dumps[0]["seats"]


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
