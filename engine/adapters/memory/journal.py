"""A market's journal in memory: `engine.ports.JournalReader`, over one connection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from engine.adapters.memory.database import MemoryConnection
from engine.adapters.memory.rows import JournalEntry, Market
from engine.adapters.memory.transaction import Transaction
from engine.market import events as e
from engine.ports import Tick

_decode_event = msgspec.json.Decoder(e.Event).decode


class MemoryJournal:
    """One connection, one market. Not for concurrent use."""

    def __init__(self, connection: MemoryConnection, market: str) -> None:
        self.connection = connection
        self.market = market
        self._tables = connection.database.tables

    async def close(self) -> None:
        await self.connection.close()

    @property
    def is_closed(self) -> bool:
        return self.connection.is_closed

    def _mine(self, transaction: Transaction, table: str) -> list[Any]:
        rows = transaction.rows(self._tables.tables()[table])
        return [row for row in rows if row.market == self.market]

    async def journal(self) -> AsyncIterator[tuple[e.Event, int]]:
        """Every event of the market in order, with its instant in µs."""

        async def statement(transaction: Transaction) -> list[JournalEntry]:
            return self._mine(transaction, "market_events")

        rows = await self.connection.run("journal", statement)
        for row in sorted(rows, key=lambda row: row.position):
            yield _decode_event(row.event), row.at

    async def public_events(self, after: int, limit: int) -> list[tuple[int, str]]:
        async def statement(transaction: Transaction) -> list[tuple[int, str]]:
            found = sorted(
                (row.feed_seq, row.public)
                for row in self._mine(transaction, "market_events")
                if row.feed_seq is not None and row.feed_seq > after
            )
            return found[:limit]

        return await self.connection.run("public events", statement)

    async def feed_seq(self) -> int:
        async def statement(transaction: Transaction) -> int:
            row: Market | None = transaction.get(self._tables.markets, self.market)
            assert row is not None
            return row.feed_seq

        return await self.connection.run("feed seq", statement)

    async def ticks(self, after: int, limit: int, newest: int) -> list[Tick]:
        async def statement(transaction: Transaction) -> list[Tick]:
            rows = sorted(self._mine(transaction, "price_ticks"), key=lambda row: row.position)
            oldest = rows[-newest - 1].position if len(rows) > newest else 0
            return [Tick(*row[1:6]) for row in rows if row.position > max(after, oldest)][:limit]

        return await self.connection.run("ticks", statement)
