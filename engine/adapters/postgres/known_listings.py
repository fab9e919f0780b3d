"""What is known of one source in one market, to be compared with what the source lists."""

from __future__ import annotations

import asyncpg
import msgspec

from engine.intake.listing import GONE_STATUSES


class KnownListing(msgspec.Struct, frozen=True, gc=False):
    """`modified` as stored, RFC 3339 in whole seconds, None where none was stated;
    `is_offered` is false of what is gone already and of what never became a lead."""

    modified: str | None
    is_offered: bool


async def known_listings(
    connection: asyncpg.Connection, source: str, market: str
) -> dict[str, KnownListing]:
    """By the source's own id, refused ones among them."""
    rows = await connection.fetch(
        "SELECT source_id, record->>'modification_timestamp', lead_id IS NOT NULL"
        " AND coalesce(record->>'standard_status', '') <> ALL($3::text[])"
        " FROM source_records WHERE market = $1 AND source = $2",
        market,
        source,
        sorted(GONE_STATUSES),
    )
    return {key: KnownListing(modified, is_offered) for key, modified, is_offered in rows}
