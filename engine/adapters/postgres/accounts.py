"""Accounts: who may sign in, on which plan, in which role.

A change that a replica must notice is announced on the channel `accounts`, in its
own transaction, with the user id as payload.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any, Literal

import asyncpg
import msgspec

from engine.adapters.password_hashing import matches, password_hasher
from engine.adapters.postgres.wallets import transfer

CHANNEL = "accounts"
# Credits of a new account while no lead is on offer to take a median of.
WELCOME_CREDITS_WITHOUT_LEADS = 100

Role = Literal["buyer", "admin"]
Status = Literal["active", "suspended"]

_PROFILE = (
    "user_id, email::text AS email, full_name, phone, preferred_market, plan, role, status,"
    " created_at"
)


class Profile(msgspec.Struct, frozen=True):
    """An account without its password."""

    user_id: str
    email: str
    full_name: str
    phone: str | None
    preferred_market: str | None
    plan: str
    role: Role
    status: Status
    created_at: datetime


class AccountState(msgspec.Struct, frozen=True):
    """What every request asks of an account. `revoked` are sessions ended not long ago."""

    user_id: str
    plan: str
    role: Role
    status: Status
    revoked: frozenset[str]


async def register(
    connection: asyncpg.Connection,
    *,
    email: str,
    password_hash: str,
    full_name: str,
    phone: str | None = None,
    preferred_market: str | None = None,
    welcome_credits: int = 0,
    role: Role = "buyer",
) -> Profile | None:
    """A new account with its wallet, or None if the e-mail is taken. Call in a transaction."""
    user_id = secrets.token_urlsafe(16)
    row = await connection.fetchrow(
        "INSERT INTO users (user_id, email, password_hash, full_name, phone, preferred_market,"
        " role) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (email) DO NOTHING"
        f" RETURNING {_PROFILE}",
        user_id,
        email,
        password_hash,
        full_name,
        phone,
        preferred_market,
        role,
    )
    if row is None:
        return None
    await connection.execute("INSERT INTO wallets (user_id) VALUES ($1)", user_id)
    if welcome_credits:
        await transfer(
            connection, user_id, welcome_credits, source="house:welcome", reason="welcome"
        )
    return _profile(row)


async def welcome_credits(connection: asyncpg.Connection) -> int:
    """Enough for two leads at the median price of what is on offer."""
    median = await connection.fetchval(
        "SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY price) FROM lead_trading"
        " WHERE lead_state = 'available'"
    )
    return WELCOME_CREDITS_WITHOUT_LEADS if median is None else 2 * int(median)


async def credentials(connection: asyncpg.Pool, email: str) -> tuple[str, str, Status] | None:
    """(user_id, password_hash, status) of an e-mail."""
    row = await connection.fetchrow(
        "SELECT user_id, password_hash, status FROM users WHERE email = $1", email
    )
    return None if row is None else (row["user_id"], row["password_hash"], row["status"])


async def replace_password_hash(
    connection: asyncpg.Pool, user_id: str, old_hash: str, new_hash: str
) -> None:
    """Store a hash with today's parameters, unless the password was changed meanwhile."""
    await connection.execute(
        "UPDATE users SET password_hash = $3 WHERE user_id = $1 AND password_hash = $2",
        user_id,
        old_hash,
        new_hash,
    )


async def profile(connection: asyncpg.Pool, user_id: str) -> Profile | None:
    row = await connection.fetchrow(f"SELECT {_PROFILE} FROM users WHERE user_id = $1", user_id)
    return None if row is None else _profile(row)


async def patch(
    connection: asyncpg.Connection, user_id: str, changes: dict[str, Any]
) -> Profile | None:
    """Set the named columns of `full_name, phone, preferred_market, plan, role, status`.

    None if there is no such account. Raises ValueError on another column.
    """
    unknown = changes.keys() - _PATCHABLE
    if unknown:
        raise ValueError(f"not a column to patch: {', '.join(sorted(unknown))}")
    if not changes:
        row = await connection.fetchrow(f"SELECT {_PROFILE} FROM users WHERE user_id = $1", user_id)
        return None if row is None else _profile(row)
    sets = ", ".join(f"{name} = ${number}" for number, name in enumerate(changes, start=2))
    row = await connection.fetchrow(
        f"UPDATE users SET {sets} WHERE user_id = $1 RETURNING {_PROFILE}",
        user_id,
        *changes.values(),
    )
    if row is None:
        return None
    if changes.keys() & _ANNOUNCED:
        await announce(connection, user_id)
    return _profile(row)


_PATCHABLE = {"full_name", "phone", "preferred_market", "plan", "role", "status"}
_ANNOUNCED = {"plan", "role", "status"}


async def announce(connection: asyncpg.Connection, user_id: str) -> None:
    """Tell every replica, once this transaction commits, to look at the account again."""
    await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, user_id)


async def state(
    connection: asyncpg.Pool, user_id: str, revoked_within_seconds: int
) -> AccountState | None:
    """The account as requests see it, with the sessions revoked in the last seconds."""
    row = await connection.fetchrow(
        "SELECT user_id, plan, role, status, ARRAY(SELECT family_id FROM sessions s"
        " WHERE s.user_id = u.user_id AND s.revoked_at > now() - make_interval(secs => $2))"
        " AS revoked FROM users u WHERE user_id = $1",
        user_id,
        float(revoked_within_seconds),
    )
    if row is None:
        return None
    return AccountState(
        row["user_id"], row["plan"], row["role"], row["status"], frozenset(row["revoked"])
    )


async def find(
    connection: asyncpg.Pool,
    *,
    email: str | None,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[Profile]:
    """Accounts, newest first, after (created_at, user_id); of one e-mail if given."""
    created_at, user_id = after or (None, None)
    rows = await connection.fetch(
        f"SELECT {_PROFILE} FROM users WHERE ($1::citext IS NULL OR email = $1::citext)"
        " AND ($2::timestamptz IS NULL OR (created_at, user_id) < ($2, $3::text))"
        " ORDER BY created_at DESC, user_id DESC LIMIT $4",
        email,
        created_at,
        user_id,
        limit,
    )
    return [_profile(row) for row in rows]


async def ensure_admin(database_url: str, email: str, password: str) -> str:
    """The user id of the account `email`, an active admin with that password. Idempotent.

    An account that is one already keeps its sessions; a changed password replaces the old.
    """
    hasher = password_hasher()
    connection = await asyncpg.connect(database_url, timeout=10)
    try:
        async with connection.transaction():
            made = await register(
                connection,
                email=email,
                password_hash=hasher.hash(password),
                full_name="Administrator",
                role="admin",
            )
            if made is not None:
                return made.user_id
            row = await connection.fetchrow(
                "SELECT user_id, password_hash FROM users WHERE email = $1 FOR UPDATE", email
            )
            user_id: str = row["user_id"]
            if not matches(hasher, row["password_hash"], password):
                await connection.execute(
                    "UPDATE users SET password_hash = $2 WHERE user_id = $1",
                    user_id,
                    hasher.hash(password),
                )
            await patch(connection, user_id, {"role": "admin", "status": "active"})
            return user_id
    finally:
        await connection.close()


def _profile(row: asyncpg.Record) -> Profile:
    return Profile(**dict(row))
