"""Standing orders as their buyer sees them."""

from __future__ import annotations

from typing import Any

import asyncpg
import msgspec

from engine.market.standing_terms import StandingTerms

# When the local day of `{at}` (timestamptz) began, in µs.
_DAY = (
    "(extract(epoch FROM date_trunc('day', {at} AT TIME ZONE m.time_zone)"
    " AT TIME ZONE m.time_zone) * 1e6)::int8"
)
_COLUMNS = (
    "s.standing_order_id, s.market, s.terms, s.revision, s.bought, s.spent, s.placed_at,"
    " s.changed_at, s.cancelled_at, (SELECT count(*) FROM orders o"
    " WHERE o.standing_order_id = s.standing_order_id"
    f" AND o.bought_at >= {_DAY.format(at='clock_timestamp()')}) AS bought_today"
)
_TABLES = "standing_orders s JOIN markets m USING (market)"
# As they stood right after the order's `$2`th terms, to answer a repeat alike.
_AS_KEPT = (
    "SELECT s.standing_order_id, s.market, kept.terms, $2 AS revision, b.bought, b.spent,"
    " s.placed_at, kept.at AS changed_at, s.cancelled_at, b.bought_today"
    f" FROM {_TABLES} CROSS JOIN LATERAL ("
    "SELECT e.at, e.event->'terms' AS terms FROM market_events e"
    " WHERE e.lead_id = s.standing_order_id"
    " AND e.event->>'type' IN ('standing_placed', 'standing_changed')"
    " ORDER BY e.position OFFSET $2 - 1 LIMIT 1) kept"
    " CROSS JOIN LATERAL (SELECT count(*) AS bought, coalesce(sum(o.price), 0)::int8 AS spent,"
    f" count(*) FILTER (WHERE o.bought_at >= {_DAY.format(at='to_timestamp(kept.at / 1e6)')})"
    " AS bought_today FROM orders o WHERE o.standing_order_id = s.standing_order_id"
    " AND o.bought_at <= kept.at) b WHERE s.standing_order_id = $1"
)


class Standing(msgspec.Struct, frozen=True):
    """One standing order. `bought` (leads) and `spent` (credits) are over its life,
    `bought_today` in the local day of its market; instants in µs."""

    standing_order_id: str
    market: str
    terms: StandingTerms
    revision: int
    bought: int
    spent: int
    placed_at: int
    changed_at: int
    cancelled_at: int | None
    bought_today: int


async def of_user(
    connection: asyncpg.Pool,
    user_id: str,
    *,
    market: str | None,
    after: tuple[int, str] | None,
    limit: int,
) -> list[Standing]:
    """The buyer's live standing orders, newest first, after (placed_at, standing_order_id)."""
    placed_at, standing_order_id = after or (None, None)
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM {_TABLES} WHERE s.user_id = $1 AND s.cancelled_at IS NULL"
        " AND ($2::text IS NULL OR s.market = $2)"
        " AND ($3::int8 IS NULL OR (s.placed_at, s.standing_order_id) < ($3, $4::text))"
        " ORDER BY s.placed_at DESC, s.standing_order_id DESC LIMIT $5",
        user_id,
        market,
        placed_at,
        standing_order_id,
        limit,
    )
    return [_standing(row) for row in rows]


async def one(connection: asyncpg.Pool, user_id: str, standing_order_id: str) -> Standing | None:
    """The buyer's standing order, also one that was cancelled; None if it is not theirs."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM {_TABLES} WHERE s.user_id = $1 AND s.standing_order_id = $2",
        user_id,
        standing_order_id,
    )
    return None if row is None else _standing(row)


async def as_kept(connection: asyncpg.Pool, standing_order_id: str, revision: int) -> Standing:
    """The standing order right after it got the terms of `revision`, whatever became of it.

    Raises LookupError if it never had them.
    """
    row = await connection.fetchrow(_AS_KEPT, standing_order_id, revision)
    if row is None:
        raise LookupError(f"standing order {standing_order_id} has no revision {revision}")
    return _standing(row)


def _standing(row: Any) -> Standing:
    return Standing(
        row["standing_order_id"],
        row["market"],
        msgspec.convert(row["terms"], StandingTerms),
        row["revision"],
        row["bought"],
        row["spent"],
        row["placed_at"],
        row["changed_at"],
        row["cancelled_at"],
        row["bought_today"],
    )
