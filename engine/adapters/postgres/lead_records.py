"""What is kept of a lead's records and of its merges, for operators: no contact among it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from engine.intake.prepared import Stated
from engine.intake.record import FieldNote
from engine.market.listing import Listing


class KeptRecord(msgspec.Struct, frozen=True):
    """What a record said last, with when and under which licence it was read."""

    stated: Stated
    language: str | None
    licence: str
    fetched_at: datetime | None
    first_seen_at: datetime
    last_seen_at: datetime


class KeptMerge(msgspec.Struct, frozen=True):
    merge_id: str
    market: str
    survivor: str
    merged: str
    records: int
    probability: float
    is_link: bool
    merged_at: datetime
    undone_at: datetime | None
    undone_by: str | None
    new_lead_id: str | None


async def records_of(connection: asyncpg.Pool, lead_id: str) -> list[KeptRecord]:
    """At most 200 records of a lead, by source."""
    rows = await connection.fetch(
        "SELECT source, source_id, trust, seats, record, quality, notes, language, licence,"
        " fetched_at, first_seen_at, last_seen_at FROM source_records"
        " WHERE lead_id = $1 AND record IS NOT NULL ORDER BY source, source_id LIMIT 200",
        lead_id,
    )
    return [KeptRecord(_stated(row), *row[7:]) for row in rows]


async def merges(
    connection: asyncpg.Pool,
    *,
    market: str | None,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[KeptMerge]:
    """Merges that the book has decided, newest first, after (merged_at, merge_id)."""
    merged_at, merge_id = after or (None, None)
    rows = await connection.fetch(
        "SELECT merge_id, market, survivor, merged, jsonb_array_length(records), probability,"
        " is_link, merged_at, undone_at, undone_by, new_lead_id FROM lead_merges"
        " WHERE records IS NOT NULL AND ($1::text IS NULL OR market = $1)"
        " AND ($2::timestamptz IS NULL OR (merged_at, merge_id) < ($2, $3::text))"
        " ORDER BY merged_at DESC, merge_id DESC LIMIT $4",
        market,
        merged_at,
        merge_id,
        limit,
    )
    return [KeptMerge(*row) for row in rows]


async def market_of_merge(connection: asyncpg.Pool, merge_id: str) -> str | None:
    market: str | None = await connection.fetchval(
        "SELECT market FROM lead_merges WHERE merge_id = $1", merge_id
    )
    return market


def _stated(row: Any) -> Stated:
    return Stated(
        row[0],
        row[1],
        row[2],
        row[3],
        msgspec.convert(row[4], Listing),
        msgspec.convert(row[5], dict[str, float]),
        msgspec.convert(row[6], dict[str, FieldNote]),
    )
