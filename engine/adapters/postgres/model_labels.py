"""What reviewers found of leads, beside what a version of the fraud model had said of them."""

from __future__ import annotations

import asyncpg

LABELS_MAX = 200_000


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
