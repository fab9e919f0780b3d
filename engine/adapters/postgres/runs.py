"""Runs of sources, for the operator."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import asyncpg
import msgspec


class Run(msgspec.Struct, frozen=True):
    run_id: str
    source: str
    market: str
    started_at: datetime
    finished_at: datetime | None
    counts: dict[str, Any]
    error: str | None


async def newest(
    connection: asyncpg.Pool, *, after: tuple[datetime, str] | None, limit: int
) -> list[Run]:
    """Runs, newest first, after (started_at, run_id)."""
    started_at, run_id = after or (None, None)
    rows = await connection.fetch(
        "SELECT run_id, source, market, started_at, finished_at, counts, error FROM ingest_runs"
        " WHERE $1::timestamptz IS NULL OR (started_at, run_id) < ($1, $2::text)"
        " ORDER BY started_at DESC, run_id DESC LIMIT $3",
        started_at,
        run_id,
        limit,
    )
    return [Run(**dict(row)) for row in rows]
