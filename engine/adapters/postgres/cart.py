"""A cart is a buyer's live holds: nothing else is stored."""

from __future__ import annotations

from typing import Any

import asyncpg
import msgspec

from engine.adapters.postgres.teaser import TEASER_COLUMNS, TEASER_TABLES, teaser

# A hold is live while now < held_until, whether or not its expiry is booked yet. A seat
# offered from the line is not yet a hold.
_LIVE = (
    "s.order_id IS NULL AND NOT s.is_offer"
    " AND s.held_until > (extract(epoch FROM clock_timestamp()) * 1e6)::int8"
)


class CartItem(msgspec.Struct, frozen=True):
    """A live hold at its locked price. `held_until` in µs since the epoch."""

    lead_id: str
    price: int
    hold: str
    held_until: int
    lead: dict[str, Any]


async def items(connection: asyncpg.Pool, user_id: str) -> list[CartItem]:
    """The buyer's live holds, oldest first."""
    rows = await connection.fetch(
        f"SELECT s.price AS locked, s.hold, s.held_until, {TEASER_COLUMNS}"
        f" FROM seats s JOIN ({TEASER_TABLES}) ON l.lead_id = s.lead_id"
        f" WHERE s.user_id = $1 AND {_LIVE} ORDER BY s.held_at, s.lead_id",
        user_id,
    )
    return [
        CartItem(row["lead_id"], row["locked"], row["hold"], row["held_until"], teaser(row))
        for row in rows
    ]


async def lead_ids(connection: asyncpg.Pool, user_id: str) -> list[str]:
    """The leads of the buyer's live holds, oldest hold first."""
    rows = await connection.fetch(
        f"SELECT s.lead_id FROM seats s WHERE s.user_id = $1 AND {_LIVE}"
        " ORDER BY s.held_at, s.lead_id",
        user_id,
    )
    return [row["lead_id"] for row in rows]
