"""Checkouts over several markets: the API's own code over rows in memory, and its recovery."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import asyncpg

from actors.client import BookBusy, BookUnavailable
from engine.adapters.memory.database import MemoryConnection
from engine.adapters.memory.table import Table
from engine.adapters.memory.transaction import Transaction
from engine.adapters.postgres.checkouts import Checkout
from serve_apps.api import checkout
from serve_apps.api.problems import not_found
from tests.simulation.hosts import STARTING_FAILS, Replica

if TYPE_CHECKING:
    from tests.simulation.world import World

RECOVERED_AFTER = 1.0
RECOVERY_EVERY = 0.8


class CheckoutRow(NamedTuple):
    checkout_id: bytes
    user_id: str
    request_hash: bytes
    lead_ids: list[str]
    answer: dict[str, Any] | None
    begun_at: datetime
    began: float


class Checkouts:
    """What `engine.adapters.postgres.checkouts` does, on the simulated server."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.table = Table("checkouts", CheckoutRow, lambda row: row.checkout_id)
        self.recovered = 0

    async def check_out(
        self, replica: Replica, checkout_id: bytes, user_id: str, lead_ids: list[str]
    ) -> checkout.Outcome:
        """What the route does for a request, and for each repeat of it."""
        deps = self._deps(replica)
        begun = await checkout.begin(deps, checkout_id, b"body", user_id, lead_ids)
        outcome = await checkout.complete(deps, begun)
        return checkout.with_left_out(outcome, begun, lead_ids)

    def _deps(self, replica: Replica) -> Any:
        return SimpleNamespace(pool=self, leads=self, market_client=replica.client)

    async def keep_house(self, replica: Replica) -> None:
        """Finish what another replica left behind, as its housekeeping does."""
        while True:
            await asyncio.sleep(RECOVERY_EVERY)
            try:
                for begun in await self._unfinished():
                    await checkout.complete(self._deps(replica), begun)
                    self.recovered += 1
            except (*STARTING_FAILS, BookUnavailable, BookBusy) as error:
                self.world.note(f"{replica.process.name} recovers later: {type(error).__name__}")

    async def _unfinished(self) -> list[Checkout]:
        async def statement(transaction: Transaction) -> list[Checkout]:
            before = self.world.now() - RECOVERED_AFTER
            return [
                _checkout(row)
                for row in transaction.rows(self.table)
                if row.answer is None and row.began < before
            ]

        connection = await self._connect()
        try:
            return await connection.run("unfinished checkouts", statement)
        finally:
            await connection.close()

    async def _connect(self) -> MemoryConnection:
        return await self.world.server.database.connect("api")

    # --- what `engine.adapters.postgres.checkouts` asks of a pool --------------------

    async def fetchrow(self, query: str, checkout_id: bytes, *values: Any) -> Any:
        """Of `find`, and of `begin`: the row of this id, made if it is new."""

        async def statement(transaction: Transaction) -> dict[str, Any] | None:
            found: CheckoutRow | None = transaction.get(self.table, checkout_id)
            if found is None and query.startswith("INSERT"):
                user_id, request_hash, lead_ids = values
                now = self.world.now()
                found = CheckoutRow(
                    checkout_id, user_id, request_hash, lead_ids, None,
                    datetime.fromtimestamp(now, UTC), now,
                )  # fmt: skip
                await transaction.insert(self.table, found)
            return found and _columns(found)

        connection = await self._connect()
        try:
            return await connection.run("checkout", statement)
        except asyncpg.UniqueViolationError:
            return None
        finally:
            await connection.close()

    async def fetchval(self, query: str, checkout_id: bytes, answer: dict[str, Any]) -> Any:
        """Of `finish`."""

        async def statement(transaction: Transaction) -> dict[str, Any]:
            row = await transaction.lock(self.table, checkout_id)
            assert row is not None
            stored: dict[str, Any] = answer if row.answer is None else row.answer
            await transaction.update(self.table, checkout_id, answer=stored)
            return stored

        connection = await self._connect()
        try:
            return await connection.run("finish checkout", statement)
        finally:
            await connection.close()

    async def market_of(self, lead_id: str) -> str:
        row = self.world.tables.leads.rows.get(lead_id)
        if row is None:
            raise not_found("no such lead")
        return str(row.market)


def _columns(row: CheckoutRow) -> dict[str, Any]:
    columns = row._asdict()
    del columns["began"]
    return columns


def _checkout(row: CheckoutRow) -> Checkout:
    return Checkout(**_columns(row))
