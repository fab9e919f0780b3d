"""A market's journal and accounts as pricing reads them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import NamedTuple

import asyncpg
import msgspec

from engine.market import events as e
from engine.market.instant import from_datetime
from engine.market.listing import Listing

# Leads that others are compared with.
LISTINGS_MAX = 200_000
_COMPARED = (
    "list_price",
    "property_type",
    "property_sub_type",
    "bedrooms_total",
    "living_area",
    "latitude",
    "longitude",
)

_decode = msgspec.json.Decoder(e.Event).decode


class Entry(NamedTuple):
    """One journal entry, `at` in µs; `parts` are those of a tick, in step with its leads."""

    position: int
    at: int
    event: e.Event
    parts: list[bytes]


async def read(connection: asyncpg.Connection, market: str, after: int, limit: int) -> list[Entry]:
    """The first `limit` entries after journal position `after`, in order."""
    rows = await connection.fetch(
        "SELECT m.position, m.at, m.event::text, p.parts FROM market_events m"
        " LEFT JOIN price_ticks p ON p.market = m.market AND p.position = m.position"
        " WHERE m.market = $1 AND m.position > $2 ORDER BY m.position LIMIT $3",
        market,
        after,
        limit,
    )
    return [Entry(row[0], row[1], _decode(row[2]), row[3] or []) for row in rows]


async def listings(
    connection: asyncpg.Connection, market: str
) -> AsyncIterator[tuple[str, Listing]]:
    """Of the market's newest leads, oldest first, what they are compared by."""
    async with connection.transaction(readonly=True):
        async for row in connection.cursor(
            f"SELECT lead_id, {', '.join(_COMPARED)} FROM (SELECT * FROM leads WHERE market = $1"
            " AND NOT fraud_flag ORDER BY listed_at DESC LIMIT $2) newest ORDER BY listed_at",
            market,
            LISTINGS_MAX,
            prefetch=1_000,
        ):
            yield row[0], Listing(**dict(zip(_COMPARED, row[1:], strict=False)))


async def made_at(connection: asyncpg.Connection, user_ids: Iterable[str]) -> dict[str, int]:
    """When each of the accounts was made, µs; 0 for one that is gone."""
    asked = sorted(user_ids)
    rows = await connection.fetch(
        "SELECT user_id, created_at FROM users WHERE user_id = ANY($1)", asked
    )
    found = {row[0]: from_datetime(row[1]) for row in rows}
    return {user_id: found.get(user_id, NEVER) for user_id in asked}


# An account that is gone can't be asked for its age again: it is never old enough.
NEVER = 2**62
