"""What reviewers found of leads, beside what a version of the fraud model had said of them."""

from __future__ import annotations

from typing import NamedTuple

import asyncpg

LABELS_MAX = 200_000
# With their features; hundreds of bytes each.
REVIEWS_MAX = 50_000


class Reviews(NamedTuple):
    """The last word on each lead with its features as they were scored, oldest first. `others`
    are labels without features of this schema, so that nothing can be learnt from them."""

    features: list[list[float]]
    is_scam: list[bool]
    others: int


async def reviews(pool: asyncpg.Pool, schema: int) -> Reviews:
    """Features of this schema and what a reviewer found; the newest REVIEWS_MAX. Missing
    features are NaN."""
    rows = await pool.fetch(
        "SELECT features, feature_schema, is_scam FROM ("
        " SELECT DISTINCT ON (lead_id) lead_id, label_id, features, feature_schema, is_scam"
        " FROM fraud_labels ORDER BY lead_id, label_id DESC) newest"
        " ORDER BY label_id DESC LIMIT $1",
        REVIEWS_MAX,
    )
    known = [row for row in reversed(rows) if row["features"] and row["feature_schema"] == schema]
    return Reviews(
        [list(row["features"]) for row in known],
        [row["is_scam"] for row in known],
        len(rows) - len(known),
    )


async def labelled(pool: asyncpg.Pool, version: int) -> list[tuple[float, bool]]:
    """Probability and whether it was a scam, of the last word on each lead; the newest."""
    rows = await pool.fetch(
        "SELECT probability, is_scam FROM ("
        " SELECT DISTINCT ON (lead_id) lead_id, label_id, probability, is_scam, model_version"
        " FROM fraud_labels ORDER BY lead_id, label_id DESC) newest"
        " WHERE model_version = $1 AND probability IS NOT NULL"
        " ORDER BY label_id DESC LIMIT $2",
        version,
        LABELS_MAX,
    )
    return [(row["probability"], row["is_scam"]) for row in rows]
