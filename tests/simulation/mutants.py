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
from engine.adapters.memory.book_store import MemoryBookStore, _decode_answer, _takeover
from engine.adapters.memory.transaction import Transaction
from engine.market import events as e
from engine.market.account import Account
from engine.market.answers import Reply, Request
from engine.market.book import Book
from engine.market.outcome import Outcome, StoredAnswer
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


class FlushesUnfenced(MemoryBookStore):
    """Whose market it is is asked on loading and when idle alone."""

    async def _fence(self, epoch: int, command_ids: Sequence[bytes]) -> dict[bytes, StoredAnswer]:
        async def statement(transaction: Transaction) -> dict[bytes, StoredAnswer]:
            rows = [transaction.get(self._tables.commands, id_) for id_ in command_ids]
            return {
                row.command_id: StoredAnswer(row.request_hash, _decode_answer(row.answer))
                for row in rows
                if row is not None
            }

        return await self.connection.run("fence", statement)


class RaisesNoEpoch(MemoryBookStore):
    """Who takes over does not say so."""

    async def take_over(self) -> Takeover:
        async def statement(transaction: Transaction) -> Takeover:
            row = await transaction.lock(self._tables.markets, self.market)
            assert row is not None
            await transaction.update(self._tables.markets, self.market, epoch=1)
            return _takeover(row._replace(epoch=1))

        return await self.connection.run("take over", statement)


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


class ChargesApart(MemoryBookStore):
    """Wallets are charged whether the rest is committed or not."""

    async def write(self, outcome: Outcome, *args: Any, **options: Any) -> Any:
        contacts = await super().write(outcome, *args, **options)
        transaction = self.connection._transaction
        if transaction is not None:
            for user_id in outcome.wallets:
                row = transaction.get(self._tables.wallets, user_id)
                self._tables.wallets.replace(user_id, row)
        return contacts


class WritesTheBalanceItRead(MemoryBookStore):
    """Wallets are read before they are locked, and written as they were read."""

    _read: Mapping[str, int] = {}

    async def lock_accounts(
        self, user_ids: Sequence[str], plans: Mapping[str, Plan], *, count_holds: bool
    ) -> dict[str, Account]:
        async def read(transaction: Transaction) -> dict[str, int]:
            rows = self._tables.wallets.rows
            return {user_id: rows[user_id].balance for user_id in user_ids}

        self._read = await self.connection.run("read wallets", read)
        accounts = await super().lock_accounts(user_ids, plans, count_holds=count_holds)
        for user_id, account in accounts.items():
            account.balance = self._read[user_id]
        return accounts

    async def write(self, outcome: Outcome, *args: Any, **options: Any) -> Any:
        async def statement(transaction: Transaction) -> None:
            for user_id in outcome.wallets:
                balance = self._read[user_id]
                await transaction.update(self._tables.wallets, user_id, balance=balance)

        await self.connection.run("write balances", statement)
        return await super().write(outcome, *args, **options)


class ForgetsWhoWaits(MemoryBookStore):
    """Places in line are not stored."""

    async def write_fair_trading(self, outcome: Outcome, at: int) -> None:
        outcome.joined, outcome.left = {}, set()
        await super().write_fair_trading(outcome, at)


# --- books ---------------------------------------------------------------------------------


class _NothingExpires(Book):
    def due(self, now: int) -> Iterator[e.LeadReleased | e.QueueLeft]:
        return iter(())


class _ExpiresTooLate(Book):
    def due(self, now: int) -> Iterator[e.LeadReleased | e.QueueLeft]:
        return super().due(now - 20_000)


class _PassesNothingOn(Book):
    def offer(self, lead_id: str, now: int) -> None:
        return None


class _WithBook(LeadBook):
    """A shell around another state machine."""

    kind: type[Book]

    async def _load(self) -> None:
        await super()._load()
        self._book.__class__ = self.kind


class NothingExpires(_WithBook):
    kind = _NothingExpires


class ExpiresTooLate(_WithBook):
    """By 20 milliseconds."""

    kind = _ExpiresTooLate


class PassesNothingOn(_WithBook):
    kind = _PassesNothingOn


class AnswersBeforeTheCommit(LeadBook):
    _arrivals: Any = ()

    async def _flush(self, arrivals: Any) -> None:
        self._arrivals = arrivals
        await super()._flush(arrivals)
        self._arrivals = ()

    async def _write(self, store: Any, outcome: Any, now: int) -> Any:
        public, contacts = await super()._write(store, outcome, now)
        replies = [Reply(answer) for answer in outcome.replies]
        for arrival in self._arrivals:
            count = len(arrival.requests)
            if len(replies) >= count and not arrival.replies.done():
                arrival.replies.set_result(replies[:count])
            replies = replies[count:]
        await asyncio.sleep(0.02)
        return public, contacts


class NeverReloads(LeadBook):
    """What a lost flush left in memory is taken for true."""

    async def _recover(self, error: Exception) -> None:
        if self._store is not None and self._store.is_closed:
            self._store = await self._connect()
        self._ahead = False
        await self._pause()


class TrustsItsClock(LeadBook):
    """Time begins where the machine's clock stands, were it behind the journal."""

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


# By name: the parts, and what the audit says of them sooner or later.
MUTANTS = {
    parts.name: (parts, said)
    for parts, said in (
        (Parts(store=IgnoresTheEpoch), "goes on though"),
        (Parts(store=FlushesUnfenced), "the journal has a gap"),
        (Parts(store=RaisesNoEpoch), "goes on though"),
        (Parts(store=ForgetsAnswers), "later"),
        (Parts(store=CommitsBitByBit), "the tables are not what the journal folds to"),
        (Parts(store=ChargesApart), "the transfers sum to"),
        (Parts(store=WritesTheBalanceItRead), "the transfers sum to"),
        (Parts(store=ForgetsWhoWaits), "wait for"),
        (Parts(book=NothingExpires), "past the deadline"),
        (Parts(book=ExpiresTooLate), "past the deadline"),
        (Parts(book=PassesNothingOn), "wait for"),
        (Parts(book=AnswersBeforeTheCommit), "was acknowledged and is lost"),
        (Parts(book=NeverReloads), "the book remembers other than the tables say"),
        (Parts(book=TrustsItsClock), "the journal's time goes back"),
        (Parts(book=RefusesFromMemory), "which never was so"),
        (Parts(client=AsksUnderANewId), "was sold, and nobody was told"),
        (Parts(publisher=NeverCatchesUp), "the stream tells"),
    )
}
