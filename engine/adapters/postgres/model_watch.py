"""What replicas of served models say of themselves, and what they counted of each version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import asyncpg
import msgspec

from engine.market.instant import from_datetime, to_datetime
from engine.rollout.roles import Role, Roles
from engine.rollout.watch import Watched, together

# A replica that said nothing for so long has ended, or can't reach the database.
SILENT_SECONDS = 20
# Counts read together: three months of minutes of one replica, or a day of many.
COUNTS_MAX = 130_000


class Acknowledged(msgspec.Struct, frozen=True):
    """What a replica serves with, as of the change `change_id`; `problem` is why it does not
    serve with what it should, empty if it does. `at` in µs."""

    name: str
    replica: str
    live: int | None
    canary: int | None
    shadow: int | None
    change_id: int
    problem: str
    at: int


async def acknowledge(
    pool: asyncpg.Pool, replica: str, name: str, serves: Roles, problem: str
) -> None:
    """`serves.change_id` is the newest change that the replica took in, followed or not."""
    await pool.execute(
        "WITH gone AS (DELETE FROM model_replicas WHERE at < now() - interval '1 hour')"
        " INSERT INTO model_replicas AS r"
        " (name, replica, live, canary, shadow, change_id, problem, at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, now()) ON CONFLICT (name, replica) DO UPDATE SET"
        " live = excluded.live, canary = excluded.canary, shadow = excluded.shadow,"
        " change_id = excluded.change_id, problem = excluded.problem, at = excluded.at",
        name,
        replica,
        serves.live,
        serves.canary,
        serves.shadow,
        serves.change_id,
        problem,
    )


async def leave(pool: asyncpg.Pool, replica: str) -> None:
    """The replica ends: nobody is to wait for it."""
    await pool.execute("DELETE FROM model_replicas WHERE replica = $1", replica)


async def acknowledgements(
    pool: asyncpg.Pool | asyncpg.Connection, name: str | None = None
) -> list[Acknowledged]:
    """Of the replicas that are there, of one model or of all."""
    rows = await pool.fetch(
        "SELECT name, replica, live, canary, shadow, change_id, problem, at FROM model_replicas"
        " WHERE ($1::text IS NULL OR name = $1) AND at > now() - make_interval(secs => $2)"
        " ORDER BY name, replica",
        name,
        float(SILENT_SECONDS),
    )
    return [Acknowledged(**{**dict(row), "at": from_datetime(row["at"])}) for row in rows]


async def count(
    pool: asyncpg.Pool,
    replica: str,
    name: str,
    watched: Mapping[tuple[int, Role], Watched],
) -> None:
    """Enter what was counted since the last time, by version and role, into this minute."""
    async with pool.acquire() as connection, connection.transaction():
        for (version, role), each in sorted(watched.items()):
            key = (name, version, role, replica)
            row = await connection.fetchrow(
                "SELECT calls, errors, rows, latency, scores, features FROM model_watch"
                " WHERE name = $1 AND version = $2 AND role = $3 AND replica = $4"
                " AND at = date_trunc('minute', now())",
                *key,
            )
            found = each if row is None else together([_watched(row), each])
            await connection.execute(
                "INSERT INTO model_watch AS w (name, version, role, replica, at, calls, errors,"
                " rows, latency, scores, features)"
                " VALUES ($1, $2, $3, $4, date_trunc('minute', now()), $5, $6, $7, $8, $9, $10)"
                " ON CONFLICT (name, version, role, at, replica) DO UPDATE SET"
                " calls = excluded.calls, errors = excluded.errors, rows = excluded.rows,"
                " latency = excluded.latency, scores = excluded.scores,"
                " features = excluded.features",
                *key,
                found.calls,
                found.errors,
                found.rows,
                found.latency,
                found.scores,
                found.features,
            )


_SUMS = """
WITH kept AS (
  SELECT calls, errors, rows, latency, scores, features, at FROM model_watch
  WHERE name = $1 AND version = $2 AND role = ANY($3::text[])
  AND at >= date_trunc('minute', $4::timestamptz) AND ($5::timestamptz IS NULL OR at < $5)
  ORDER BY at DESC LIMIT $6
)
SELECT coalesce(sum(calls), 0)::int8 AS calls, coalesce(sum(errors), 0)::int8 AS errors,
  coalesce(sum(rows), 0)::int8 AS rows,
  ARRAY(SELECT sum(n)::int8 FROM kept, unnest(latency) WITH ORDINALITY AS u(n, place)
    GROUP BY place ORDER BY place) AS latency,
  ARRAY(SELECT sum(n)::int8 FROM kept, unnest(scores) WITH ORDINALITY AS u(n, place)
    GROUP BY place ORDER BY place) AS scores,
  ARRAY(SELECT sum(n)::int8 FROM kept, unnest(features) WITH ORDINALITY AS u(n, place)
    WHERE $7 GROUP BY place ORDER BY place) AS features
FROM kept
"""


async def watched(
    pool: asyncpg.Pool,
    name: str,
    version: int,
    *,
    since_us: int,
    until_us: int | None = None,
    roles: Sequence[Role] = ("live", "canary", "shadow"),
    features: bool = False,
) -> Watched:
    """What all replicas counted of a version in these roles, from the minute of `since_us` on;
    its features only if they are asked for: they are ten times all else."""
    row = await pool.fetchrow(
        _SUMS,
        name,
        version,
        list(roles),
        to_datetime(since_us),
        None if until_us is None else to_datetime(until_us),
        COUNTS_MAX,
        features,
    )
    return _watched(row)


async def forget(pool: asyncpg.Pool, days: int) -> int:
    """Drop counts older than that; how many."""
    status: str = await pool.execute(
        "DELETE FROM model_watch WHERE at < now() - make_interval(days => $1)", days
    )
    return int(status.split()[-1])


def _watched(row: asyncpg.Record) -> Watched:
    return Watched(
        row["calls"],
        row["errors"],
        row["rows"],
        tuple(row["latency"]),
        tuple(row["scores"]),
        tuple(row["features"]),
    )
