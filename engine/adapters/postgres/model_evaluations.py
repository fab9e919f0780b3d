"""How versions did on data that they were judged by after they were made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import asyncpg
import msgspec

from engine.market.instant import from_datetime


class Evaluation(msgspec.Struct, frozen=True):
    """`data` says in words what the version was judged by; two versions compare where it is the
    same. `note` says what a reader must know, such as that it has learnt from it. `at` in µs,
    0 before it is kept."""

    name: str
    version: int
    data: str
    rows: int
    metrics: Mapping[str, Any]
    note: str
    made_by: str
    at: int = 0


async def keep(pool: asyncpg.Pool, made: Evaluation) -> Evaluation:
    """Versions are never deleted, so the one that was judged is there."""
    row = await pool.fetchrow(
        "INSERT INTO model_evaluations (name, version, data, rows, metrics, note, made_by)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING *",
        made.name,
        made.version,
        made.data,
        made.rows,
        dict(made.metrics),
        made.note,
        made.made_by,
    )
    return _evaluation(row)


async def newest(pool: asyncpg.Pool, name: str, version: int) -> list[Evaluation]:
    """The last one on each data, by the data's name."""
    rows = await pool.fetch(
        "SELECT DISTINCT ON (data) * FROM model_evaluations WHERE name = $1 AND version = $2"
        " ORDER BY data, evaluation_id DESC LIMIT 100",
        name,
        version,
    )
    return [_evaluation(row) for row in rows]


def _evaluation(row: asyncpg.Record) -> Evaluation:
    return Evaluation(
        row["name"],
        row["version"],
        row["data"],
        row["rows"],
        row["metrics"],
        row["note"],
        row["made_by"],
        from_datetime(row["at"]),
    )
