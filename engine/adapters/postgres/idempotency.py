"""Stored answers of keyed writes that no book decides: one transaction with what they did."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import msgspec

HOURS_KEPT = 24
_PRUNE_MAX = 5000


class Stored(msgspec.Struct, frozen=True):
    """A decided answer: HTTP status and JSON body."""

    status: int
    answer: Any


class OtherBody(Exception):
    """The key was used with another body."""


async def once(
    pool: asyncpg.Pool,
    key_hash: bytes | None,
    request_hash: bytes,
    decide: Callable[[asyncpg.Connection], Awaitable[Stored]],
) -> Stored:
    """Run `decide` in a transaction, at most once in 24 hours per key.

    A repeat gets the stored answer; a concurrent one waits for the first. What `decide`
    raises rolls everything back and stores nothing. Raises OtherBody. Without a key
    `decide` just runs.
    """
    async with pool.acquire() as connection, connection.transaction():
        if key_hash is None:
            return await decide(connection)
        # The row is taken first: a concurrent repeat waits on it until this commits.
        mine = await connection.fetchval(
            "INSERT INTO idempotency AS i (key_hash, request_hash, status) VALUES ($1, $2, 0)"
            " ON CONFLICT (key_hash) DO UPDATE SET request_hash = $2, status = 0, answer = NULL,"
            " created_at = now() WHERE i.created_at <= now() - make_interval(hours => $3)"
            " RETURNING true",
            key_hash,
            request_hash,
            HOURS_KEPT,
        )
        if not mine:
            return await _repeat(connection, key_hash, request_hash)
        stored = await decide(connection)
        await connection.execute(
            "UPDATE idempotency SET status = $2, answer = $3 WHERE key_hash = $1",
            key_hash,
            stored.status,
            stored.answer,
        )
        return stored


async def _repeat(connection: asyncpg.Connection, key_hash: bytes, request_hash: bytes) -> Stored:
    row = await connection.fetchrow(
        "SELECT request_hash, status, answer FROM idempotency WHERE key_hash = $1", key_hash
    )
    if row["request_hash"] != request_hash:
        raise OtherBody
    return Stored(row["status"], row["answer"])


async def prune(pool: asyncpg.Pool) -> int:
    """Delete answers older than 24 hours, a bounded number a time; how many went."""
    deleted = await pool.fetch(
        "DELETE FROM idempotency WHERE key_hash IN (SELECT key_hash FROM idempotency"
        " WHERE created_at < now() - make_interval(hours => $1) LIMIT $2) RETURNING 1",
        HOURS_KEPT,
        _PRUNE_MAX,
    )
    return len(deleted)
