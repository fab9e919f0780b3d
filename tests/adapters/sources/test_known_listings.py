"""What the database knows of a source's listings, in a real database."""

from __future__ import annotations

import asyncpg

from engine.adapters.postgres.known_listings import KnownListing, known_listings


async def test_listings_are_known_by_what_became_of_them(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        for market in ("austin", "dallas"):
            await connection.execute(
                "INSERT INTO markets (market, name, time_zone) VALUES ($1, $1, 'UTC')", market
            )
        offered = '{"modification_timestamp": "2026-05-01T12:00:00Z", "standard_status": "Active"}'
        rows = [
            ("dallas", "mls", "offered", "lead-1", offered),
            ("dallas", "mls", "undated", "lead-2", "{}"),
            ("dallas", "mls", "closed", "lead-3", '{"standard_status": "Closed"}'),
            ("dallas", "mls", "refused", None, None),
            ("dallas", "redfin", "other", "lead-4", offered),
            ("austin", "mls", "elsewhere", "lead-5", offered),
        ]
        await connection.executemany(
            "INSERT INTO source_records (market, source, source_id, lead_id, record, content_hash)"
            " VALUES ($1, $2, $3, $4, $5::jsonb, '')",
            rows,
        )
        assert await known_listings(connection, "mls", "dallas") == {
            "offered": KnownListing("2026-05-01T12:00:00Z", True),
            "undated": KnownListing(None, True),
            "closed": KnownListing(None, False),
            "refused": KnownListing(None, False),
        }
        assert await known_listings(connection, "mls", "phoenix") == {}
    finally:
        await connection.close()
