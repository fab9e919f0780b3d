"""A market with a database, buyers and leads, for tests that drive a real LeadBook."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec
import redis.asyncio as redis

from actors.client import AWAY, BookGone, MarketClient, Transport
from actors.lead_book import LeadBook
from engine.adapters.postgres.audit import RULES
from engine.adapters.postgres.book_store import BookStore
from engine.adapters.redis import feed_stream
from engine.market import commands as c
from engine.market.answers import Answer, Reply
from engine.market.book import Book
from engine.market.fingerprint import fingerprint
from engine.market.listing import Listing
from engine.market.plan import load_plans

PLANS = load_plans()
# Rules of the operator's doctor that no test of another market in the database breaks.
FAIR_TRADING = (
    "nobody waits for a lead with a free seat",
    "a standing order has bought and spent what its orders say",
    "fees of holds given back are fees that were paid",
    "a contest has no more winners than seats",
)
# Planted in every contact: none of it may turn up anywhere but in `contacts`.
CANARY = "Quillwhistle"


class TradingHouse:
    """One market of its own in a shared database, its book, and a client to it."""

    def __init__(self, database_url: str, redis_url: str, pool: asyncpg.Pool, market: str) -> None:
        self.database_url = database_url
        self.redis_url = redis_url
        self.pool = pool
        self.market = market
        self.books: list[LeadBook] = []
        self.client = MarketClient(self.transport, patience=30.0)

    # --- what there is -------------------------------------------------------------

    async def book(self, **options: Any) -> LeadBook:
        """Start a book; the transport goes to the newest."""
        book = LeadBook(
            self.market,
            options.pop("database_url", self.database_url),
            options.pop("redis_url", self.redis_url),
            PLANS,
            **options,
        )
        await book.start()
        self.books.append(book)
        return book

    async def transport(self, market: str, payload: bytes) -> bytes:
        if not self.books:
            raise BookGone("no book was started")
        return await self.books[-1].submit(payload)

    async def buyer(self, credits: int = 1_000, plan: str = "basic") -> str:
        user_id = f"user-{secrets.token_hex(6)}"
        await self.pool.execute(
            "INSERT INTO users (user_id, email, full_name, password_hash, plan)"
            " VALUES ($1, $1 || '@example.com', 'A Buyer', 'x', $2)",
            user_id,
            plan,
        )
        await self.pool.execute("INSERT INTO wallets VALUES ($1, $2)", user_id, credits)
        return user_id

    async def lead(self, price: int = 10, max_buyers: int = 1) -> str:
        lead_id = f"lead-{secrets.token_hex(6)}"
        await self.pool.execute(
            "INSERT INTO contacts (lead_id, name, phone, email, unparsed_address, source_url)"
            " VALUES ($1, $2, $2, $2, $2, $2)",
            lead_id,
            CANARY,
        )
        listing = Listing(sources=("zillow",), city="Austin", public_remarks="near the park")
        await self.said(c.ListLead(lead_id, price, max_buyers, listing))
        return lead_id

    # --- asking ----------------------------------------------------------------------

    async def ask(self, command: c.Command, **options: Any) -> Reply:
        return await self.client.submit(self.market, command, **options)

    async def said(self, command: c.Command, **options: Any) -> Answer:
        answer = (await self.ask(command, **options)).answer
        return answer  # type: ignore[return-value]

    async def buy(self, lead_id: str, user_id: str, **options: Any) -> Answer:
        return await self.said(c.Buy(lead_id, user_id, secrets.token_hex(8), **options))

    # --- what must always hold ---------------------------------------------------------

    async def balance(self, user_id: str) -> int:
        return await self.pool.fetchval("SELECT balance FROM wallets WHERE user_id = $1", user_id)

    async def orders(self) -> list[asyncpg.Record]:
        return await self.pool.fetch("SELECT * FROM orders WHERE market = $1", self.market)

    async def credits(self) -> int:
        """Wallets and what they paid: the same before and after whatever happens."""
        return await self.pool.fetchval(
            "SELECT (SELECT coalesce(sum(balance), 0) FROM wallets) + (SELECT"
            " coalesce(sum(amount) FILTER (WHERE credit_account LIKE 'house:%'), 0)"
            " - coalesce(sum(amount) FILTER (WHERE debit_account LIKE 'house:%'), 0)"
            " FROM transfers)"
        )

    async def audit(self) -> None:
        """The tables agree with one another, with the journal, and with the book in memory."""
        await self._audit_money()
        await self._audit_journal()
        await self._audit_folds()
        await self._audit_canary()

    async def _audit_money(self) -> None:
        assert not await self.pool.fetch(
            "SELECT o.order_id FROM orders o LEFT JOIN transfers t ON t.reference = o.order_id"
            " AND t.debit_account = 'user:' || o.user_id AND t.amount = o.price"
            " LEFT JOIN seats s ON s.lead_id = o.lead_id AND s.seat = o.seat"
            " AND s.order_id = o.order_id AND s.user_id = o.user_id AND s.price = o.price"
            " WHERE o.market = $1 AND (t.transfer_id IS NULL OR s.lead_id IS NULL)",
            self.market,
        ), "an order without its transfer or its seat"
        assert not await self.pool.fetch(
            "SELECT 1 FROM seats s LEFT JOIN orders o USING (order_id)"
            " WHERE s.market = $1 AND s.order_id IS NOT NULL AND o.order_id IS NULL",
            self.market,
        ), "a sold seat without its order"
        assert not await self.pool.fetch(
            "SELECT t.lead_id FROM lead_trading t LEFT JOIN seats s USING (lead_id)"
            " WHERE t.market = $1 GROUP BY t.lead_id"
            " HAVING count(s.order_id) <> t.sold OR count(s.held_until) <> t.held",
            self.market,
        ), "seats and counts differ"

        counted = (
            "SELECT user_id, (live_holds::int8, held_value) FROM hold_counts"
            " WHERE market = $1 AND live_holds > 0"
        )
        held = (
            "SELECT user_id, (count(*), sum(price)::int8) FROM seats"
            " WHERE market = $1 AND order_id IS NULL AND NOT is_offer GROUP BY user_id"
        )
        assert dict(await self.pool.fetch(counted, self.market)) == dict(
            await self.pool.fetch(held, self.market)
        ), "holds are miscounted"
        await self._audit_fair_trading()

    async def _audit_fair_trading(self) -> None:
        """What the operator's doctor looks at in lines, standing orders, fees and contests."""
        for rule in FAIR_TRADING:
            assert not await self.pool.fetch(RULES[rule]), rule

    async def _audit_journal(self) -> None:
        rows = await self.pool.fetch(
            "SELECT position, feed_seq, public FROM market_events WHERE market = $1"
            " ORDER BY position",
            self.market,
        )
        assert [row["position"] for row in rows] == list(range(1, len(rows) + 1))
        public = [row for row in rows if row["feed_seq"] is not None]
        assert [row["feed_seq"] for row in public] == list(range(1, len(public) + 1))
        for row in public:
            assert msgspec.json.decode(row["public"])["seq"] == row["feed_seq"]
        ends = await self.pool.fetchrow(
            "SELECT position, feed_seq FROM markets WHERE market = $1", self.market
        )
        assert tuple(ends) == (len(rows), len(public))

    async def _audit_folds(self) -> None:
        """Journal, tables and memory say the same, by fingerprint."""
        now = time.time_ns() // 1000
        store = await BookStore.connect(self.database_url, self.market)
        try:
            folded, loaded = Book(), Book()
            async for event, at in store.journal():
                folded.apply(event, at)
            await store.load(loaded, now)
        finally:
            await store.close()
        assert fingerprint(folded, now) == fingerprint(loaded, now)
        assert folded.holds_of == loaded.holds_of
        if self.books and not self.books[-1].fenced:
            assert fingerprint(self.books[-1]._book, now) == fingerprint(loaded, now)

    async def _audit_canary(self) -> None:
        for table in ("commands", "market_events", "leads", "source_records", "intake_outbox"):
            leaked = await self.pool.fetchval(
                f"SELECT count(*) FROM {table} t"
                " WHERE market = $2 AND (position($1::bytea IN convert_to(t::text, 'UTF8')) > 0"
                " OR position(encode($1, 'hex') IN t::text) > 0)",
                CANARY.encode(),
                self.market,
            )
            assert leaked == 0, f"contact data in {table}"
        async with self.redis() as client:
            entries = await client.xrange(feed_stream.feed_key(self.market))
            assert CANARY.encode() not in b"".join(fields[b"events"] for _, fields in entries)

    # --- the stream --------------------------------------------------------------------

    @asynccontextmanager
    async def redis(self) -> AsyncIterator[redis.Redis]:
        client = redis.from_url(self.redis_url)
        try:
            yield client
        finally:
            await client.aclose()

    async def stream_seqs(self) -> list[int]:
        """The numbers of the events on the stream, as they stand."""
        async with self.redis() as client:
            seqs = []
            for entry_id, fields in await client.xrange(feed_stream.feed_key(self.market)):
                events = [event["seq"] for event in msgspec.json.decode(fields[b"events"])]
                assert int(fields[b"from"]) == events[0]
                assert feed_stream.entry_number(entry_id) == events[-1]
                seqs += events
            return seqs

    async def stream_is_complete(self) -> bool:
        newest = await self.pool.fetchval(
            "SELECT feed_seq FROM markets WHERE market = $1", self.market
        )
        return await self.stream_seqs() == list(range(1, newest + 1))


async def until(condition: Callable[[], bool | Awaitable[bool]], *, seconds: float = 30.0) -> None:
    """Wait for what must come; a slow machine is given time, a wrong one an error."""
    async with asyncio.timeout(seconds):
        while True:
            value = condition()
            if value if isinstance(value, bool) else await value:
                return
            await asyncio.sleep(0.02)


@asynccontextmanager
async def trading_house(database_url: str, redis_url: str) -> AsyncIterator[TradingHouse]:
    pool = await asyncpg.create_pool(database_url, min_size=1, max_size=4)
    market = f"m-{secrets.token_hex(4)}"
    await pool.execute(
        "INSERT INTO markets (market, name, time_zone) VALUES ($1, $1, 'UTC')", market
    )
    house = TradingHouse(database_url, redis_url, pool, market)
    try:
        yield house
    finally:
        for book in house.books:
            await book.stop()
        await pool.close()


def wavering(transport: Transport, loses: Callable[[], bool]) -> Transport:
    """A transport that loses answers after the book has given them."""

    async def send(market: str, payload: bytes) -> bytes:
        replies = await transport(market, payload)
        return AWAY if loses() else replies

    return send
