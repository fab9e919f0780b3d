"""A database in memory, and connections to it over a wire that tests may spoil."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar

import asyncpg

from engine.adapters.memory.schema import Schema
from engine.adapters.memory.transaction import CUT_OFF, Locks, Transaction

T = TypeVar("T")
LOCK_TIMEOUT = 2.0


class Wire(Protocol):
    """How a request gets to the server and its answer back."""

    async def carry(
        self, connection: MemoryConnection, request: str, serve: Callable[[], Awaitable[T]]
    ) -> T:
        """What `serve` returns or raises, where it was carried out and the answer came back.
        `request` names it, for whoever watches."""
        ...

    def hang_up(self, connection: MemoryConnection) -> None:
        """The client leaves: what it did not commit is to be rolled back."""


class DirectWire:
    """No distance, nothing lost."""

    async def carry(
        self, connection: MemoryConnection, request: str, serve: Callable[[], Awaitable[T]]
    ) -> T:
        return await serve()

    def hang_up(self, connection: MemoryConnection) -> None:
        connection.abandon()


class MemoryDatabase:
    """Tables, and the locks of the transactions that are under way."""

    def __init__(self, wire: Wire | None = None, *, lock_timeout: float = LOCK_TIMEOUT) -> None:
        self.tables = Schema()
        self.locks = Locks(lock_timeout)
        self.wire: Wire = wire or DirectWire()

    async def connect(self, application: str) -> MemoryConnection:
        """Raises what the wire raises when the server can't be reached."""
        connection = MemoryConnection(self, application)

        async def serve() -> MemoryConnection:
            return connection

        return await self.wire.carry(connection, "connect", serve)


class MemoryConnection:
    """One session. Not for concurrent use. `application` says whose it is."""

    def __init__(self, database: MemoryDatabase, application: str) -> None:
        self.database = database
        self.application = application
        self.is_closed = False
        self._transaction: Transaction | None = None
        self._doomed = False
        self._ended = False

    async def run(self, request: str, statement: Callable[[Transaction], Awaitable[T]]) -> T:
        """Carry out one statement, in the transaction under way or in one of its own."""

        async def serve() -> T:
            if self._ended:
                raise asyncpg.ConnectionDoesNotExistError(CUT_OFF)
            if self._transaction is None:
                return await self._alone(statement)
            if self._doomed:
                raise asyncpg.InFailedSQLTransactionError("current transaction is aborted")
            try:
                return await statement(self._transaction)
            except BaseException:
                self._doomed = True
                raise

        return await self._ask(request, serve)

    async def _alone(self, statement: Callable[[Transaction], Awaitable[T]]) -> T:
        self._transaction = transaction = Transaction(self.database.locks)
        try:
            result = await statement(transaction)
            transaction.commit()
        except BaseException:
            transaction.rollback()
            raise
        finally:
            self._transaction = None
        return result

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Committed if the block ends well; else nothing of it stays."""
        await self._ask("begin", self._begin)
        try:
            yield
        except BaseException as error:
            if self.is_closed:
                raise asyncpg.InterfaceError("the connection is closed") from error
            await self._ask("rollback", self._end)
            raise
        await self._ask("commit", self._commit)

    async def close(self) -> None:
        if not self.is_closed:
            self.terminate()

    def terminate(self) -> None:
        self.is_closed = True
        self.database.wire.hang_up(self)

    def abandon(self) -> None:
        """The server's end alone: whatever was not committed is rolled back."""
        self._ended = True
        if self._transaction is not None:
            self._transaction.rollback()

    async def _ask(self, request: str, serve: Callable[[], Awaitable[T]]) -> T:
        if self.is_closed:
            raise asyncpg.InterfaceError("the connection is closed")
        return await self.database.wire.carry(self, request, serve)

    async def _begin(self) -> None:
        self._doomed = False
        self._transaction = Transaction(self.database.locks)

    async def _commit(self) -> None:
        if self._ended or self._transaction is None:
            raise asyncpg.ConnectionDoesNotExistError(CUT_OFF)
        if not self._doomed:
            self._transaction.commit()
        await self._end()

    async def _end(self) -> None:
        if self._transaction is not None:
            self._transaction.rollback()
            self._transaction = None
