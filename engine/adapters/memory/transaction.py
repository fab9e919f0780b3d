"""A transaction in memory: what it stages is seen by itself alone until it commits.

As in PostgreSQL at READ COMMITTED: a row that another transaction wrote or locked, and a
unique value that another has taken, are waited for, up to a time-out; what was waited for
is read anew. A statement that fails dooms the whole transaction.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable, Iterator
from typing import Any

import asyncpg

from engine.adapters.memory.table import Row, Table

CUT_OFF = "connection was closed in the middle of operation"
_ABSENT: Any = object()


class Locks:
    """Who has which row or unique value, and who waits for it, in order of asking."""

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self._owners: dict[Hashable, Transaction] = {}
        self._waiting: dict[Hashable, deque[tuple[Transaction, asyncio.Future[None]]]] = {}

    def try_take(self, what: Hashable, transaction: Transaction) -> bool:
        if transaction.ended:
            raise asyncpg.ConnectionDoesNotExistError(CUT_OFF)
        owner = self._owners.setdefault(what, transaction)
        if owner is not transaction:
            return False
        transaction.locked.add(what)
        return True

    async def take(self, what: Hashable, transaction: Transaction) -> None:
        """Raises LockNotAvailableError after the time-out."""
        if self.try_take(what, transaction):
            return
        loop = asyncio.get_running_loop()
        granted: asyncio.Future[None] = loop.create_future()
        self._waiting.setdefault(what, deque()).append((transaction, granted))
        transaction.waits_for = granted
        timer = loop.call_later(self.timeout, _give_up, granted)
        try:
            await granted
            transaction.locked.add(what)
        finally:
            timer.cancel()
            transaction.waits_for = None
            if transaction.ended:
                self.release(transaction)
        if transaction.ended:
            raise asyncpg.ConnectionDoesNotExistError(CUT_OFF)

    def release(self, transaction: Transaction) -> None:
        for what in transaction.locked:
            self._pass_on(what)
        transaction.locked.clear()

    def _pass_on(self, what: Hashable) -> None:
        del self._owners[what]
        waiting = self._waiting.get(what)
        while waiting:
            successor, granted = waiting.popleft()
            if not granted.done():
                self._owners[what] = successor
                granted.set_result(None)
                return
        if waiting is not None:
            del self._waiting[what]


def _give_up(granted: asyncio.Future[None]) -> None:
    if not granted.done():
        granted.set_exception(
            asyncpg.LockNotAvailableError("canceling statement due to lock timeout")
        )


class Transaction:
    """Reads and writes of one connection, until `commit` or `rollback`."""

    def __init__(self, locks: Locks) -> None:
        self.locked: set[Hashable] = set()
        self.waits_for: asyncio.Future[None] | None = None
        self.ended = False
        self._locks = locks
        self._rows: dict[Table, dict[Hashable, Row | None]] = {}
        self._taken: dict[tuple[Table, str], dict[Hashable, Hashable | None]] = {}

    # --- reading -----------------------------------------------------------------

    def get(self, table: Table, key: Hashable) -> Row | None:
        staged = self._rows.get(table)
        row = _ABSENT if staged is None else staged.get(key, _ABSENT)
        return table.rows.get(key) if row is _ABSENT else row

    def rows(self, table: Table) -> Iterator[Row]:
        staged = self._rows.get(table, {})
        yield from (row for key, row in table.rows.items() if key not in staged)
        yield from (row for row in staged.values() if row is not None)

    async def lock(self, table: Table, key: Hashable) -> Row | None:
        """The row, as it stands once it is this transaction's alone."""
        await self._locks.take((table, key), self)
        return self.get(table, key)

    # --- writing -----------------------------------------------------------------

    async def insert(self, table: Table, row: Row) -> None:
        await self._write(table, table.key(row), row, new=True)

    async def update(self, table: Table, key: Hashable, **changes: Any) -> bool:
        """False if there is no such row."""
        row = await self.lock(table, key)
        if row is None:
            return False
        await self._write(table, key, row._replace(**changes), new=False)
        return True

    async def delete(self, table: Table, key: Hashable) -> bool:
        if await self.lock(table, key) is None:
            return False
        await self._write(table, key, None, new=False)
        return True

    async def _write(self, table: Table, key: Hashable, row: Row | None, *, new: bool) -> None:
        """Raises IntegrityConstraintViolationError like the database, naming the constraint."""
        old = None if new else self.get(table, key)
        if row is not None:
            _check(table, row)
            self._refer(table, row)
        for constraint, part in table.unique.items():
            before = part(old) if old is not None else None
            after = part(row) if row is not None else None
            if before == after:
                continue
            taken = self._taken.setdefault((table, constraint), {})
            if before is not None:
                await self._locks.take((table, constraint, before), self)
                taken[before] = None
            if after is not None:
                await self._locks.take((table, constraint, after), self)
                if taken.get(after, table.taken[constraint].get(after)) is not None:
                    raise asyncpg.UniqueViolationError(f"{constraint}: {after!r} is taken")
                taken[after] = table.key(row)
        staged = self._rows.setdefault(table, {})
        if row is not None and table.key(row) != key:
            # A row that got another primary key.
            staged[key] = None
            key = table.key(row)
        staged[key] = row

    def _refer(self, table: Table, row: Row) -> None:
        for constraint, reference in table.references.items():
            named = reference.part(row)
            if named is not None and self.get(reference.table, named) is None:
                raise asyncpg.ForeignKeyViolationError(f"{constraint}: there is no {named!r}")

    # --- ending ------------------------------------------------------------------

    def commit(self) -> None:
        """All that was staged, at once."""
        for table, rows in self._rows.items():
            # What goes makes room before what comes.
            for key in [key for key, row in rows.items() if row is None]:
                table.replace(key, None)
            for key, row in rows.items():
                if row is not None:
                    table.replace(key, row)
        self.rollback()

    def rollback(self) -> None:
        """Nothing of it; over for good, also for a statement that still waits."""
        self.ended = True
        self._rows.clear()
        self._taken.clear()
        if self.waits_for is not None and not self.waits_for.done():
            self.waits_for.set_exception(asyncpg.ConnectionDoesNotExistError(CUT_OFF))
        self._locks.release(self)


def _check(table: Table, row: Row) -> None:
    for constraint, holds in table.checks.items():
        if not holds(row):
            raise asyncpg.CheckViolationError(f"{constraint}: {row}")
