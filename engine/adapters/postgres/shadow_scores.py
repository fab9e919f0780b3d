"""What a shadow would have said of each subject, beside what the live version said."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg
import msgspec

# Looked at in one comparison, the newest.
COMPARED_MAX = 100_000


class ShadowScore(msgspec.Struct, frozen=True):
    """Scores of one subject, an id, by the shadow and by the version that was live."""

    subject: str
    score: float
    live_version: int
    live_score: float


async def write(pool: asyncpg.Pool, name: str, version: int, scores: Sequence[ShadowScore]) -> None:
    await pool.execute(
        "INSERT INTO shadow_scores (name, version, subject, score, live_version, live_score)"
        " SELECT $1, $2, * FROM unnest($3::text[], $4::float8[], $5::int4[], $6::float8[])",
        name,
        version,
        [each.subject for each in scores],
        [each.score for each in scores],
        [each.live_version for each in scores],
        [each.live_score for each in scores],
    )


async def of(
    pool: asyncpg.Pool, name: str, version: int, live_version: int | None = None
) -> list[ShadowScore]:
    """The newest of a shadow, at most COMPARED_MAX; beside one live version, or any."""
    rows = await pool.fetch(
        "SELECT subject, score, live_version, live_score FROM shadow_scores"
        " WHERE name = $1 AND version = $2 AND ($3::int4 IS NULL OR live_version = $3)"
        " ORDER BY shadow_id DESC LIMIT $4",
        name,
        version,
        live_version,
        COMPARED_MAX,
    )
    return [ShadowScore(**dict(row)) for row in rows]


async def forget(pool: asyncpg.Pool, *, days: int, rows: int) -> int:
    """Drop what is older than that, and of each version what exceeds so many rows; how many."""
    old: str = await pool.execute(
        "DELETE FROM shadow_scores WHERE at < now() - make_interval(days => $1)", days
    )
    beyond: str = await pool.execute(
        "DELETE FROM shadow_scores s USING ("
        " SELECT v.name, v.version, (SELECT shadow_id FROM shadow_scores n WHERE n.name = v.name"
        " AND n.version = v.version ORDER BY shadow_id DESC OFFSET $1 LIMIT 1) AS newest"
        " FROM model_versions v) dropped"
        " WHERE s.name = dropped.name AND s.version = dropped.version"
        " AND s.shadow_id <= dropped.newest",
        rows,
    )
    return int(old.split()[-1]) + int(beyond.split()[-1])
