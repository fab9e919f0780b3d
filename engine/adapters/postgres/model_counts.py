"""What replicas counted of each version: by minute for who watches it, by day for reports.

Features are ten times all else, so only days have them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import asyncpg

from engine.market.instant import to_datetime
from engine.rollout.roles import Role
from engine.rollout.watch import Watched, together

ROLES: Final[Sequence[Role]] = ("live", "canary", "shadow")
# Whoever judges looks back a day (serve_apps/scoring/probation.py).
MINUTES_KEPT_DAYS: Final = 2
# Rows added up in one statement, the newest: a day of minutes of many replicas, or three months
# of days.
_ROWS_MAX = 100_000


async def count(
    pool: asyncpg.Pool,
    replica: str,
    name: str,
    watched: Mapping[tuple[int, Role], Watched],
) -> None:
    """Enter what was counted since the last time, by version and role, into this minute and into
    this day."""
    async with pool.acquire() as connection, connection.transaction():
        for (version, role), each in sorted(watched.items(), key=lambda item: item[0]):
            key = (name, version, role, replica)
            await _add(connection, "model_watch", "minute", key, each)
            await _add(connection, "model_days", "day", key, each)


async def _add(
    connection: asyncpg.Connection,
    table: str,
    unit: str,
    key: tuple[str, int, Role, str],
    counted: Watched,
) -> None:
    """A replica alone writes its rows, one at a time."""
    columns = ["calls", "errors", "rows", "latency", "scores"]
    if table == "model_days":
        columns.append("features")
    row = await connection.fetchrow(
        f"SELECT {', '.join(columns)} FROM {table} WHERE name = $1 AND version = $2"
        f" AND role = $3 AND replica = $4 AND at = date_trunc('{unit}', now())",
        *key,
    )
    found = counted if row is None else together([_watched(row), counted])
    places = ", ".join(f"${place}" for place in range(5, 5 + len(columns)))
    changed = ", ".join(f"{column} = excluded.{column}" for column in columns)
    await connection.execute(
        f"INSERT INTO {table} (name, version, role, replica, at, {', '.join(columns)})"
        f" VALUES ($1, $2, $3, $4, date_trunc('{unit}', now()), {places})"
        f" ON CONFLICT (name, version, role, at, replica) DO UPDATE SET {changed}",
        *key,
        *(getattr(found, column) for column in columns),
    )


async def minutes(
    pool: asyncpg.Pool,
    name: str,
    version: int,
    *,
    since_us: int,
    until_us: int | None = None,
    roles: Sequence[Role] = ROLES,
) -> Watched:
    """What all replicas counted of a version in these roles, from the minute of `since_us` on,
    without its features."""
    until = None if until_us is None else to_datetime(until_us)
    row = await pool.fetchrow(
        _sums("model_watch", "minute", "latency", "scores"),
        *(name, version, list(roles), to_datetime(since_us), until, _ROWS_MAX),
    )
    return _watched(row)


async def days(
    pool: asyncpg.Pool, name: str, version: int, last: int, roles: Sequence[Role] = ROLES
) -> Watched:
    """The same, with features, of today and the days before, `last` in all, by UTC."""
    row = await pool.fetchrow(
        _sums("model_days", "day", "latency", "scores", "features"),
        *(name, version, list(roles)),
        *(await pool.fetchval("SELECT now() - make_interval(days => $1)", last - 1), None),
        _ROWS_MAX,
    )
    return _watched(row)


async def forget(pool: asyncpg.Pool, last_days: int) -> int:
    """Drop minutes that nobody judges by any more, and days older than that; how many."""
    old: str = await pool.execute(
        "DELETE FROM model_watch WHERE at < now() - make_interval(days => $1)", MINUTES_KEPT_DAYS
    )
    older: str = await pool.execute(
        "DELETE FROM model_days WHERE at < now() - make_interval(days => $1)", last_days
    )
    return int(old.split()[-1]) + int(older.split()[-1])


def _sums(table: str, unit: str, *arrays: str) -> str:
    sums = ", ".join(
        f"ARRAY(SELECT sum(n)::int8 FROM kept, unnest({each}) WITH ORDINALITY AS u(n, place)"
        f" GROUP BY place ORDER BY place) AS {each}"
        for each in arrays
    )
    return (
        f"WITH kept AS (SELECT * FROM {table} WHERE name = $1 AND version = $2"
        f" AND role = ANY($3::text[]) AND at >= date_trunc('{unit}', $4::timestamptz)"
        " AND ($5::timestamptz IS NULL OR at < $5) ORDER BY at DESC LIMIT $6)"
        " SELECT coalesce(sum(calls), 0)::int8 AS calls, coalesce(sum(errors), 0)::int8 AS errors,"
        f" coalesce(sum(rows), 0)::int8 AS rows, {sums} FROM kept"
    )


def _watched(row: asyncpg.Record) -> Watched:
    return Watched(
        row["calls"],
        row["errors"],
        row["rows"],
        tuple(row["latency"]),
        tuple(row["scores"]),
        tuple(row.get("features", ())),
    )
