"""The durable side of one market's book, in memory: `engine.ports.BookStorage` without a server.

What each method promises is said in `engine/adapters/postgres/book_store.py`; the same
tests hold both to it, and compare the rows they write.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import msgspec

from engine.adapters.memory.book_load import load_book
from engine.adapters.memory.database import MemoryDatabase
from engine.adapters.memory.fair_trading_write import write_contests, write_lines, write_standing
from engine.adapters.memory.journal import MemoryJournal
from engine.adapters.memory.listed_facts import facts_of, says
from engine.adapters.memory.rows import (
    LeadTrading,
    ListedLead,
    Market,
    PastHoldRow,
    PriceTick,
)
from engine.adapters.memory.trade_write import TradeWrite, priced_columns, trading_columns
from engine.adapters.memory.transaction import Transaction
from engine.adapters.postgres.teaser import teaser
from engine.market.account import Account
from engine.market.answers import Answer, Contact
from engine.market.book import Book
from engine.market.instant import to_datetime
from engine.market.lead import Lead
from engine.market.listing import PUBLIC_FACTS, Listing
from engine.market.outcome import Outcome, Priced, StoredAnswer
from engine.market.outcome import Tick as Repricing
from engine.market.plan import Plan
from engine.ports import Fenced, JournalRow, Standing, Takeover

_decode_answer = msgspec.msgpack.Decoder(Answer).decode


class MemoryBookStore(MemoryJournal):
    """One connection, one market. Not for concurrent use."""

    @classmethod
    async def connect(cls, database: MemoryDatabase, market: str) -> MemoryBookStore:
        return cls(await database.connect(f"book:{market}"), market)

    # --- ownership ---------------------------------------------------------------

    async def take_over(self) -> Takeover:
        async def statement(transaction: Transaction) -> Takeover:
            row = await transaction.lock(self._tables.markets, self.market)
            if row is None:
                raise LookupError(f"market {self.market} is not in the database")
            await transaction.update(self._tables.markets, self.market, epoch=row.epoch + 1)
            return _takeover(row._replace(epoch=row.epoch + 1))

        return await self.connection.run("take over", statement)

    async def resume(self, epoch: int) -> Takeover:
        async def statement(transaction: Transaction) -> Market | None:
            return await transaction.lock(self._tables.markets, self.market)

        row = await self.connection.run("resume", statement)
        if row is None or row.epoch != epoch:
            raise Fenced(f"{self.market}: epoch {epoch} was superseded by {row and row.epoch}")
        return _takeover(row)

    async def owns(self, epoch: int) -> bool:
        async def statement(transaction: Transaction) -> bool:
            row = transaction.get(self._tables.markets, self.market)
            return row is not None and bool(row.epoch == epoch)

        return await self.connection.run("owns", statement)

    @asynccontextmanager
    async def flush(
        self, epoch: int, command_ids: Sequence[bytes] = ()
    ) -> AsyncIterator[dict[bytes, StoredAnswer]]:
        async with self.connection.transaction():
            yield await self._fence(epoch, command_ids)

    async def _fence(self, epoch: int, command_ids: Sequence[bytes]) -> dict[bytes, StoredAnswer]:
        async def statement(transaction: Transaction) -> tuple[int | None, dict[bytes, Any]]:
            # The statement's snapshot is older than the lock it may wait for.
            commands = self._tables.commands
            known = {
                id_: StoredAnswer(row.request_hash, _decode_answer(row.answer))
                for id_ in command_ids
                if (row := transaction.get(commands, id_)) is not None
            }
            row = await transaction.lock(self._tables.markets, self.market)
            return row and row.epoch, known

        current, known = await self.connection.run("fence", statement)
        if current != epoch:
            raise Fenced(f"{self.market}: epoch {epoch} was superseded by {current}")
        return known

    # --- what a flush reads --------------------------------------------------------

    async def lock_accounts(
        self, user_ids: Sequence[str], plans: Mapping[str, Plan], *, count_holds: bool
    ) -> dict[str, Account]:
        async def lock(transaction: Transaction) -> dict[str, Account]:
            found = {}
            for user_id in sorted(user_ids):
                user = transaction.get(self._tables.users, user_id)
                wallet = await transaction.lock(self._tables.wallets, user_id)
                if user is not None and wallet is not None:
                    plan = plans.get(user.plan, plans["basic"])
                    found[user_id] = Account(
                        user_id, wallet.balance, plan, may_trade=user.status == "active"
                    )
            return found

        async def count(transaction: Transaction) -> None:
            for row in transaction.rows(self._tables.hold_counts):
                if row.user_id in accounts and row.market != self.market:
                    accounts[row.user_id].live_holds += row.live_holds
                    accounts[row.user_id].held_value += row.held_value

        accounts = await self.connection.run("lock wallets", lock)
        if count_holds and accounts:
            await self.connection.run("count holds", count)
        return accounts

    async def standings(
        self, user_ids: Sequence[str], plans: Mapping[str, Plan]
    ) -> dict[str, Standing]:
        async def statement(transaction: Transaction) -> dict[str, Standing]:
            found = {}
            for user_id in sorted(user_ids):
                user = transaction.get(self._tables.users, user_id)
                wallet = transaction.get(self._tables.wallets, user_id)
                if user is not None and wallet is not None and user.status == "active":
                    found[user_id] = Standing(plans.get(user.plan, plans["basic"]), wallet.balance)
            return found

        return await self.connection.run("standings", statement)

    async def facts(self, lead_ids: Sequence[str]) -> dict[str, Listing]:
        async def statement(transaction: Transaction) -> dict[str, Listing]:
            rows = [transaction.get(self._tables.leads, lead_id) for lead_id in lead_ids]
            return {row.lead_id: facts_of(row.listing) for row in rows if row is not None}

        return await self.connection.run("facts", statement)

    async def saying(self, pairs: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        """By whole words alone: no stems, quotes or exclusions."""

        async def statement(transaction: Transaction) -> set[tuple[str, str]]:
            leads = self._tables.leads
            return {
                (lead_id, text)
                for lead_id, text in pairs
                if (row := transaction.get(leads, lead_id)) is not None and says(row.listing, text)
            }

        return await self.connection.run("saying", statement)

    async def teasers(self, lead_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        async def statement(transaction: Transaction) -> dict[str, dict[str, Any]]:
            found = {}
            for lead_id in lead_ids:
                lead = transaction.get(self._tables.leads, lead_id)
                trading = transaction.get(self._tables.lead_trading, lead_id)
                if lead is not None and trading is not None:
                    found[lead_id] = _teaser(lead, trading)
            return found

        return await self.connection.run("teasers", statement)

    # --- what a flush writes -------------------------------------------------------

    async def write_listings(
        self,
        listed: Mapping[str, Listing],
        updated: Mapping[str, Listing],
        leads: Mapping[str, Lead],
        priced: Mapping[str, Priced],
        at: int,
    ) -> None:
        tables = self._tables

        async def insert(transaction: Transaction) -> None:
            for lead_id, listing in listed.items():
                row = ListedLead(lead_id, self.market, at, at, _public(listing))
                await transaction.insert(tables.leads, row)

        async def insert_trading(transaction: Transaction) -> None:
            for lead_id in listed:
                columns = trading_columns(leads[lead_id]) | priced_columns(lead_id, priced)
                row = LeadTrading(lead_id, self.market, **columns)
                await transaction.insert(tables.lead_trading, row)

        async def update(transaction: Transaction) -> None:
            for lead_id, listing in updated.items():
                row = transaction.get(tables.leads, lead_id)
                if row is not None:
                    kept = _with_fixed_point(_public(listing), row.listing)
                    await transaction.update(tables.leads, lead_id, updated_at=at, listing=kept)

        if listed:
            await self.connection.run("insert leads", insert)
            await self.connection.run("insert trading", insert_trading)
        if updated:
            await self.connection.run("update leads", update)

    async def write_merges(self, merged_into: Mapping[str, str | None]) -> None:
        async def statement(transaction: Transaction) -> None:
            for lead_id, into in merged_into.items():
                await transaction.update(self._tables.leads, lead_id, merged_into=into)

        await self.connection.run("write merges", statement)

    async def end_seats(self, pairs: Iterable[tuple[str, str]]) -> None:
        pairs = sorted(pairs)

        async def statement(transaction: Transaction) -> None:
            seats = self._tables.seats
            taken = {(row.lead_id, row.user_id): seats.key(row) for row in transaction.rows(seats)}
            for pair in pairs:
                if pair in taken:
                    await transaction.delete(seats, taken[pair])

        await self.connection.run("end seats", statement)

    async def write_past_holds(
        self, pairs: Iterable[tuple[str, str]], leads: Mapping[str, Lead]
    ) -> None:
        pairs = sorted(pairs)

        async def forget(transaction: Transaction) -> None:
            for pair in pairs:
                await transaction.delete(self._tables.past_holds, pair)

        async def remember(transaction: Transaction) -> None:
            for lead_id, user_id in pairs:
                past = (leads[lead_id].past or {}).get(user_id)
                if past is not None:
                    row = PastHoldRow(
                        lead_id, user_id, self.market,
                        past.first_held_at, past.ended_because, past.forget_at,
                    )  # fmt: skip
                    await transaction.insert(self._tables.past_holds, row)

        await self.connection.run("forget past holds", forget)
        await self.connection.run("remember past holds", remember)

    async def write_ticks(self, ticks: Sequence[Repricing], at: int) -> None:
        async def statement(transaction: Transaction) -> None:
            for position, tick, parts in ticks:
                leads = [transaction.get(self._tables.lead_trading, id_) for id_ in tick.lead_ids]
                before = [
                    None if lead is None or (lead.tick_position or position) >= position
                    else lead.tick_position
                    for lead in leads
                ]  # fmt: skip
                row = PriceTick(
                    self.market, position, at, tick.reason, list(tick.lead_ids),
                    list(tick.prices), list(parts) or None, before,
                )  # fmt: skip
                await transaction.insert(self._tables.price_ticks, row)

        await self.connection.run("write ticks", statement)

    async def write_fair_trading(self, outcome: Outcome, at: int) -> None:
        if outcome.joined or outcome.left:
            await self.connection.run(
                "write lines", partial(write_lines, self._tables, self.market, outcome, at)
            )
        if outcome.standing:
            await self.connection.run(
                "write standing", partial(write_standing, self._tables, self.market, outcome, at)
            )
        if outcome.contests:
            await self.connection.run(
                "write contests", partial(write_contests, self._tables, self.market, outcome, at)
            )

    async def write(
        self,
        outcome: Outcome,
        rows: Sequence[JournalRow],
        book: Book,
        *,
        epoch: int,
        at: int,
        matched_before: int,
    ) -> dict[str, Contact]:
        """One statement, as it is one over there."""
        write = TradeWrite(
            self.market, outcome, rows, book, epoch=epoch, at=at, matched_before=matched_before
        )
        if not write.is_needed():
            return {}

        async def statement(transaction: Transaction) -> dict[str, Contact]:
            return await write.carry_out(transaction, self._tables)

        return await self.connection.run("write", statement)

    # --- load ----------------------------------------------------------------------

    async def load(self, book: Book, now: int) -> None:
        async def statement(transaction: Transaction) -> None:
            load_book(transaction, self._tables, self.market, book, now)

        await self.connection.run("load", statement)

    # --- upkeep --------------------------------------------------------------------

    async def prune(self, now: int, answers_kept_us: int, batch: int = 5_000) -> bool:
        tables = self._tables

        async def answers(transaction: Transaction) -> int:
            old = [
                row.command_id
                for row in self._mine(transaction, "commands")
                if row.decided_at < now - answers_kept_us
            ][:batch]
            for command_id in old:
                await transaction.delete(tables.commands, command_id)
            return len(old)

        async def holds(transaction: Transaction) -> int:
            over = [
                (row.lead_id, row.user_id)
                for row in self._mine(transaction, "past_holds")
                if row.forget_at <= now
            ][:batch]
            for key in over:
                await transaction.delete(tables.past_holds, key)
            return len(over)

        deleted = (
            await self.connection.run("prune answers", answers),
            await self.connection.run("prune past holds", holds),
        )
        return batch in deleted


def _takeover(row: Market) -> Takeover:
    return Takeover(
        row.epoch,
        row.position,
        row.feed_seq,
        row.journal_at,
        row.matched_position,
        row.secret,
        row.time_zone,
    )


def _public(listing: Listing) -> Listing:
    """What a table keeps of it: the rest is in the journal alone."""
    return msgspec.structs.replace(listing, quality_parts=None)


def _with_fixed_point(listing: Listing, old: Listing) -> Listing:
    """The rounded point is fixed at first listing."""
    return msgspec.structs.replace(
        listing,
        latitude=listing.latitude if old.latitude is None else old.latitude,
        longitude=listing.longitude if old.longitude is None else old.longitude,
    )


def _teaser(lead: ListedLead, trading: LeadTrading) -> dict[str, Any]:
    row = {name: getattr(lead.listing, name) for name in PUBLIC_FACTS}
    row |= trading._asdict()
    row["sources"] = list(lead.listing.sources)
    row["listed_at"] = to_datetime(lead.listed_at)
    row["seats_left"] = trading.max_buyers - trading.sold - trading.held
    return teaser(row)
