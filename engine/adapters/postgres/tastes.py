"""What tells of a buyer's taste, bounded: what was bought, held, looked at and ordered ahead.

All raise asyncpg.PostgresError, asyncpg.InterfaceError, OSError or TimeoutError when the
database is away.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import asyncpg
import msgspec

from engine.adapters.postgres.listing_rows import FACT_COLUMNS, listing_of
from engine.market.instant import from_datetime
from engine.market.listing import Listing
from engine.market.standing_terms import StandingTerms

BOUGHT_MAX = 200
HELD_MAX = 100
VIEWED_MAX = 100
STANDING_MAX = 50
MINE_MAX = 5_000
VIEWED_DAYS = 21
# Batches of sightings that are looked into for one buyer's.
_BATCHES_MAX = 300
_DAY_US = 86_400_000_000

Kind = Literal["bought", "held", "viewed"]


class Acted(NamedTuple):
    """One act on a lead: `at` and `listed_at` in µs, `price` in credits: what was paid or held
    at, else what the lead costs."""

    lead_id: str
    kind: Kind
    at: int
    price: int
    listed_at: int
    listing: Listing


async def acts(connection: asyncpg.Pool, user_id: str, now: int) -> list[Acted]:
    """Of the buyer until `now` (µs), not on leads in quarantine. A lead comes once for each kind
    of act."""
    rows = await connection.fetch(
        "WITH acts AS ("
        "(SELECT lead_id, 'bought' AS kind, bought_at AS acted_at, price FROM orders"
        " WHERE user_id = $1 ORDER BY bought_at DESC LIMIT $3) UNION ALL"
        " (SELECT lead_id, 'held', held_at, price FROM seats"
        " WHERE user_id = $1 AND order_id IS NULL AND NOT is_offer LIMIT $4) UNION ALL"
        " (SELECT lead_id, 'held', first_held_at, NULL FROM past_holds"
        " WHERE user_id = $1 ORDER BY first_held_at DESC LIMIT $4) UNION ALL"
        " (SELECT s.lead_id, 'viewed', max(d.at), NULL FROM (SELECT at, lead_ids, user_ids, kinds"
        " FROM demand_signals WHERE viewer_ids @> ARRAY[$1] AND at > $2"
        " ORDER BY at DESC LIMIT $6) d, unnest(d.lead_ids, d.user_ids, d.kinds)"
        " s(lead_id, user_id, kind) WHERE s.user_id = $1 AND s.kind = 1"
        " GROUP BY s.lead_id ORDER BY max(d.at) DESC LIMIT $5))"
        " SELECT lead_id, kind, acted_at, coalesce(a.price, t.price) AS price, l.listed_at,"
        f" {FACT_COLUMNS} FROM acts a JOIN leads l USING (lead_id)"
        " JOIN lead_trading t USING (lead_id) WHERE t.lead_state <> 'quarantined'",
        user_id,
        now - VIEWED_DAYS * _DAY_US,
        BOUGHT_MAX,
        HELD_MAX,
        VIEWED_MAX,
        _BATCHES_MAX,
    )
    return [
        Acted(
            row["lead_id"],
            row["kind"],
            row["acted_at"],
            max(row["price"], 1),
            from_datetime(row["listed_at"]),
            listing_of(row),
        )
        for row in rows
    ]


class Ordered(NamedTuple):
    """A standing order that lives; `at` (µs) is when it was last changed."""

    market: str
    at: int
    terms: StandingTerms


async def standing(connection: asyncpg.Pool, user_id: str) -> list[Ordered]:
    """The buyer's, the newest first."""
    rows = await connection.fetch(
        "SELECT market, changed_at, terms FROM standing_orders"
        " WHERE user_id = $1 AND cancelled_at IS NULL ORDER BY changed_at DESC LIMIT $2",
        user_id,
        STANDING_MAX,
    )
    return [Ordered(row[0], row[1], msgspec.convert(row[2], StandingTerms)) for row in rows]


async def mine(connection: asyncpg.Pool, user_id: str) -> frozenset[str]:
    """Leads with seats left of which the buyer has one, bought or held."""
    rows = await connection.fetch(
        "SELECT lead_id FROM (SELECT lead_id FROM orders WHERE user_id = $1 UNION"
        " SELECT lead_id FROM seats WHERE user_id = $1 AND order_id IS NULL) taken"
        " JOIN lead_trading t USING (lead_id) WHERE t.lead_state = 'available' LIMIT $2",
        user_id,
        MINE_MAX,
    )
    return frozenset(row[0] for row in rows)
