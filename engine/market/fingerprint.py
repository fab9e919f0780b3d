"""A hash of a book's whole state, to compare two ways of arriving at it."""

from __future__ import annotations

import hashlib

from engine.market.book import Book
from engine.market.lead import Lead


def fingerprint(book: Book, now: int) -> str:
    """Hex SHA-256 over every lead, merge, seat and hold remembered at `now` (µs)."""
    digest = hashlib.sha256()
    for lead_id in sorted(book.leads):
        digest.update(repr((lead_id, _lead_facts(book.leads[lead_id], now))).encode())
    digest.update(repr(sorted(book.merged_into.items())).encode())
    return digest.hexdigest()


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
        )
        for user, s in (lead.taken or {}).items()
    )
    past = sorted(
        (user, p.first_held_at, p.ended_because, p.forget_at)
        for user, p in (lead.past or {}).items()
        if p.forget_at > now
    )
    return (lead.price, lead.max_buyers, lead.state, lead.sold, lead.held, seats, past)
