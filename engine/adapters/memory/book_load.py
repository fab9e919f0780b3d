"""Fills an empty book from the tables in memory, as `engine/adapters/postgres/book_load.py`
does from the real ones."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from engine.adapters.memory.rows import SeatRow
from engine.adapters.memory.schema import Schema
from engine.adapters.memory.table import Table
from engine.adapters.memory.transaction import Transaction
from engine.market.book import Book
from engine.market.instant import from_datetime
from engine.market.lead import Lead, LeadState, PastHold, Seat
from engine.market.rules import RECENT_WINS_US
from engine.market.standing_orders import StandingOrder
from engine.market.standing_rules import local_day, local_time
from engine.market.standing_terms import StandingTerms

_terms = msgspec.json.Decoder(StandingTerms).decode


def load_book(transaction: Transaction, tables: Schema, market: str, book: Book, now: int) -> None:
    """All that trading needs of `market` at `now` (µs)."""

    def mine(table: Table) -> list[Any]:
        return [row for row in transaction.rows(table) if row.market == market]

    for row in mine(tables.lead_trading):
        book.load_lead(row.lead_id, _lead(row))
    for row in mine(tables.seats):
        book.load_seat(row.lead_id, row.user_id, _seat(row))
    for row in mine(tables.leads):
        if row.merged_into is not None:
            book.load_merge(row.lead_id, row.merged_into)
    for row in mine(tables.past_holds):
        if row.forget_at > now:
            past = PastHold(row.first_held_at, row.ended_because, row.forget_at)
            book.load_past(row.lead_id, row.user_id, past)
    for row in sorted(mine(tables.queue_places), key=lambda row: row.number):
        book.waiting.join(row.lead_id, row.user_id)
    for row in sorted(mine(tables.claims), key=lambda row: row.decided_at):
        if row.result == "won" and row.decided_at > now - RECENT_WINS_US:
            book.claims.won(row.user_id, row.decided_at)
    live = [row for row in mine(tables.standing_orders) if row.cancelled_at is None]
    if live:
        _load_standing(book, live, mine(tables.orders), now)
        (own,) = mine(tables.markets)
        for row in sorted(mine(tables.price_ticks), key=lambda row: row.position):
            if row.position > own.matched_position:
                book.claims.tick(row.lead_ids, row.position)


def _load_standing(book: Book, live: list[Any], orders: list[Any], now: int) -> None:
    zone = book.rules.zone
    today = local_day(now, zone)
    midnight = local_time(now, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    since = from_datetime(midnight)
    bought_today = Counter(
        row.standing_order_id
        for row in orders
        if row.standing_order_id is not None and row.bought_at >= since
    )
    for row in live:
        book.standing.put(
            StandingOrder(
                row.standing_order_id,
                row.user_id,
                _terms(row.terms),
                placed_at=row.placed_at,
                revision=row.revision,
                bought=row.bought,
                spent=row.spent,
                day=today,
                bought_today=bought_today[row.standing_order_id],
            )
        )


def _lead(row: Any) -> Lead:
    state: LeadState = row.lead_state
    return Lead(
        row.price, row.max_buyers, state, row.sold, row.held, row.decide_at or 0, row.rounds
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
        is_offer=row.is_offer,
        fee=row.fee,
    )
