"""Installations with one thing wrong each. The audit of runs catches every one of them:
without these, a green run might only say that nothing is looked at.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from actors.client import MarketClient
from actors.feed_publisher import FeedPublisher
from actors.lead_book import LeadBook
from engine.adapters.memory.book_store import MemoryBookStore
from engine.adapters.memory.transaction import Transaction
from engine.market import events as e
from engine.market.account import Account
from engine.market.answers import Reply, Request
from engine.market.book import Book
from engine.market.outcome import StoredAnswer
from engine.market.plan import Plan
from engine.ports import Takeover
from tests.simulation.hosts import Parts

# --- stores --------------------------------------------------------------------------------


class IgnoresTheEpoch(MemoryBookStore):
    """Any book may write, superseded or not."""

    async def _newest(self) -> int:
        async def statement(transaction: Transaction) -> int:
            row = transaction.get(self._tables.markets, self.market)
            return int(row.epoch)

        return await self.connection.run("epoch", statement)

    async def resume(self, epoch: int) -> Takeover:
        return await super().resume(await self._newest())

    async def owns(self, epoch: int) -> bool:
        return True

    async def _fence(self, epoch: int, command_ids: Sequence[bytes]) -> dict[bytes, StoredAnswer]:
        return await super()._fence(await self._newest(), command_ids)

    async def write(self, *args: Any, **options: Any) -> Any:
        options["epoch"] = await self._newest()
        return await super().write(*args, **options)


class RaisesNoEpoch(MemoryBookStore):
    """Who takes over does not say so."""

    async def take_over(self) -> Takeover:
        async def statement(transaction: Transaction) -> Takeover:
            row = await transaction.lock(self._tables.markets, self.market)
            return Takeover(max(1, row.epoch), row.position, row.feed_seq, row.journal_at)

        taken = await self.connection.run("take over", statement)
        self._tables.markets.rows[self.market] = self._tables.markets.rows[self.market]._replace(
            epoch=taken.epoch
        )
        return taken


class ForgetsAnswers(MemoryBookStore):
    """A repeat is decided like a new command."""

    async def _fence(self, epoch: int, command_ids: Sequence[bytes]) -> dict[bytes, StoredAnswer]:
        await super()._fence(epoch, [])
        return {}


class CommitsBitByBit(MemoryBookStore):
    """What breaks in the middle stays half done."""

    @contextlib.asynccontextmanager
    async def flush(
        self, epoch: int, command_ids: Sequence[bytes] = ()
    ) -> AsyncIterator[dict[bytes, StoredAnswer]]:
        yield await self._fence(epoch, command_ids)


class CommitsTwoThirds(MemoryBookStore):
    """Wallets are charged in a transaction of their own."""

    async def _write_sales(self, transaction: Transaction, outcome: Any, at: int) -> None:
        await super()._write_sales(transaction, outcome, at)
        for sale in outcome.sales:
            row = transaction.get(self._tables.wallets, sale.user_id)
            self._tables.wallets.replace(sale.user_id, row)


class WritesTheBalanceItRead(MemoryBookStore):
    """Wallets are read without a lock, and written as they were read, less the price."""

    async def lock_accounts(
        self, user_ids: Sequence[str], plans: Mapping[str, Plan], **options: Any
    ) -> dict[str, Account]:
        async def read(transaction: Transaction) -> dict[str, int]:
            wallets = self._tables.wallets.rows
            return {user_id: wallets[user_id].balance for user_id in user_ids}

        self._read = await self.connection.run("read wallets", read)
        accounts = await super().lock_accounts(user_ids, plans, **options)
        for user_id, account in accounts.items():
            account.balance = self._read[user_id]
        return accounts

    async def _write_sales(self, transaction: Transaction, outcome: Any, at: int) -> None:
        for user_id in {sale.user_id for sale in outcome.sales}:
            await transaction.update(self._tables.wallets, user_id, balance=self._read[user_id])
        await super()._write_sales(transaction, outcome, at)


# --- books ---------------------------------------------------------------------------------


class _NothingExpires(Book):
    def due(self, now: int) -> Iterator[e.LeadReleased]:
        return iter(())


class _ExpiresTooLate(Book):
    def due(self, now: int) -> Iterator[e.LeadReleased]:
        return super().due(now - 1000)


class _WithBook(LeadBook):
    """A shell around another state machine."""

    kind: type[Book]

    async def _load(self) -> None:
        await super()._load()
        self._book.__class__ = self.kind


class NothingExpires(_WithBook):
    kind = _NothingExpires


class ExpiresTooLate(_WithBook):
    """By a millisecond."""

    kind = _ExpiresTooLate


class AnswersBeforeTheCommit(LeadBook):
    async def _flush(self, arrivals: Any) -> None:
        self._arrivals = arrivals
        await super()._flush(arrivals)

    async def _write(self, store: Any, outcome: Any, now: int) -> Any:
        public, contacts = await super()._write(store, outcome, now)
        replies = [Reply(answer) for answer in outcome.replies]
        for arrival in self._arrivals:
            count = len(arrival.requests)
            if len(replies) >= count and not arrival.replies.done():
                arrival.replies.set_result(replies[:count])
            replies = replies[count:]
        return public, contacts


class NeverReloads(LeadBook):
    """What a lost flush left in memory is taken for true."""

    async def _recover(self, error: Exception) -> None:
        if self._store is not None and self._store.is_closed:
            self._store = await self._connect()
        self._ahead = False
        await self._pause()


class TrustsItsClock(LeadBook):
    """Time goes back when the clock does."""

    def _now(self, journal_at: int) -> int:
        return self._clock() // 1000


class RefusesFromMemory(LeadBook):
    """What comes to nothing is answered without asking whose market it is."""

    async def submit(self, payload: bytes) -> bytes:
        requests = msgspec.msgpack.decode(payload, type=list[Request])
        account = Account("anyone", 10**9, self._plans["enterprise"])
        refused = []
        if self._serving:
            for request in requests:
                decision = self._book.decide(request.command, self._now(self._journal_at), account)
                if getattr(decision, "code", None) == "lead-unavailable":
                    refused.append(Reply(decision))  # type: ignore[arg-type]
        if len(refused) == len(requests):
            return msgspec.msgpack.encode(refused)
        return await super().submit(payload)


# --- the way in and out --------------------------------------------------------------------


class AsksUnderANewId(MarketClient):
    """Each try of a command is a command of its own."""

    def __init__(self, transport: Any, **options: Any) -> None:
        super().__init__(transport, **options)
        self._carry = transport
        self._transport = self._send_anew
        self._seen: set[bytes] = set()

    async def _send_anew(self, market: str, payload: bytes) -> bytes:
        requests = msgspec.msgpack.decode(payload, type=list[Request])
        anew = [
            msgspec.structs.replace(request, command_id=secrets.token_bytes(16))
            if request.command_id in self._seen
            else request
            for request in requests
        ]
        self._seen.update(request.command_id for request in requests)
        return await self._carry(market, msgspec.msgpack.encode(anew))


class NeverCatchesUp(FeedPublisher):
    """What Redis did not take is not told again."""

    async def _catch_up(self) -> None:
        await asyncio.sleep(0)
        self.published_seq = self._committed_seq
        self._behind = False


MUTANTS: dict[str, Parts] = {
    kind.__name__: Parts(store=kind)
    for kind in (
        IgnoresTheEpoch, RaisesNoEpoch, ForgetsAnswers, CommitsBitByBit, CommitsTwoThirds,
        WritesTheBalanceItRead,
    )
} | {
    kind.__name__: Parts(book=kind)
    for kind in (
        NothingExpires, ExpiresTooLate, AnswersBeforeTheCommit, NeverReloads, TrustsItsClock,
        RefusesFromMemory,
    )
} | {
    "AsksUnderANewId": Parts(client=AsksUnderANewId),
    "NeverCatchesUp": Parts(publisher=NeverCatchesUp),
}  # fmt: skip
