"""The model registry: versions, which of them serves as what, and every change of that.

A change is one transaction under the model's own lock: read, decide, write, note in the
history, tell. So of two changes the later one knows of the earlier.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from engine.adapters.postgres import model_watch
from engine.market.instant import from_datetime
from engine.rollout.roles import (
    WITHOUT_CANARY,
    Decision,
    Known,
    Refusal,
    Role,
    Roles,
    Version,
    Wish,
    decide,
)

# Told in the transaction of every change, with the model's name.
CHANNEL = "model_roles"
_ROLE_CHANGES = "('promote', 'canary', 'shadow', 'rollback', 'refused')"
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('model_roles ' || $1, 0))"


class Change(msgspec.Struct, frozen=True):
    """One line of the history; `at` in µs."""

    change_id: int
    name: str
    action: str
    role: str | None
    from_version: int | None
    to_version: int | None
    share: float | None
    changed_by: str
    reason: str
    at: int


class Assigned(msgspec.Struct, frozen=True):
    """The roles of one model with the versions that hold them, as a replica needs them. `since`
    is when each role was given, µs, and `now` when this was read, by the same clock. `promoted`
    if the live version came by a promotion and not by going back; `before` is then the version
    that it took the place of."""

    roles: Roles
    versions: dict[int, Version]
    since: dict[Role, int]
    now: int = 0
    promoted: bool = False
    before: int | None = None


async def register(pool: asyncpg.Pool, made: Version) -> tuple[Version, bool]:
    """Enter a version, whose artefact is in the store, under the model's next number; `made`'s
    own number and time count for nothing. The same artefact again is the version it was: False.
    """
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(_LOCK, made.name)
        row = await connection.fetchrow(
            "SELECT * FROM model_versions WHERE name = $1 AND sha256 = $2", made.name, made.sha256
        )
        if row is not None:
            return _version(row), False
        row = await connection.fetchrow(
            "INSERT INTO model_versions (name, version, url, sha256, size_bytes, schema, features,"
            " training_sha256, metrics, made_by, note)"
            " SELECT $1, coalesce(max(version), 0) + 1, $2, $3, $4, $5, $6, $7, $8, $9, $10"
            " FROM model_versions WHERE name = $1 RETURNING *",
            made.name,
            made.url,
            made.sha256,
            made.size_bytes,
            made.schema,
            list(made.features),
            made.training_sha256,
            made.metrics,
            made.made_by,
            made.note,
        )
        found = _version(row)
        change = Decision(Roles(), None, found.version)
        await _note(connection, made.name, Wish("train"), change, None, made.made_by, made.note)
        return found, True


async def versions(pool: asyncpg.Pool, name: str | None = None) -> list[Version]:
    """Every version, of one model or of all, by name, the newest first."""
    rows = await pool.fetch(
        "SELECT * FROM model_versions WHERE $1::text IS NULL OR name = $1"
        " ORDER BY name, version DESC",
        name,
    )
    return [_version(row) for row in rows]


_CHANGE = (
    "SELECT change_id, name, action, role, from_version, to_version, share, changed_by, reason, at"
    " FROM model_changes"
)


async def changes(pool: asyncpg.Pool, name: str, limit: int = 50) -> list[Change]:
    """The newest first."""
    rows = await pool.fetch(
        f"{_CHANGE} WHERE name = $1 ORDER BY change_id DESC LIMIT $2", name, limit
    )
    return [_change(row) for row in rows]


async def change_of(connection: asyncpg.Connection, change_id: int) -> Change:
    return _change(await connection.fetchrow(f"{_CHANGE} WHERE change_id = $1", change_id))


async def assigned(pool: asyncpg.Pool, names: Sequence[str]) -> dict[str, Assigned]:
    """What is to serve, of each of these models."""
    async with (
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        return {name: await _assigned(connection, name) for name in names}


async def change(
    pool: asyncpg.Pool,
    name: str,
    wish: Wish,
    *,
    by: str,
    reason: str = "",
    if_change: int | None = None,
) -> int | Refusal:
    """Change who does what, and note it; the change's id. With `if_change` only if no other
    change came after that one, so that of several who see the same fault one acts."""
    async with pool.acquire() as connection, connection.transaction():
        return await change_in(connection, name, wish, by=by, reason=reason, if_change=if_change)


async def change_in(
    connection: asyncpg.Connection,
    name: str,
    wish: Wish,
    *,
    by: str,
    reason: str = "",
    if_change: int | None = None,
) -> int | Refusal:
    """The same, in the caller's transaction."""
    await connection.execute(_LOCK, name)
    roles = await _roles(connection, name)
    if if_change is not None and roles.change_id != if_change:
        return Refusal(f"another change, {roles.change_id}, came first")
    if wish.action == "canary" and wish.version is not None and name in WITHOUT_CANARY:
        return Refusal(f"answers of two versions of {name} can't be mixed; make it the shadow")
    decided = decide(roles, wish, await _known(connection, name, roles.live))
    if isinstance(decided, Refusal):
        return decided
    if wish.action == "retire":
        await connection.execute(
            "UPDATE model_versions SET retired_at = now() WHERE name = $1 AND version = $2",
            name,
            decided.from_version,
        )
    role = _role_of(wish, roles, decided)
    change_id = await _note(connection, name, wish, decided, role, by, reason)
    await _write_roles(connection, name, roles, decided.roles, by, change_id)
    await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, name)
    return change_id


def _role_of(wish: Wish, before: Roles, decided: Decision) -> Role | None:
    if wish.action == "retire":
        return None
    if wish.action == "promote":
        return "live"
    if wish.action in ("canary", "shadow"):
        return wish.action
    return None if decided.from_version is None else before.held_by(decided.from_version)


async def _write_roles(
    connection: asyncpg.Connection, name: str, old: Roles, new: Roles, by: str, change_id: int
) -> None:
    kept: list[str] = []
    given: list[tuple[Role, int, float | None]] = []
    for role in ("live", "canary", "shadow"):
        version, share = new.of(role), new.share if role == "canary" else None
        if version is None:
            continue
        if version == old.of(role) and (share is None or share == old.share):
            kept.append(role)
        else:
            given.append((role, version, share))
    # First what goes: a version may pass from one role to another.
    await connection.execute(
        "DELETE FROM model_roles WHERE name = $1 AND role <> ALL($2::text[])", name, kept
    )
    await connection.executemany(
        "INSERT INTO model_roles (name, role, version, share, given_by, change_id)"
        " VALUES ($1, $2, $3, $4, $5, $6)",
        [(name, role, version, share, by, change_id) for role, version, share in given],
    )


async def _note(
    connection: asyncpg.Connection,
    name: str,
    wish: Wish,
    decided: Decision,
    role: Role | None,
    by: str,
    reason: str,
) -> int:
    share = wish.share if wish.action == "canary" and decided.to_version is not None else None
    found: int = await connection.fetchval(
        "INSERT INTO model_changes"
        " (name, action, role, from_version, to_version, share, changed_by, reason)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING change_id",
        name,
        wish.action,
        role,
        decided.from_version,
        decided.to_version,
        share,
        by,
        reason,
    )
    return found


async def _known(connection: asyncpg.Connection, name: str, live: int | None) -> Known:
    rows = await connection.fetch(
        "SELECT version, retired_at IS NULL AS usable FROM model_versions WHERE name = $1", name
    )
    usable = {row["version"] for row in rows if row["usable"]}
    retired = {row["version"] for row in rows if not row["usable"]}
    before = await _before(connection, name, live, usable)
    is_served = any(
        each.live == live and not each.problem
        for each in await model_watch.acknowledgements(connection, name)
    )
    return Known(usable, retired, before, is_served)


async def _before(
    connection: asyncpg.Connection, name: str, live: int | None, usable: set[int]
) -> int | None:
    """What the live version took the place of; if that was retired, what that one did."""
    seen: set[int] = set()
    while live is not None and live not in seen:
        seen.add(live)
        live = await connection.fetchval(
            "SELECT from_version FROM model_changes WHERE name = $1 AND action = 'promote'"
            " AND to_version = $2 ORDER BY change_id DESC LIMIT 1",
            name,
            live,
        )
        if live in usable and live not in seen:
            return live
    return None


async def _roles(connection: asyncpg.Connection, name: str) -> Roles:
    rows = await connection.fetch(
        "SELECT role, version, share FROM model_roles WHERE name = $1", name
    )
    newest = await connection.fetchval(
        f"SELECT max(change_id) FROM model_changes WHERE name = $1 AND action IN {_ROLE_CHANGES}",
        name,
    )
    held: dict[str, Any] = {row["role"]: row["version"] for row in rows}
    share = next((row["share"] for row in rows if row["role"] == "canary"), 0.0)
    return Roles(**held, share=share, change_id=newest or 0)


async def _assigned(connection: asyncpg.Connection, name: str) -> Assigned:
    roles = await _roles(connection, name)
    rows = await connection.fetch(
        "SELECT v.*, r.role, r.since, c.action, c.from_version FROM model_roles r"
        " JOIN model_versions v USING (name, version)"
        " JOIN model_changes c ON c.change_id = r.change_id WHERE r.name = $1",
        name,
    )
    found = [_version(row) for row in rows]
    live = next((row for row in rows if row["role"] == "live"), None)
    promoted = live is not None and live["action"] == "promote"
    return Assigned(
        roles,
        {each.version: each for each in found},
        {row["role"]: from_datetime(row["since"]) for row in rows},
        from_datetime(await connection.fetchval("SELECT now()")),
        promoted,
        live["from_version"] if live is not None and promoted else None,
    )


def _version(row: asyncpg.Record) -> Version:
    retired: datetime | None = row["retired_at"]
    return Version(
        row["name"],
        row["version"],
        row["url"],
        row["sha256"],
        row["size_bytes"],
        row["schema"],
        tuple(row["features"]),
        row["training_sha256"],
        row["metrics"],
        from_datetime(row["made_at"]),
        row["made_by"],
        row["note"],
        None if retired is None else from_datetime(retired),
    )


def _change(row: asyncpg.Record) -> Change:
    return Change(**{**dict(row), "at": from_datetime(row["at"])})
