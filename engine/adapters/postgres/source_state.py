"""Who runs a source in a market now, where it goes on, and when it is due.

A row is a lease: whoever holds it is the only one that runs this source there. It ends by
itself, so a runner that died keeps nobody out for longer than `LEASE_SECONDS`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

LEASE_SECONDS = 60.0
# A run that broke off is gone on with for so long; then its pages may have changed.
RESUMED_HOURS_MAX = 6
# Told whenever a run is asked for or has ended, or a source is paused or goes on.
CHANNEL = "ingest_schedule"


class SourceState(msgspec.Struct, frozen=True):
    """One source in one market. `running` is the run that holds the lease now, `asked` one
    that waits to be started, `drift` what fell against the source's past and since when."""

    source: str
    market: str
    running: str | None
    asked: str | None
    next_run_at: datetime | None
    paused: bool
    failures: int
    drift: dict[str, Any]


class Lease(msgspec.Struct, frozen=True):
    """What a run begins with: the fetcher's `walk` as it was stored, the run that broke off
    (None after one that ended in order), failures in a row, and the drift known."""

    walk: dict[str, Any]
    unfinished: str | None
    failures: int
    drift: dict[str, Any]


class Taken(Exception):
    """Another run holds the lease."""

    def __init__(self, source: str, market: str, run_id: str) -> None:
        super().__init__(source, market, run_id)
        self.source, self.market, self.run_id = source, market, run_id

    def __str__(self) -> str:
        return f"{self.source} is being read for {self.market} already, by run {self.run_id}"


async def take_lease(pool: asyncpg.Pool, source: str, market: str, run_id: str) -> Lease:
    """Begin the run: hold its source in its market, and note its start. Raises Taken.

    What the run asked for is then served; a run that broke off is passed on to this one.
    """
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(
            "INSERT INTO source_state AS s (source, market, lease_owner, lease_until)"
            " VALUES ($1, $2, $3, now() + make_interval(secs => $4))"
            " ON CONFLICT (source, market) DO UPDATE"
            " SET lease_owner = excluded.lease_owner, lease_until = excluded.lease_until"
            " WHERE s.lease_until IS NULL OR s.lease_until < now()"
            " RETURNING checkpoint, failures, drift,"
            " (checkpoint->>'since')::timestamptz > now() - make_interval(hours => $5)"
            " AS is_recent",
            source,
            market,
            run_id,
            LEASE_SECONDS,
            RESUMED_HOURS_MAX,
        )
        if row is None:
            owner = await connection.fetchval(
                "SELECT lease_owner FROM source_state WHERE source = $1 AND market = $2",
                source,
                market,
            )
            raise Taken(source, market, owner or "one that has just ended")
        checkpoint = row["checkpoint"]
        unfinished = checkpoint.get("unfinished") if row["is_recent"] else None
        await connection.execute(
            "UPDATE source_state SET checkpoint = (CASE WHEN checkpoint->>'asked' = $3"
            " THEN checkpoint - 'asked' ELSE checkpoint END)"
            " || jsonb_build_object('unfinished', $3::text, 'since',"
            " CASE WHEN $4 THEN checkpoint->>'since' ELSE now()::text END)"
            " WHERE source = $1 AND market = $2",
            source,
            market,
            run_id,
            unfinished is not None,
        )
        await connection.execute(
            "INSERT INTO ingest_runs (run_id, source, market, resumed_from)"
            " VALUES ($1, $2, $3, $4) ON CONFLICT (run_id) DO UPDATE"
            " SET started_at = now(), resumed_from = excluded.resumed_from",
            run_id,
            source,
            market,
            unfinished,
        )
    return Lease(checkpoint.get("walk", {}), unfinished, row["failures"], row["drift"])


async def renew_lease(
    pool: asyncpg.Pool, source: str, market: str, run_id: str, walk: Mapping[str, Any] | None = None
) -> bool:
    """Hold the lease for another while, storing where the fetcher goes on; False if it is lost."""
    status: str = await pool.execute(
        "UPDATE source_state SET lease_until = now() + make_interval(secs => $4),"
        " checkpoint = CASE WHEN $5::jsonb IS NULL THEN checkpoint"
        " ELSE checkpoint || jsonb_build_object('walk', $5::jsonb) END"
        " WHERE source = $1 AND market = $2 AND lease_owner = $3",
        source,
        market,
        run_id,
        LEASE_SECONDS,
        walk,
    )
    return status == "UPDATE 1"


async def end_lease(
    pool: asyncpg.Pool,
    source: str,
    market: str,
    run_id: str,
    *,
    walk: Mapping[str, Any],
    next_run_at: datetime,
    failures: int,
    drift: Mapping[str, Any],
    finished: bool,
) -> bool:
    """Let go of the source; False if the lease was lost. A run that is not `finished` is
    gone on with by the next one."""
    status: str = await pool.execute(
        f"WITH told AS (SELECT pg_notify('{CHANNEL}', ''))"
        " UPDATE source_state SET lease_owner = NULL, lease_until = NULL, next_run_at = $4,"
        " failures = $5, drift = $6,"
        " checkpoint = (CASE WHEN $7 THEN checkpoint - 'unfinished' - 'since' ELSE checkpoint END)"
        " || jsonb_build_object('walk', $8::jsonb)"
        " FROM told WHERE source = $1 AND market = $2 AND lease_owner = $3",
        source,
        market,
        run_id,
        next_run_at,
        failures,
        drift,
        finished,
        walk,
    )
    return status == "UPDATE 1"


async def enter(pool: asyncpg.Pool, turns: Mapping[tuple[str, str], datetime]) -> None:
    """Give each source and market that has no turn yet its first one."""
    await pool.executemany(
        "INSERT INTO source_state AS s (source, market, next_run_at) VALUES ($1, $2, $3)"
        " ON CONFLICT (source, market) DO UPDATE SET next_run_at = excluded.next_run_at"
        " WHERE s.next_run_at IS NULL",
        [(source, market, turn) for (source, market), turn in turns.items()],
    )


async def ask(connection: asyncpg.Connection, source: str, market: str, run_id: str) -> str:
    """Have the scheduler run a source soon, in one transaction with the caller's: the id of
    the run to come, which is another one's if somebody asked before."""
    asked: str = await connection.fetchval(
        "INSERT INTO source_state AS s (source, market, checkpoint)"
        " VALUES ($1, $2, jsonb_build_object('asked', $3::text))"
        " ON CONFLICT (source, market) DO UPDATE SET checkpoint ="
        " jsonb_build_object('asked', $3::text) || s.checkpoint"
        " RETURNING checkpoint->>'asked'",
        source,
        market,
        run_id,
    )
    if asked == run_id:
        await connection.execute(
            "INSERT INTO ingest_runs (run_id, source, market) VALUES ($1, $2, $3)",
            run_id,
            source,
            market,
        )
    await _tell(connection)
    return asked


async def pause(
    connection: asyncpg.Connection, source: str, markets: Sequence[str], *, paused: bool
) -> None:
    """Leave a source out of the schedule in these markets, or take it in again."""
    await connection.executemany(
        "INSERT INTO source_state (source, market, paused) VALUES ($1, $2, $3)"
        " ON CONFLICT (source, market) DO UPDATE SET paused = excluded.paused",
        [(source, market, paused) for market in markets],
    )
    await _tell(connection)


async def accept_drift(connection: asyncpg.Connection, source: str, markets: Sequence[str]) -> None:
    """Take what a source gives now as usual: its runs of before now are no longer its past."""
    await connection.execute(
        "UPDATE source_state SET drift = jsonb_build_object('accepted_at', now())"
        " WHERE source = $1 AND market = ANY($2)",
        source,
        markets,
    )


async def states(
    connection: asyncpg.Connection | asyncpg.Pool,
) -> dict[tuple[str, str], SourceState]:
    """Every source and market that was ever run, scheduled or paused."""
    rows = await connection.fetch(
        "SELECT source, market, next_run_at, paused, failures, drift,"
        " CASE WHEN lease_until > now() THEN lease_owner END AS running,"
        " checkpoint->>'asked' AS asked FROM source_state ORDER BY source, market"
    )
    return {(row["source"], row["market"]): SourceState(**dict(row)) for row in rows}


async def _tell(connection: asyncpg.Connection) -> None:
    await connection.execute(f"SELECT pg_notify('{CHANNEL}', '')")
