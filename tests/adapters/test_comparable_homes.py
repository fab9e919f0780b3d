"""Which leads of a market are homes to compare prices with."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import asyncpg

from engine.adapters.postgres.comparable_homes import read
from engine.adapters.postgres.listing_rows import INSERT_LEADS, listing_columns
from engine.market.listing import Listing

HOME: dict[str, Any] = {
    "list_price": 300_000,
    "living_area": 1_500,
    "bedrooms_total": 3,
    "property_type": "Residential",
    "property_sub_type": "Condominium",
    "latitude": 30.27,
    "longitude": -97.74,
}


async def test_homes_with_price_and_place_in_order(fresh_database_url: str) -> None:
    connection = await asyncpg.connect(fresh_database_url)
    leads = {
        "good": Listing(**HOME),
        "hidden": Listing(**HOME),
        "flagged": Listing(**HOME, fraud_flag=True),
        "nowhere": Listing(**HOME | {"latitude": None, "longitude": None}),
        "unpriced": Listing(**HOME | {"list_price": None}),
        "later": Listing(**HOME | {"list_price": 310_000}),
    }
    await connection.execute(
        "INSERT INTO markets (market, name, time_zone) VALUES ('austin', 'A', 'America/Chicago')"
    )
    for day, (lead_id, listing) in enumerate(leads.items(), 1):
        at = datetime(2026, 5, day, tzinfo=UTC)
        await connection.execute(INSERT_LEADS, "austin", at, *listing_columns({lead_id: listing}))
        await connection.execute(
            "INSERT INTO lead_trading (market, lead_id, price, max_buyers, lead_state, sold, held)"
            " VALUES ('austin', $1, 10, 3, $2, 0, 0)",
            lead_id,
            "quarantined" if lead_id == "hidden" else "available",
        )
    try:
        async with connection.transaction():
            found = [each async for each in read(connection, "austin")]
            newest = [each async for each in read(connection, "austin", limit=1)]
            others = [each async for each in read(connection, "dallas")]
    finally:
        await connection.close()
    assert found == [("good", leads["good"]), ("later", leads["later"])]
    assert newest == found[1:]
    assert others == []
