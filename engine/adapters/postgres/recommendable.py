"""Whether leads may be recommended to a buyer now, by what is committed; and the fallback."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg

from engine.adapters.postgres.search import Search, SearchStatement
from engine.adapters.postgres.teaser import TEASER_COLUMNS, TEASER_TABLES, teaser

# Of so many newest leads the fallback shows those that most buyers wanted.
NEWEST_MAX = 200
# A lead that was joined to one that the buyer has bought is that one.
_NOT_MINE = (
    "NOT EXISTS (SELECT FROM seats s WHERE s.lead_id = l.lead_id AND s.user_id = {user})"
    " AND NOT EXISTS (SELECT FROM orders o WHERE o.lead_id = l.lead_id AND o.user_id = {user})"
    " AND l.lead_id NOT IN (SELECT m.merged_into FROM orders o JOIN leads m USING (lead_id)"
    " WHERE o.user_id = {user} AND m.merged_into IS NOT NULL)"
)


async def available(
    connection: asyncpg.Pool,
    lead_ids: Sequence[str],
    user_id: str,
    near: tuple[float, float] | None = None,
) -> dict[str, dict[str, Any]]:
    """Teasers by lead id of those that are available and not the buyer's; with their distance
    from `near`, (latitude, longitude) in degrees."""
    distance, arguments = "", []
    if near is not None:
        distance = (
            ", round(ST_Distance(l.location, ST_SetSRID(ST_MakePoint($4::float8, $3::float8),"
            " 4326)::geography))::int8 AS distance_m"
        )
        arguments = list(near)
    rows = await connection.fetch(
        f"SELECT {TEASER_COLUMNS}{distance} FROM {TEASER_TABLES} WHERE l.lead_id = ANY($1)"
        f" AND t.lead_state = 'available' AND {_NOT_MINE.format(user='$2')}",
        list(lead_ids),
        user_id,
        *arguments,
    )
    return {row["lead_id"]: teaser(row) for row in rows}


async def most_wanted(
    connection: asyncpg.Pool, search: Search, user_id: str, limit: int
) -> list[tuple[dict[str, Any], int]]:
    """Teasers of the newest leads that match, those first of which most seats were taken or
    waited for, with how many; never the buyer's own. `search` is for available leads."""
    statement = SearchStatement(search)
    user = f"{statement.argument(user_id)}::text"
    distance = ""
    if search.near is not None:
        distance = f", round(ST_Distance(l.location, {statement.point()}))::int8 AS distance_m"
    newest, shown = statement.argument(NEWEST_MAX), statement.argument(limit)
    rows = await connection.fetch(
        f"SELECT n.*, n.taken + (SELECT count(*) FROM queue_places q WHERE q.lead_id = n.lead_id)"
        " + (SELECT count(*) FROM past_holds p WHERE p.lead_id = n.lead_id) AS wanted"
        f" FROM (SELECT {TEASER_COLUMNS}{distance}, t.sold + t.held AS taken"
        f" FROM {statement.tables} AND {_NOT_MINE.format(user=user)}"
        f" ORDER BY l.listed_at DESC, l.lead_id DESC LIMIT {newest}) n"
        f" ORDER BY wanted DESC, n.listed_at DESC, n.lead_id DESC LIMIT {shown}",
        *statement.arguments,
    )
    return [(teaser(row), row["wanted"]) for row in rows]
