"""Places in line and the seats offered from it, as their buyer sees them."""

from __future__ import annotations

from typing import Any

import asyncpg
import msgspec

from engine.adapters.postgres.teaser import TEASER_COLUMNS, TEASER_TABLES, teaser

_NOW = "(extract(epoch FROM clock_timestamp()) * 1e6)::int8"
# A buyer's offers, the soonest to end first, then their places, the oldest first.
_MINE = (
    "SELECT s.lead_id, 0 AS kind, s.held_until AS since, s.price AS offer_price,"
    " s.held_until AS offered_until, NULL::int8 AS number"
    " FROM seats s WHERE s.user_id = $1 AND s.order_id IS NULL AND s.is_offer"
    f" AND s.held_until > {_NOW}"
    " UNION ALL SELECT q.lead_id, 1, q.joined_at, NULL, NULL, q.number"
    " FROM queue_places q WHERE q.user_id = $1"
)
_DEADLINES = (
    "ARRAY(SELECT d.held_until FROM seats d WHERE d.lead_id = {lead_id} AND d.order_id IS NULL)"
)
_PLACES = (
    f"SELECT m.kind, m.since, m.offer_price, m.offered_until, {_NOW} AS at,"
    " (SELECT count(*) FROM queue_places w WHERE w.lead_id = m.lead_id) AS waiting,"
    " (SELECT count(*) FROM queue_places w WHERE w.lead_id = m.lead_id AND w.number <= m.number)"
    f" AS position, {_DEADLINES.format(lead_id='m.lead_id')} AS deadlines, {TEASER_COLUMNS}"
    f" FROM ({_MINE}) m JOIN ({TEASER_TABLES}) ON l.lead_id = m.lead_id"
)


class SeatsInUse(msgspec.Struct, frozen=True):
    """When the seats of a lead that are held or offered end, and when this was read (µs)."""

    deadlines: list[int]
    at: int


class Offer(msgspec.Struct, frozen=True):
    """A seat kept for a buyer until `offered_until` (µs) at `price`, undiscounted."""

    price: int
    offered_until: int


class Place(msgspec.Struct, frozen=True):
    """A buyer's place in a lead's line, from 1; 0 once a seat is offered. `lead` is the teaser."""

    lead_id: str
    position: int
    waiting: int
    seats: SeatsInUse
    offer: Offer | None
    lead: dict[str, Any]
    key: tuple[int, int, str]
    """Where the place stands in the list of the buyer's own."""


async def of_user(
    connection: asyncpg.Pool, user_id: str, *, after: tuple[int, int, str] | None, limit: int
) -> list[Place]:
    """The buyer's offers and places, offers first."""
    kind, since, lead_id = after or (None, None, None)
    rows = await connection.fetch(
        f"{_PLACES} WHERE $2::int4 IS NULL OR (m.kind, m.since, m.lead_id) > ($2, $3::int8,"
        " $4::text) ORDER BY m.kind, m.since, m.lead_id LIMIT $5",
        user_id,
        kind,
        since,
        lead_id,
        limit,
    )
    return [_place(row) for row in rows]


async def one(connection: asyncpg.Pool, user_id: str, lead_id: str) -> Place | None:
    """The buyer's place in the line of one lead, or the seat offered from it."""
    row = await connection.fetchrow(f"{_PLACES} WHERE m.lead_id = $2", user_id, lead_id)
    return None if row is None else _place(row)


async def seats_in_use(connection: asyncpg.Pool, lead_id: str) -> SeatsInUse:
    row = await connection.fetchrow(f"SELECT {_DEADLINES.format(lead_id='$1')}, {_NOW}", lead_id)
    return SeatsInUse(row[0], row[1])


def _place(row: asyncpg.Record) -> Place:
    until = row["offered_until"]
    return Place(
        row["lead_id"],
        row["position"],
        row["waiting"],
        SeatsInUse(row["deadlines"], row["at"]),
        None if until is None else Offer(row["offer_price"], until),
        teaser(row),
        (row["kind"], row["since"], row["lead_id"]),
    )
