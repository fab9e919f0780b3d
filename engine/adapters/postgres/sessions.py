"""Sign-ins: families of refresh tokens, of which only the newest one's hash is kept.

One conditional UPDATE decides a rotation. A superseded token ends its family.
"""

from __future__ import annotations

import secrets
from typing import Literal

import asyncpg

from engine.adapters.postgres.accounts import announce

Rotation = Literal["rotated", "reused", "ended"]


async def begin(
    connection: asyncpg.Connection, user_id: str, token_hash: bytes, family_id: str, days: int
) -> None:
    """A new family with its first refresh token."""
    await connection.execute(
        "INSERT INTO sessions (family_id, user_id, token_hash, expires_at)"
        " VALUES ($1, $2, $3, now() + make_interval(days => $4))",
        family_id,
        user_id,
        token_hash,
        days,
    )


def new_family_id() -> str:
    return secrets.token_urlsafe(12)


async def rotate(
    connection: asyncpg.Connection, family_id: str, old_hash: bytes, new_hash: bytes, days: int
) -> tuple[Rotation, str]:
    """Exchange the family's token; (what happened, user id). Call in a transaction.

    "reused": the token was superseded, and the family is revoked now. "ended": the
    family is expired, revoked or unknown (the user id may be empty).
    """
    user_id = await connection.fetchval(
        "UPDATE sessions SET token_hash = $3, expires_at = now() + make_interval(days => $4)"
        " WHERE family_id = $1 AND token_hash = $2 AND revoked_at IS NULL"
        " AND expires_at > now() RETURNING user_id",
        family_id,
        old_hash,
        new_hash,
        days,
    )
    if user_id is not None:
        return "rotated", user_id
    row = await connection.fetchrow(
        "SELECT user_id, token_hash, revoked_because FROM sessions WHERE family_id = $1",
        family_id,
    )
    if row is None:
        return "ended", ""
    if row["token_hash"] != old_hash:
        await revoke(connection, family_id, because="token-reused")
        return "reused", row["user_id"]
    if row["revoked_because"] == "token-reused":
        return "reused", row["user_id"]
    return "ended", row["user_id"]


async def revoke(connection: asyncpg.Connection, family_id: str, *, because: str) -> str | None:
    """End a family and its access tokens; the user id, or None if it was not live.

    Call in a transaction.
    """
    user_id: str | None = await connection.fetchval(
        "UPDATE sessions SET revoked_at = now(), revoked_because = $2"
        " WHERE family_id = $1 AND revoked_at IS NULL RETURNING user_id",
        family_id,
        because,
    )
    if user_id is not None:
        await announce(connection, user_id)
    return user_id


async def revoke_all(connection: asyncpg.Connection, user_id: str, *, because: str) -> None:
    """End every session of an account. Call in a transaction."""
    await connection.execute(
        "UPDATE sessions SET revoked_at = now(), revoked_because = $2"
        " WHERE user_id = $1 AND revoked_at IS NULL",
        user_id,
        because,
    )
    await announce(connection, user_id)


async def prune(pool: asyncpg.Pool) -> int:
    """Delete families a week past their end, a bounded number a time; how many went."""
    deleted = await pool.fetch(
        "DELETE FROM sessions WHERE family_id IN (SELECT family_id FROM sessions"
        " WHERE expires_at < now() - interval '7 days' LIMIT 5000) RETURNING 1"
    )
    return len(deleted)
