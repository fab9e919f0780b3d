"""What the journal says of single leads: their past, as standing orders are judged by it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import asyncpg
import msgspec

from engine.adapters.postgres.search_vector import SEARCH_VECTOR, SEARCHED
from engine.market import events as e
from engine.market.lead_history import Entry, PricePoint

_decode = msgspec.json.Decoder(e.Event).decode
# Ticks looked at for one lead: a market's are many, and no index finds a lead's.
TICKS_MAX = 5_000
# Entries that say nothing of a lead's facts, price or seats; a tick names only its first lead.
_LEFT_OUT = "('repriced', 'claims_decided', 'queue_joined', 'extended')"


async def entries(
    connection: asyncpg.Connection, lead_ids: Sequence[str]
) -> dict[str, list[Entry]]:
    """Of each lead, in order, without its remarks. `price` is what the feed told of a lead
    that was on offer again."""
    rows = await connection.fetch(
        "SELECT lead_id, position, at, (event #- '{listing,public_remarks}')::text,"
        " CASE WHEN event->>'type' IN ('relisted', 'approved')"
        " THEN (public->'lead'->>'price')::int8 END"
        f" FROM market_events WHERE lead_id = ANY($1) AND event->>'type' NOT IN {_LEFT_OUT}"
        " ORDER BY lead_id, position",
        lead_ids,
    )
    found: dict[str, list[Entry]] = {}
    for lead_id, position, at, event, price in rows:
        found.setdefault(lead_id, []).append(Entry(position, at, _decode(event), price))
    return found


async def saying(
    connection: asyncpg.Connection, lead_ids: Sequence[str], q: str
) -> dict[str, frozenset[int]]:
    """Of each lead the positions of those entries whose text a search for `q` finds.

    What was said last is what search looks at now, ready made.
    """
    rows = await connection.fetch(
        "SELECT e.lead_id, array_agg(e.position) FROM (SELECT lead_id, position, event->'listing'"
        " AS listing, max(position) OVER (PARTITION BY lead_id) AS last FROM market_events"
        " WHERE lead_id = ANY($1) AND event ? 'listing') e JOIN leads USING (lead_id)"
        " WHERE CASE WHEN e.position = e.last"
        " THEN leads.search @@ websearch_to_tsquery('english', $2)"
        f" ELSE (SELECT {SEARCH_VECTOR} FROM jsonb_to_record(e.listing) AS l({SEARCHED}))"
        " @@ websearch_to_tsquery('english', $2) END GROUP BY e.lead_id",
        lead_ids,
        q,
    )
    found = {row[0]: frozenset(row[1]) for row in rows}
    return {lead_id: found.get(lead_id, frozenset()) for lead_id in lead_ids}


async def bought_as_another(
    connection: asyncpg.Connection, user_id: str, market: str
) -> dict[str, int]:
    """Leads into which one was merged that the buyer had bought, and since when (µs)."""
    rows = await connection.fetch(
        "WITH RECURSIVE mine (lead_id, since) AS (SELECT o.lead_id, o.bought_at FROM orders o"
        " WHERE o.user_id = $1 AND o.market = $2"
        " UNION SELECT l.merged_into, greatest(m.since, (SELECT max(e.at) FROM market_events e"
        " WHERE e.lead_id = l.lead_id AND e.event ? 'merged_into'))"
        " FROM mine m JOIN leads l ON l.lead_id = m.lead_id WHERE l.merged_into IS NOT NULL)"
        " SELECT lead_id, min(since) FROM mine m"
        " WHERE NOT EXISTS (SELECT FROM orders o WHERE o.lead_id = m.lead_id AND o.user_id = $1)"
        " GROUP BY lead_id",
        user_id,
        market,
    )
    return {row[0]: row[1] for row in rows}


class Points(NamedTuple):
    """A lead's prices, oldest first: every one past journal position `after`."""

    prices: list[PricePoint]
    after: int


async def points(
    connection: asyncpg.Connection, market: str, lead_id: str, *, after: int, limit: int
) -> Points:
    """The lead's newest prices past `after`: at most `limit`, of the newest TICKS_MAX ticks."""
    bound = await connection.fetchval(
        "SELECT position FROM price_ticks WHERE market = $1 AND position > $2"
        " ORDER BY position DESC OFFSET $3 LIMIT 1",
        market,
        after,
        TICKS_MAX,
    )
    after = bound or after
    rows = await connection.fetch(
        "SELECT position, at, prices[array_position(lead_ids, $3)] FROM price_ticks"
        " WHERE market = $1 AND position > $2 AND $3 = ANY(lead_ids)"
        " ORDER BY position DESC LIMIT $4",
        market,
        after,
        lead_id,
        limit + 1,
    )
    if len(rows) > limit:
        after = rows.pop()[0]
    return Points([PricePoint(*row) for row in reversed(rows)], after)
