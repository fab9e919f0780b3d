"""Fills an empty book from the projected tables."""

from __future__ import annotations

import asyncpg
import msgspec

from engine.market.book import Book
from engine.market.instant import from_datetime
from engine.market.lead import Lead, PastHold, Seat
from engine.market.rules import RECENT_WINS_US
from engine.market.standing_orders import StandingOrder
from engine.market.standing_rules import local_day, local_time
from engine.market.standing_terms import StandingTerms

_terms = msgspec.json.Decoder(StandingTerms).decode


async def load_book(connection: asyncpg.Connection, market: str, book: Book, now: int) -> None:
    """All that trading needs of `market` at `now` (µs). Within one transaction's snapshot."""
    for row in await connection.fetch(
        "SELECT lead_id, price, max_buyers, lead_state, sold, held, decide_at, rounds"
        " FROM lead_trading WHERE market = $1",
        market,
    ):
        lead_id, price, max_buyers, state, sold, held, decide_at, rounds = row
        book.load_lead(lead_id, Lead(price, max_buyers, state, sold, held, decide_at or 0, rounds))
    await _load_seats(connection, market, book)
    for lead_id, merged_into in await connection.fetch(
        "SELECT lead_id, merged_into FROM leads WHERE market = $1 AND merged_into IS NOT NULL",
        market,
    ):
        book.load_merge(lead_id, merged_into)
    for lead_id, user_id, first_held_at, because, forget_at in await connection.fetch(
        "SELECT lead_id, user_id, first_held_at, ended_because, forget_at"
        " FROM past_holds WHERE market = $1 AND forget_at > $2",
        market,
        now,
    ):
        book.load_past(lead_id, user_id, PastHold(first_held_at, because, forget_at))
    for lead_id, user_id in await connection.fetch(
        "SELECT lead_id, user_id FROM queue_places WHERE market = $1 ORDER BY number", market
    ):
        book.waiting.join(lead_id, user_id)
    for user_id, decided_at in await connection.fetch(
        "SELECT user_id, decided_at FROM claims"
        " WHERE market = $1 AND result = 'won' AND decided_at > $2 ORDER BY decided_at",
        market,
        now - RECENT_WINS_US,
    ):
        book.claims.won(user_id, decided_at)
    await _load_standing(connection, market, book, now)


async def _load_seats(connection: asyncpg.Connection, market: str, book: Book) -> None:
    for row in await connection.fetch(
        "SELECT lead_id, user_id, seat, price, hold, first_held_at, held_at, held_until,"
        " forget_after, order_id, is_offer, fee FROM seats WHERE market = $1",
        market,
    ):
        seat = Seat(
            row[2],
            row[3],
            hold=row[4],
            first_held_at=row[5] or 0,
            held_at=row[6] or 0,
            held_until=row[7] or 0,
            forget_after=row[8] or 0,
            order_id=row[9],
            is_offer=row[10],
            fee=row[11],
        )
        book.load_seat(row[0], row[1], seat)


async def _load_standing(connection: asyncpg.Connection, market: str, book: Book, now: int) -> None:
    """Live standing orders with what they bought today, and the ticks they have not seen."""
    zone = book.rules.zone
    today = local_day(now, zone)
    midnight = local_time(now, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    bought_today = dict(
        await connection.fetch(
            "SELECT standing_order_id, count(*) FROM orders WHERE market = $1"
            " AND standing_order_id IS NOT NULL AND bought_at >= $2 GROUP BY standing_order_id",
            market,
            from_datetime(midnight),
        )
    )
    rows = await connection.fetch(
        "SELECT standing_order_id, user_id, terms::text, revision, bought, spent, placed_at"
        " FROM standing_orders WHERE market = $1 AND cancelled_at IS NULL",
        market,
    )
    for order_id, user_id, terms, revision, bought, spent, placed_at in rows:
        book.standing.put(
            StandingOrder(
                order_id,
                user_id,
                _terms(terms),
                placed_at=placed_at,
                revision=revision,
                bought=bought,
                spent=spent,
                day=today,
                bought_today=bought_today.get(order_id, 0),
            )
        )
    if rows:
        await _load_unmatched_ticks(connection, market, book)


async def _load_unmatched_ticks(connection: asyncpg.Connection, market: str, book: Book) -> None:
    for position, lead_ids in await connection.fetch(
        "SELECT t.position, t.lead_ids FROM price_ticks t JOIN markets m USING (market)"
        " WHERE t.market = $1 AND t.position > m.matched_position ORDER BY t.position",
        market,
    ):
        book.claims.tick(lead_ids, position)
