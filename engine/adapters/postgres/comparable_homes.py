"""The homes of a market to compare prices with, as its leads say now."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg

from engine.market.listing import Listing

HOMES_MAX = 200_000
_READ_AT_ONCE = 2_000
# All that a comparison looks at.
_FACTS = (
    "list_price",
    "living_area",
    "bedrooms_total",
    "property_type",
    "property_sub_type",
    "latitude",
    "longitude",
)


async def read(
    connection: asyncpg.Connection, market: str, limit: int = HOMES_MAX
) -> AsyncIterator[tuple[str, Listing]]:
    """Lead ids and listings, the oldest first, of the newest `limit` that state price and place;
    leads in quarantine and flagged ones are no comparables. Within a transaction."""
    cursor = connection.cursor(
        f"SELECT lead_id, {', '.join(_FACTS)} FROM (SELECT l.* FROM leads l"
        " JOIN lead_trading t USING (lead_id) WHERE l.market = $1 AND NOT l.fraud_flag"
        " AND t.lead_state <> 'quarantined' AND l.list_price > 0 AND l.latitude IS NOT NULL"
        " AND l.longitude IS NOT NULL ORDER BY l.listed_at DESC, l.lead_id DESC LIMIT $2) newest"
        " ORDER BY listed_at, lead_id",
        market,
        limit,
        prefetch=_READ_AT_ONCE,
    )
    async for row in cursor:
        yield row["lead_id"], Listing(**{name: row[name] for name in _FACTS})
