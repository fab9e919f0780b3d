"""Records that could not be used: kept with their reason until an admin has looked at them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import asyncpg
import msgspec

from engine.adapters.postgres.fetched_pages import forget_content

RejectedState = Literal["rejected", "review"]
Decision = Literal["dismiss", "retry"]

_SHOWN = (
    "market, source, source_id, rejected_because AS reason, rejected_detail AS detail,"
    " first_seen_at, last_seen_at, reviewed_at, reviewed_by, review_note"
)


class RejectedRecord(msgspec.Struct, frozen=True):
    """One record that could not be used; `reason` is a slug, `detail` may quote the source."""

    market: str
    source: str
    source_id: str
    reason: str
    detail: str | None
    first_seen_at: datetime
    last_seen_at: datetime
    reviewed_at: datetime | None
    reviewed_by: str | None
    review_note: str | None


async def page(
    connection: asyncpg.Pool,
    *,
    state: RejectedState,
    source: str | None,
    market: str | None,
    reason: str | None,
    after: tuple[str, str, str] | None,
    limit: int,
) -> list[RejectedRecord]:
    """Rejected records by market, source and id, after such a triple; of state `review` only
    those that nobody has dismissed."""
    rows = await connection.fetch(
        f"SELECT {_SHOWN} FROM source_records WHERE rejected_because IS NOT NULL"
        " AND ($1::text IS NULL OR source = $1) AND ($2::text IS NULL OR market = $2)"
        " AND ($3::text IS NULL OR rejected_because = $3) AND ($4 OR reviewed_at IS NULL)"
        " AND ($5::text IS NULL OR (market, source, source_id) > ($5, $6::text, $7::text))"
        " ORDER BY market, source, source_id LIMIT $8",
        source,
        market,
        reason,
        state == "rejected",
        *(after or (None, None, None)),
        limit,
    )
    return [RejectedRecord(**dict(row)) for row in rows]


async def review(
    connection: asyncpg.Connection,
    key: tuple[str, str, str],
    *,
    decision: Decision,
    by: str,
    note: str | None,
) -> RejectedRecord | None:
    """Dismiss a rejected record of (market, source, id), or have the next run read its page
    again, until when it waits for review as before. None if there is no such record."""
    row = await connection.fetchrow(
        "UPDATE source_records SET reviewed_by = $4, review_note = $5,"
        " reviewed_at = CASE WHEN $6 THEN now() END"
        " WHERE market = $1 AND source = $2 AND source_id = $3 AND rejected_because IS NOT NULL"
        f" RETURNING {_SHOWN}, content_hash",
        *key,
        by,
        note,
        decision == "dismiss",
    )
    if row is None:
        return None
    if decision == "retry":
        await forget_content(connection, row["source"], row["market"], row["content_hash"])
    told = dict(row)
    del told["content_hash"]
    return RejectedRecord(**told)
