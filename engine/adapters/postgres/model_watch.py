"""What replicas of served models say of themselves; what they counted is in model_counts.py."""

from __future__ import annotations

import asyncpg
import msgspec

from engine.market.instant import from_datetime
from engine.rollout.roles import Roles

# A replica that said nothing for so long has ended, or can't reach the database.
SILENT_SECONDS = 20


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
