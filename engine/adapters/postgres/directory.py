"""Which market a lead belongs to: written once, so it may be remembered."""

from __future__ import annotations

import asyncpg


async def market_of(connection: asyncpg.Pool, lead_id: str) -> str | None:
    market: str | None = await connection.fetchval(
        "SELECT market FROM lead_trading WHERE lead_id = $1", lead_id
    )
    return market


async def newest(connection: asyncpg.Pool, limit: int) -> list[tuple[str, str]]:
    """(lead_id, market) of the leads listed last."""
    rows = await connection.fetch(
        "SELECT lead_id, market FROM leads ORDER BY listed_at DESC LIMIT $1", limit
    )
    return [(row[0], row[1]) for row in rows]


async def lead_state(connection: asyncpg.Pool, lead_id: str) -> str | None:
    """The lead's committed state, quarantine included: for operators."""
    state: str | None = await connection.fetchval(
        "SELECT lead_state FROM lead_trading WHERE lead_id = $1", lead_id
    )
    return state
