"""The stores that a book may have, each with the means to prepare and to look behind it."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Protocol

import asyncpg
import msgspec

from engine.adapters.memory.book_store import MemoryBookStore
from engine.adapters.memory.database import MemoryDatabase
from engine.adapters.memory.rows import ContactRow, Market, User, Wallet
from engine.adapters.memory.schema import Schema
from engine.adapters.postgres.book_store import BookStore
from engine.market.answers import Contact
from engine.market.instant import from_datetime
from engine.market.listing import PUBLIC_FACTS, Listing

# What a history leaves behind, market by market.
DUMPED = (
    "markets", "leads", "lead_trading", "seats", "hold_counts", "past_holds", "orders",
    "market_events", "price_ticks", "commands", "queue_places", "standing_orders",
    "claim_rounds", "claims",
)  # fmt: skip

Store = BookStore | MemoryBookStore
Dump = dict[str, list[dict[str, Any]]]


class Storage(Protocol):
    """A database with a market of the test's own in it."""

    market: str
    opened: list[Store]

    async def connect(self, market: str | None = None) -> Store: ...

    async def add_market(self, market: str) -> None: ...

    async def add_user(self, user_id: str, credits: int, *, status: str = "active") -> None: ...

    async def add_contact(self, lead_id: str) -> None: ...

    async def balance(self, user_id: str) -> int: ...

    async def dump(self, users: list[str]) -> Dump:
        """The rows of the market, and the wallets and transfers of `users`, in one order."""
        ...

    def break_connection(self, store: Store) -> None: ...


class MemoryStorage:
    def __init__(self, market: str) -> None:
        self.market = market
        self.database = MemoryDatabase()
        self.tables = self.database.tables
        self.opened: list[Store] = []

    async def connect(self, market: str | None = None) -> Store:
        store = await MemoryBookStore.connect(self.database, market or self.market)
        self.opened.append(store)
        return store

    async def add_market(self, market: str) -> None:
        self.tables.markets.replace(market, Market(market))

    async def add_user(self, user_id: str, credits: int, *, status: str = "active") -> None:
        self.tables.users.replace(user_id, User(user_id, status=status))
        self.tables.wallets.replace(user_id, Wallet(user_id, credits))

    async def add_contact(self, lead_id: str) -> None:
        self.tables.contacts.replace(lead_id, ContactRow(lead_id, Contact(name="Ann Onymous")))

    async def balance(self, user_id: str) -> int:
        return int(self.tables.wallets.rows[user_id].balance)

    async def dump(self, users: list[str]) -> Dump:
        tables = self.tables.tables()
        found = {
            name: [row._asdict() for row in tables[name].rows.values() if row.market == self.market]
            for name in DUMPED
        }
        accounts = {f"user:{user}" for user in users}
        found["wallets"] = [tables["wallets"].rows[user]._asdict() for user in users]
        found["transfers"] = [
            row._asdict()
            for row in tables["transfers"].rows.values()
            if {row.debit_account, row.credit_account} & accounts
        ]
        return _in_order(found)

    def break_connection(self, store: Store) -> None:
        assert isinstance(store, MemoryBookStore)
        store.connection.terminate()


class PostgresStorage:
    def __init__(self, market: str, database_url: str, pool: asyncpg.Pool) -> None:
        self.market = market
        self.database_url = database_url
        self.pool = pool
        self.opened: list[Store] = []

    async def connect(self, market: str | None = None) -> Store:
        store = await BookStore.connect(self.database_url, market or self.market)
        self.opened.append(store)
        return store

    async def add_market(self, market: str) -> None:
        await self.pool.execute(
            "INSERT INTO markets (market, name, time_zone, secret) VALUES ($1, $1, 'UTC', $2)",
            market,
            Market(market).secret,
        )

    async def add_user(self, user_id: str, credits: int, *, status: str = "active") -> None:
        await self.pool.execute(
            "INSERT INTO users (user_id, email, full_name, password_hash, status)"
            " VALUES ($1, $1 || '@example.com', 'A Buyer', 'x', $2)",
            user_id,
            status,
        )
        await self.pool.execute("INSERT INTO wallets VALUES ($1, $2)", user_id, credits)

    async def add_contact(self, lead_id: str) -> None:
        await self.pool.execute(
            "INSERT INTO contacts (lead_id, name) VALUES ($1, 'Ann Onymous')", lead_id
        )

    async def balance(self, user_id: str) -> int:
        return await self.pool.fetchval("SELECT balance FROM wallets WHERE user_id = $1", user_id)

    async def dump(self, users: list[str]) -> Dump:
        found = {
            name: [
                _as_in_memory(name, row)
                for row in await self.pool.fetch(
                    f"SELECT * FROM {name} WHERE market = $1", self.market
                )
            ]
            for name in DUMPED
        }
        for name, query in (
            ("wallets", "SELECT * FROM wallets WHERE user_id = ANY($1)"),
            (
                "transfers",
                "SELECT t.* FROM transfers t, unnest($1::text[]) u"
                " WHERE 'user:' || u IN (debit_account, credit_account)",
            ),
        ):
            found[name] = [_as_in_memory(name, row) for row in await self.pool.fetch(query, users)]
        return _in_order(found)

    def break_connection(self, store: Store) -> None:
        assert isinstance(store, BookStore)
        store.connection.terminate()


@asynccontextmanager
async def storage_of(
    kind: str, database_url: str, market: str | None = None
) -> AsyncIterator[Storage]:
    market = market or f"m-{secrets.token_hex(4)}"
    pool = await asyncpg.create_pool(database_url, min_size=1, max_size=2)
    storage: Storage = (
        MemoryStorage(market) if kind == "memory" else PostgresStorage(market, database_url, pool)
    )
    await storage.add_market(market)
    try:
        yield storage
    finally:
        for store in storage.opened:
            if not store.is_closed:
                await store.close()
        await pool.close()


_COLUMNS = {name: table.columns for name, table in Schema().tables().items()}


def _as_in_memory(table: str, row: asyncpg.Record) -> dict[str, Any]:
    """A row of PostgreSQL as the memory keeps it. KeyError if that has a column more."""
    values = {name: _plain(value) for name, value in row.items()}
    if table == "leads":
        values["listing"] = Listing(
            **{
                name: tuple(values[name]) if name == "sources" else values[name]
                for name in PUBLIC_FACTS
            }
        )
    return {name: values[name] for name in _COLUMNS[table]}


def _plain(value: Any) -> Any:
    return from_datetime(value) if isinstance(value, datetime) else value


def _in_order(found: Dump) -> Dump:
    for row in found["market_events"]:
        # JSON text may be spaced otherwise.
        row["event"] = msgspec.json.decode(row["event"])
        row["public"] = row["public"] and msgspec.json.decode(row["public"])
    for row in found["standing_orders"]:
        row["terms"] = msgspec.json.decode(row["terms"])
    # Who took over how often is no part of a history.
    for row in found["markets"]:
        del row["epoch"]
    return {name: sorted(rows, key=lambda row: repr(row)) for name, rows in found.items()}
