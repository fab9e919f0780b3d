"""Runs of sources: what each found, what failed in it, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from engine.intake.drift import Shares

ERRORS_MAX = 1_000
DETAIL_LENGTH_MAX = 500
PAST_RUNS_MAX = 200

# A run has ended, or it holds its lease, or it waits for the scheduler, or it broke off.
_STATE = (
    "CASE WHEN r.error IS NOT NULL THEN 'failed' WHEN r.finished_at IS NOT NULL THEN 'finished'"
    " WHEN s.lease_owner = r.run_id AND s.lease_until > now() THEN 'running'"
    " WHEN s.checkpoint->>'asked' = r.run_id THEN 'waiting' ELSE 'interrupted' END AS state"
)
_RUN = (
    "SELECT r.run_id, r.source, r.market, r.started_at, r.finished_at, r.pages, r.records,"
    f" r.errors, r.counts, r.error, r.resumed_from, r.fill, {_STATE}"
    " FROM ingest_runs r LEFT JOIN source_state s USING (source, market)"
)


class Run(msgspec.Struct, frozen=True):
    """One run. `errors` counts the pages that failed; `fill` tells the shares it found."""

    run_id: str
    source: str
    market: str
    state: str
    started_at: datetime
    finished_at: datetime | None
    pages: int
    records: int
    errors: int
    counts: dict[str, Any]
    error: str | None
    resumed_from: str | None
    fill: dict[str, float]


class PageFailure(msgspec.Struct, frozen=True):
    """A page that could not be read, and why; `reason` is a slug."""

    url: str | None
    reason: str
    detail: str


class RunError(msgspec.Struct, frozen=True):
    number: int
    url: str | None
    reason: str
    detail: str
    at: datetime


async def newest(
    connection: asyncpg.Pool,
    *,
    source: str | None = None,
    market: str | None = None,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[Run]:
    """Runs, newest first, after (started_at, run_id)."""
    started_at, run_id = after or (None, None)
    rows = await connection.fetch(
        f"{_RUN} WHERE ($1::timestamptz IS NULL OR (r.started_at, r.run_id) < ($1, $2::text))"
        " AND ($3::text IS NULL OR r.source = $3) AND ($4::text IS NULL OR r.market = $4)"
        " ORDER BY r.started_at DESC, r.run_id DESC LIMIT $5",
        started_at,
        run_id,
        source,
        market,
        limit,
    )
    return [_run(row) for row in rows]


async def last_runs(
    connection: asyncpg.Connection | asyncpg.Pool, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], Run]:
    """The newest run of each of these (source, market)."""
    rows = await connection.fetch(
        f"SELECT found.* FROM unnest($1::text[], $2::text[]) u(source, market), LATERAL ({_RUN}"
        " WHERE r.source = u.source AND r.market = u.market"
        " ORDER BY r.started_at DESC LIMIT 1) found",
        [source for source, _ in keys],
        [market for _, market in keys],
    )
    return {(row["source"], row["market"]): _run(row) for row in rows}


async def one(connection: asyncpg.Pool, run_id: str) -> Run | None:
    row = await connection.fetchrow(f"{_RUN} WHERE r.run_id = $1", run_id)
    return _run(row) if row is not None else None


async def errors_of(
    connection: asyncpg.Pool, run_id: str, *, after: int | None, limit: int
) -> list[RunError]:
    """Pages that failed in a run, in their order, after a number; the first 1,000 are kept."""
    rows = await connection.fetch(
        "SELECT number, url, reason, detail, at FROM run_errors"
        " WHERE run_id = $1 AND number > $2 ORDER BY number LIMIT $3",
        run_id,
        after or 0,
        limit,
    )
    return [RunError(**dict(row)) for row in rows]


async def note_errors(
    connection: asyncpg.Pool, run_id: str, failures: Sequence[PageFailure], *, before: int
) -> None:
    """Keep failures that follow the first `before` of a run, of which 1,000 are kept."""
    kept = failures[: max(0, ERRORS_MAX - before)]
    await connection.executemany(
        "INSERT INTO run_errors (run_id, number, url, reason, detail)"
        " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (run_id, number) DO NOTHING",
        [
            (run_id, before + number, _storable(each.url), each.reason, _storable(each.detail))
            for number, each in enumerate(kept, start=1)
        ],
    )


async def note_progress(
    connection: asyncpg.Pool,
    run_id: str,
    *,
    counts: Mapping[str, int],
    pages: int,
    records: int,
    errors: int,
    shares: Shares | None,
    finished: bool = False,
    error: str | None = None,
) -> None:
    """What a run has brought so far, or in all. `shares` is what later runs are measured
    against, None of a run that saw a part of its source."""
    await connection.execute(
        "UPDATE ingest_runs SET counts = $2, pages = $3, records = $4, errors = $5, fill = $6,"
        " finished_at = CASE WHEN $7 THEN now() END, error = $8 WHERE run_id = $1",
        run_id,
        counts,
        pages,
        records,
        errors,
        {} if shares is None else msgspec.to_builtins(shares),
        finished,
        _storable(error),
    )


async def past_shares(
    connection: asyncpg.Pool, source: str, market: str, *, drift: Mapping[str, Any]
) -> tuple[list[Shares], list[Shares]]:
    """What the runs before found that ended in order, newest first: (those since the source
    began to drift, those before). Those before its last change was accepted don't count."""
    found = []
    for is_since in (True, False):
        rows = await connection.fetch(
            "SELECT fill FROM ingest_runs WHERE source = $1 AND market = $2"
            " AND finished_at IS NOT NULL AND error IS NULL AND fill ? 'pages'"
            " AND coalesce(started_at >= $3::text::timestamptz, false) = $4"
            " AND ($5::text IS NULL OR started_at > $5::text::timestamptz)"
            " ORDER BY started_at DESC LIMIT $6",
            source,
            market,
            drift.get("since"),
            is_since,
            drift.get("accepted_at"),
            PAST_RUNS_MAX,
        )
        found.append(msgspec.convert([row["fill"] for row in rows], list[Shares]))
    return found[0], found[1]


def _run(row: asyncpg.Record) -> Run:
    told = dict(row)
    fill = told["fill"]
    told["fill"] = (
        {name: round(rate, 4) for name, rate in msgspec.convert(fill, Shares).rates().items()}
        if fill
        else {}
    )
    return Run(**told)


def _storable(words: str | None) -> str | None:
    """PostgreSQL has no NUL, and what a site says may be long."""
    return None if words is None else words.replace("\0", "")[:DETAIL_LENGTH_MAX]
