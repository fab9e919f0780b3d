"""The durable side of one market's book, in memory: `engine.ports.BookStorage` without a server.

What each method promises is said in `engine/adapters/postgres/book_store.py`; the same
tests hold both to it, and compare the rows they write.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from engine.adapters.memory.database import MemoryConnection, MemoryDatabase
from engine.adapters.memory.schema import (
    CommandRow,
    HoldCount,
    JournalEntry,
    LeadTrading,
    ListedLead,
    Market,
    Order,
    PastHoldRow,
    PriceTick,
    SeatRow,
    Transfer,
)
from engine.adapters.memory.transaction import Transaction
from engine.adapters.postgres.teaser import teaser
from engine.market import events as e
from engine.market.account import Account
from engine.market.answers import Answer, Bought, Contact
from engine.market.batch import Outcome, StoredAnswer
from engine.market.book import Book
from engine.market.instant import to_datetime
from engine.market.lead import Lead, LeadState, PastHold, Seat
from engine.market.listing import Listing
from engine.market.plan import Plan
from engine.ports import Fenced, JournalRow, Takeover, Tick

_encode_event = msgspec.json.Encoder().encode
_encode_answer = msgspec.msgpack.Encoder().encode
_decode_answer = msgspec.msgpack.Decoder(Answer).decode
_decode_event = msgspec.json.Decoder(e.Event).decode


class MemoryBookStore:
    """One connection, one market. Not for concurrent use."""

    def __init__(self, connection: MemoryConnection, market: str) -> None:
        self.connection = connection
        self.market = market
        self._tables = connection.database.tables

    @classmethod
    async def connect(cls, database: MemoryDatabase, market: str) -> MemoryBookStore:
        return cls(await database.connect(f"book:{market}"), market)

    async def close(self) -> None:
        await self.connection.close()

    @property
    def is_closed(self) -> bool:
        return self.connection.is_closed

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
                if user is None or user.status != "active":
                    continue
                wallet = await transaction.lock(self._tables.wallets, user_id)
                if wallet is not None:
                    plan = plans.get(user.plan, plans["basic"])
                    found[user_id] = Account(user_id, wallet.balance, plan)
            return found

        async def count(transaction: Transaction) -> None:
            for row in transaction.rows(self._tables.hold_counts):
                if row.user_id in accounts and row.market != self.market:
                    accounts[row.user_id].live_holds += row.live_holds

        accounts = await self.connection.run("lock wallets", lock)
        if count_holds and accounts:
            await self.connection.run("count holds", count)
        return accounts

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
        at: int,
    ) -> None:
        tables = self._tables

        async def insert(transaction: Transaction) -> None:
            for lead_id, listing in listed.items():
                row = ListedLead(lead_id, self.market, at, at, listing)
                await transaction.insert(tables.leads, row)

        async def insert_trading(transaction: Transaction) -> None:
            for lead_id in listed:
                row = LeadTrading(lead_id, self.market, **_trading(leads[lead_id]))
                await transaction.insert(tables.lead_trading, row)

        async def update(transaction: Transaction) -> None:
            for lead_id, listing in updated.items():
                row = transaction.get(tables.leads, lead_id)
                if row is not None:
                    kept = _with_fixed_point(listing, row.listing)
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

    async def write_ticks(self, ticks: Sequence[tuple[int, e.LeadsRepriced]], at: int) -> None:
        async def statement(transaction: Transaction) -> None:
            for position, tick in ticks:
                row = PriceTick(
                    self.market, position, at, tick.reason, list(tick.lead_ids), list(tick.prices)
                )
                await transaction.insert(self._tables.price_ticks, row)

        await self.connection.run("write ticks", statement)

    async def write(
        self,
        outcome: Outcome,
        rows: Sequence[JournalRow],
        leads: Mapping[str, Lead],
        holds_of: Mapping[str, int],
        *,
        epoch: int,
        at: int,
    ) -> dict[str, Contact]:
        """One statement, as it is one over there."""
        bought = [answer.lead_id for answer in outcome.replies if isinstance(answer, Bought)]
        trading = (outcome.leads, outcome.seats, outcome.holders, outcome.sales)
        if not any((rows, *trading, outcome.answers, bought)):
            return {}

        async def statement(transaction: Transaction) -> dict[str, Contact]:
            await self._write_trading(transaction, outcome, leads)
            await self._write_seats(transaction, outcome, leads)
            await self._write_hold_counts(transaction, outcome, holds_of)
            await self._write_sales(transaction, outcome, at)
            await self._write_journal(transaction, outcome, rows, epoch, at)
            await self._write_answers(transaction, outcome, at)
            contacts = self._tables.contacts
            found = {lead_id: transaction.get(contacts, lead_id) for lead_id in bought}
            return {lead_id: row.contact for lead_id, row in found.items() if row is not None}

        return await self.connection.run("write", statement)

    async def _write_trading(
        self, transaction: Transaction, outcome: Outcome, leads: Mapping[str, Lead]
    ) -> None:
        for lead_id in outcome.leads:
            if lead_id not in outcome.listed:
                changes = _trading(outcome.leads[lead_id])
                del changes["max_buyers"]
                await transaction.update(self._tables.lead_trading, lead_id, **changes)

    async def _write_seats(
        self, transaction: Transaction, outcome: Outcome, leads: Mapping[str, Lead]
    ) -> None:
        seats = self._tables.seats
        mine = seats.unique["seats_lead_id_user_id_key"]
        taken = {mine(row): row for row in transaction.rows(seats)}
        for lead_id, user_id in sorted(outcome.seats):
            lead = leads[lead_id]
            seat = (lead.taken or {}).get(user_id)
            if seat is None:
                continue
            row = _seat_row(lead_id, user_id, self.market, lead.max_buyers, seat)
            old = taken.get((lead_id, user_id))
            if old is None:
                await transaction.insert(seats, row)
            elif old.order_id is None:
                kept = row._replace(market=old.market, max_buyers=old.max_buyers)
                await transaction.update(seats, seats.key(old), **kept._asdict())

    async def _write_hold_counts(
        self, transaction: Transaction, outcome: Outcome, holds_of: Mapping[str, int]
    ) -> None:
        counts = self._tables.hold_counts
        for user_id in sorted(outcome.holders):
            holds = holds_of.get(user_id, 0)
            if not await transaction.update(counts, (user_id, self.market), live_holds=holds):
                await transaction.insert(counts, HoldCount(user_id, self.market, holds))

    async def _write_sales(self, transaction: Transaction, outcome: Outcome, at: int) -> None:
        tables = self._tables
        for sale in outcome.sales:
            order = Order(
                sale.order_id, self.market, sale.lead_id, sale.user_id, sale.seat, sale.price, at
            )
            await transaction.insert(tables.orders, order)
            if sale.price == 0:
                continue
            moved = Transfer(
                f"order:{sale.order_id}", f"user:{sale.user_id}", "house:sales", sale.price,
                "purchase", sale.order_id, at,
            )  # fmt: skip
            await transaction.insert(tables.transfers, moved)
            wallet = await transaction.lock(tables.wallets, sale.user_id)
            if wallet is not None:
                balance = wallet.balance - sale.price
                await transaction.update(tables.wallets, sale.user_id, balance=balance)

    async def _write_journal(
        self,
        transaction: Transaction,
        outcome: Outcome,
        rows: Sequence[JournalRow],
        epoch: int,
        at: int,
    ) -> None:
        if not rows:
            return
        tables = self._tables
        for row in rows:
            entry = JournalEntry(
                self.market, row.position, row.feed_seq, at, row.event.lead_id,
                _encode_event(row.event), row.public,
            )  # fmt: skip
            await transaction.insert(tables.market_events, entry)
        market = transaction.get(tables.markets, self.market)
        if market is not None and market.epoch == epoch:
            await transaction.update(
                tables.markets,
                self.market,
                position=outcome.position,
                feed_seq=outcome.feed_seq,
                journal_at=at,
            )

    async def _write_answers(self, transaction: Transaction, outcome: Outcome, at: int) -> None:
        for command_id, stored in outcome.answers.items():
            answer = _encode_answer(stored.answer)
            row = CommandRow(command_id, self.market, stored.request_hash, answer, at)
            await transaction.insert(self._tables.commands, row)

    # --- load ----------------------------------------------------------------------

    async def load(self, book: Book, now: int) -> None:
        tables = self._tables

        async def statement(transaction: Transaction) -> None:
            for row in self._mine(transaction, "lead_trading"):
                state: LeadState = row.lead_state
                book.load_lead(
                    row.lead_id, Lead(row.price, row.max_buyers, state, row.sold, row.held)
                )
            for row in self._mine(transaction, "seats"):
                book.load_seat(row.lead_id, row.user_id, _seat(row))
            for row in self._mine(transaction, "leads"):
                if row.merged_into is not None:
                    book.load_merge(row.lead_id, row.merged_into)
            for row in transaction.rows(tables.past_holds):
                if row.market == self.market and row.forget_at > now:
                    past = PastHold(row.first_held_at, row.ended_because, row.forget_at)
                    book.load_past(row.lead_id, row.user_id, past)

        await self.connection.run("load", statement)

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
            return [Tick(*row[1:]) for row in rows if row.position > max(after, oldest)][:limit]

        return await self.connection.run("ticks", statement)

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
    return Takeover(row.epoch, row.position, row.feed_seq, row.journal_at)


def _trading(lead: Lead) -> dict[str, Any]:
    return {
        "lead_state": lead.state,
        "price": lead.price,
        "max_buyers": lead.max_buyers,
        "sold": lead.sold,
        "held": lead.held,
    }


def _seat_row(lead_id: str, user_id: str, market: str, max_buyers: int, seat: Seat) -> SeatRow:
    held = seat.order_id is None
    return SeatRow(
        lead_id,
        seat.number,
        market,
        user_id,
        max_buyers,
        seat.price,
        seat.hold if held else None,
        seat.first_held_at if held else None,
        seat.held_at if held else None,
        seat.held_until if held else None,
        seat.forget_after if held else None,
        seat.order_id,
    )


def _seat(row: SeatRow) -> Seat:
    return Seat(
        row.seat,
        row.price,
        hold=row.hold,
        first_held_at=row.first_held_at or 0,
        held_at=row.held_at or 0,
        held_until=row.held_until or 0,
        forget_after=row.forget_after or 0,
        order_id=row.order_id,
    )


def _with_fixed_point(listing: Listing, old: Listing) -> Listing:
    """The rounded point is fixed at first listing."""
    return msgspec.structs.replace(
        listing,
        latitude=listing.latitude if old.latitude is None else old.latitude,
        longitude=listing.longitude if old.longitude is None else old.longitude,
    )


def _teaser(lead: ListedLead, trading: LeadTrading) -> dict[str, Any]:
    row = {name: getattr(lead.listing, name) for name in Listing.__struct_fields__}
    row |= trading._asdict()
    row["sources"] = list(lead.listing.sources)
    row["listed_at"] = to_datetime(lead.listed_at)
    row["seats_left"] = trading.max_buyers - trading.sold - trading.held
    return teaser(row)
