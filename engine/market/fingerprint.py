"""A hash of a book's whole state, to compare two ways of arriving at it."""

from __future__ import annotations

import hashlib

from engine.market.book import Book
from engine.market.lead import Lead
from engine.market.standing_rules import local_day


def fingerprint(book: Book, now: int) -> str:
    """Hex SHA-256 over every lead, merge, seat, hold remembered at `now` (µs), line, standing
    order and recent win."""
    digest = hashlib.sha256()
    for lead_id in sorted(book.leads):
        digest.update(repr((lead_id, _lead_facts(book.leads[lead_id], now))).encode())
    digest.update(repr(sorted(book.merged_into.items())).encode())
    digest.update(repr(sorted(book.waiting.lines.items())).encode())
    for order_id in sorted(book.standing.orders):
        digest.update(repr(_order_facts(book, order_id, now)).encode())
    digest.update(repr(book.claims.winners(now)).encode())
    return digest.hexdigest()


def _order_facts(book: Book, order_id: str, now: int) -> tuple[object, ...]:
    order = book.standing.orders[order_id]
    today = order.bought_on(local_day(now, book.rules.zone))
    return (
        order_id, order.user_id, repr(order.terms), order.revision, order.placed_at,
        order.bought, order.spent, today,
    )  # fmt: skip


def _lead_facts(lead: Lead, now: int) -> tuple[object, ...]:
    seats = sorted(
        (
            s.number,
            user,
            s.price,
            s.hold,
            s.first_held_at,
            s.held_at,
            s.held_until,
            s.forget_after,
            s.order_id,
            s.is_offer,
            s.fee,
        )
        for user, s in (lead.taken or {}).items()
    )
    past = sorted(
        (user, p.first_held_at, p.ended_because, p.forget_at)
        for user, p in (lead.past or {}).items()
        if p.forget_at > now
    )
    return (
        lead.price, lead.max_buyers, lead.state, lead.sold, lead.held, lead.rounds, seats, past,
    )  # fmt: skip
