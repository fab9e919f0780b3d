"""Checkouts: the list is committed before the first purchase, so recovery finishes forward."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

# Which replica finishes what another left behind: one at a time.
_RECOVERY_LOCK = 0x61_71_63_6F


class Checkout(msgspec.Struct, frozen=True):
    """`answer` is None until every lead was decided; it holds no contact data.

    `begun_at` tells apart two checkouts under one key, a day or more apart.
    """

    checkout_id: bytes
    user_id: str
    request_hash: bytes
    lead_ids: list[str]
    answer: dict[str, Any] | None
    begun_at: datetime


_COLUMNS = "checkout_id, user_id, request_hash, lead_ids, answer, created_at AS begun_at"


async def find(connection: asyncpg.Pool, checkout_id: bytes) -> Checkout | None:
    """The checkout, while its key is remembered (24 h)."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM checkouts WHERE checkout_id = $1"
        " AND created_at > now() - interval '24 hours'",
        checkout_id,
    )
    return None if row is None else Checkout(**dict(row))


async def begin(
    connection: asyncpg.Pool,
    checkout_id: bytes,
    user_id: str,
    request_hash: bytes,
    lead_ids: list[str],
) -> Checkout:
    """Commit the list; if another request with this key came first, its checkout.

    A finished one older than 24 hours is forgotten and begun anew.
    """
    row = await connection.fetchrow(
        "INSERT INTO checkouts AS c (checkout_id, user_id, request_hash, lead_ids)"
        " VALUES ($1, $2, $3, $4) ON CONFLICT (checkout_id) DO UPDATE"
        " SET request_hash = $3, lead_ids = $4, answer = NULL, created_at = now()"
        " WHERE c.created_at <= now() - interval '24 hours'"
        f" RETURNING {_COLUMNS}",
        checkout_id,
        user_id,
        request_hash,
        lead_ids,
    )
    if row is None:
        row = await connection.fetchrow(
            f"SELECT {_COLUMNS} FROM checkouts WHERE checkout_id = $1", checkout_id
        )
    return Checkout(**dict(row))


async def finish(
    connection: asyncpg.Pool, checkout_id: bytes, answer: dict[str, Any]
) -> dict[str, Any]:
    """Store the answer, or return the one stored meanwhile."""
    stored: dict[str, Any] = await connection.fetchval(
        "UPDATE checkouts SET answer = coalesce(answer, $2) WHERE checkout_id = $1"
        " RETURNING answer",
        checkout_id,
        answer,
    )
    return stored


@asynccontextmanager
async def unfinished(
    pool: asyncpg.Pool, older_than_seconds: float, limit: int
) -> AsyncIterator[list[Checkout]]:
    """Checkouts left without an answer, oldest first, while this replica may finish them.

    Empty if another replica is at it.
    """
    async with pool.acquire() as connection:
        # The session's lock: finishing takes longer than a transaction may idle.
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _RECOVERY_LOCK):
            yield []
            return
        try:
            rows = await connection.fetch(
                f"SELECT {_COLUMNS} FROM checkouts WHERE answer IS NULL"
                " AND created_at < now() - make_interval(secs => $1)"
                " ORDER BY created_at LIMIT $2",
                older_than_seconds,
                limit,
            )
            yield [Checkout(**dict(row)) for row in rows]
        finally:
            await connection.execute("SELECT pg_advisory_unlock($1)", _RECOVERY_LOCK)


async def prune(pool: asyncpg.Pool) -> int:
    """Delete finished checkouts whose key is no longer remembered; how many went."""
    deleted = await pool.fetch(
        "DELETE FROM checkouts WHERE checkout_id IN (SELECT checkout_id FROM checkouts"
        " WHERE answer IS NOT NULL AND created_at < now() - interval '25 hours' LIMIT 5000)"
        " RETURNING 1"
    )
    return len(deleted)
