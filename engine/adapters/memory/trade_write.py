"""What a batch of trades came to, written row by row: `trade_statement` in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from engine.adapters.memory.rows import (
    CommandRow,
    HoldCount,
    JournalEntry,
    Order,
    SeatRow,
    Transfer,
)
from engine.adapters.memory.schema import Schema
from engine.adapters.memory.transaction import Transaction
from engine.adapters.postgres.trade_statement import HOUSE_FEES
from engine.market.answers import Bought, Contact
from engine.market.book import Book
from engine.market.lead import Lead, Seat
from engine.market.outcome import Outcome, Priced
from engine.ports import JournalRow

_encode_event = msgspec.json.Encoder().encode
_encode_answer = msgspec.msgpack.Encoder().encode


class TradeWrite:
    """One batch on its way into the tables; `book` is as it is after it, `at` in µs."""

    def __init__(
        self,
        market: str,
        outcome: Outcome,
        rows: Sequence[JournalRow],
        book: Book,
        *,
        epoch: int,
        at: int,
        matched_before: int,
    ) -> None:
        self.market = market
        self.outcome = outcome
        self.rows = rows
        self.book = book
        self.epoch = epoch
        self.at = at
        self.advances = bool(rows) or outcome.matched_position != matched_before
        self.bought = [answer.lead_id for answer in outcome.replies if isinstance(answer, Bought)]

    def is_needed(self) -> bool:
        outcome = self.outcome
        trades = (outcome.leads, outcome.seats, outcome.holders, outcome.sales, outcome.movements)
        return any((*trades, outcome.wallets, self.advances, outcome.answers, self.bought))

    async def carry_out(self, transaction: Transaction, tables: Schema) -> dict[str, Contact]:
        """The contacts of the leads bought."""
        await self._trading(transaction, tables)
        await self._seats(transaction, tables)
        await self._hold_counts(transaction, tables)
        await self._sales(transaction, tables)
        await self._fees(transaction, tables)
        await self._wallets(transaction, tables)
        await self._journal(transaction, tables)
        await self._answers(transaction, tables)
        found = {id_: transaction.get(tables.contacts, id_) for id_ in self.bought}
        return {lead_id: row.contact for lead_id, row in found.items() if row is not None}

    async def _trading(self, transaction: Transaction, tables: Schema) -> None:
        for lead_id, lead in self.outcome.leads.items():
            if lead_id not in self.outcome.listed:
                changes = trading_columns(lead) | priced_columns(lead_id, self.outcome.priced)
                del changes["max_buyers"]
                await transaction.update(tables.lead_trading, lead_id, **changes)

    async def _seats(self, transaction: Transaction, tables: Schema) -> None:
        if not self.outcome.seats:
            return
        seats = tables.seats
        taken = {(row.lead_id, row.user_id): row for row in transaction.rows(seats)}
        for lead_id, user_id in sorted(self.outcome.seats):
            lead = self.book.leads[lead_id]
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

    async def _hold_counts(self, transaction: Transaction, tables: Schema) -> None:
        counts = tables.hold_counts
        for user_id in sorted(self.outcome.holders):
            row = HoldCount(
                user_id,
                self.market,
                self.book.holds_of.get(user_id, 0),
                self.book.value_of.get(user_id, 0),
            )
            if not await transaction.update(counts, counts.key(row), **row._asdict()):
                await transaction.insert(counts, row)

    async def _sales(self, transaction: Transaction, tables: Schema) -> None:
        for sale in self.outcome.sales:
            order = Order(
                sale.order_id, self.market, sale.lead_id, sale.user_id, sale.seat, sale.price,
                self.at, sale.standing_order_id,
            )  # fmt: skip
            await transaction.insert(tables.orders, order)
            if sale.price > 0:
                moved = Transfer(
                    f"order:{sale.order_id}", f"user:{sale.user_id}", "house:sales", sale.price,
                    "purchase", sale.order_id, self.at,
                )  # fmt: skip
                await transaction.insert(tables.transfers, moved)

    async def _fees(self, transaction: Transaction, tables: Schema) -> None:
        for m in self.outcome.movements:
            buyer = f"user:{m.user_id}"
            debit, credit = (HOUSE_FEES, buyer) if m.amount > 0 else (buyer, HOUSE_FEES)
            row = Transfer(
                f"{m.reason}:{self.market}:{m.position}.{m.number}", debit, credit,
                abs(m.amount), m.reason, m.lead_id, self.at,
            )  # fmt: skip
            await transaction.insert(tables.transfers, row)

    async def _wallets(self, transaction: Transaction, tables: Schema) -> None:
        for user_id, change in self.outcome.wallets.items():
            wallet = await transaction.lock(tables.wallets, user_id)
            if wallet is not None:
                balance = wallet.balance + change
                await transaction.update(tables.wallets, user_id, balance=balance)

    async def _journal(self, transaction: Transaction, tables: Schema) -> None:
        for row in self.rows:
            entry = JournalEntry(
                self.market, row.position, row.feed_seq, self.at, row.event.lead_id,
                _encode_event(row.event), row.public,
            )  # fmt: skip
            await transaction.insert(tables.market_events, entry)
        market = transaction.get(tables.markets, self.market)
        if self.advances and market is not None and market.epoch == self.epoch:
            await transaction.update(
                tables.markets,
                self.market,
                position=self.outcome.position,
                feed_seq=self.outcome.feed_seq,
                journal_at=self.at,
                matched_position=self.outcome.matched_position,
            )

    async def _answers(self, transaction: Transaction, tables: Schema) -> None:
        for command_id, stored in self.outcome.answers.items():
            answer = _encode_answer(stored.answer)
            row = CommandRow(command_id, self.market, stored.request_hash, answer, self.at)
            await transaction.insert(tables.commands, row)


def trading_columns(lead: Lead) -> dict[str, Any]:
    return {
        "lead_state": lead.state,
        "price": lead.price,
        "max_buyers": lead.max_buyers,
        "sold": lead.sold,
        "held": lead.held,
        "decide_at": lead.decide_at or None,
        "rounds": lead.rounds,
    }


def priced_columns(lead_id: str, priced: Mapping[str, Priced]) -> dict[str, Any]:
    """What a new price brings; nothing without one, and a listing has no tick yet."""
    if (new := priced.get(lead_id)) is None:
        return {}
    made: dict[str, Any] = {"price_parts": new.parts}
    return made if new.position is None else made | {"tick_position": new.position}


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
        seat.is_offer,
        seat.fee,
    )
