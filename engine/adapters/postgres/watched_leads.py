"""A market's leads as the watch over areas looks at them: place, price, worth, exposure."""

from __future__ import annotations

from datetime import datetime, timedelta

import asyncpg
import h3
import numpy as np

from engine.adapters.postgres.demand_signals import KINDS
from engine.intake.offer import starting_parts
from engine.market.instant import from_datetime
from engine.market.listing import Listing
from engine.market.pricing.disparity import Watched
from engine.market.pricing.parts import CREDIT, HOUR_US, unpack

# About 36 km2 an area.
AREA_RESOLUTION = 6
LEADS_MAX = 100_000
LISTED_DAYS = 90
# The newest of what replicas counted; a day's are some tens of thousands.
SIGNALS_MAX = 5_000


async def read(connection: asyncpg.Connection, market: str, now: datetime) -> Watched:
    """The newest LEADS_MAX leads listed in the last LISTED_DAYS that are on offer or sold.

    Withdrawn ones are left out: tables don't say when they went. What made a price says what
    the lead is worth; where that is unknown, the listing table does.
    """
    signals = await connection.fetchrow(
        "SELECT min(at) AS since, min(signal_id) AS first FROM (SELECT at, signal_id"
        " FROM demand_signals WHERE market = $1 ORDER BY signal_id DESC LIMIT $2) newest",
        market,
        SIGNALS_MAX,
    )
    shown = await _shown(connection, market, signals["first"])
    rows = await connection.fetch(
        "SELECT l.lead_id, l.listed_at, l.quality, l.list_price, l.property_type, l.latitude,"
        " l.longitude, t.price, t.max_buyers, t.price_parts, o.sold_at"
        " FROM leads l JOIN lead_trading t USING (lead_id) LEFT JOIN LATERAL"
        " (SELECT min(bought_at) AS sold_at FROM orders WHERE lead_id = l.lead_id) o ON true"
        " WHERE l.market = $1 AND l.listed_at > $2"
        " AND t.lead_state IN ('available', 'held', 'sold')"
        " ORDER BY l.listed_at DESC, l.lead_id LIMIT $3",
        market,
        now - timedelta(days=LISTED_DAYS),
        LEADS_MAX,
    )
    now_us = from_datetime(now)
    listed = np.array([from_datetime(row["listed_at"]) for row in rows], dtype=np.float64)
    ended = np.array([row["sold_at"] or now_us for row in rows], dtype=np.float64)
    is_counted = signals["since"] is not None
    from_us = np.maximum(listed, signals["since"] or 0)
    return Watched(
        area=[_area(row["latitude"], row["longitude"]) for row in rows],
        price=np.array([row["price"] for row in rows], dtype=np.float64),
        base=np.array([_base(row) for row in rows], dtype=np.float64),
        list_price=np.array([row["list_price"] or np.nan for row in rows], dtype=np.float64),
        is_lease=np.array([(row["property_type"] or "").endswith("Lease") for row in rows], bool),
        hours=np.maximum(0.0, ended - listed) / HOUR_US,
        is_sold=np.array([row["sold_at"] is not None for row in rows], bool),
        shown=np.array([shown.get(row["lead_id"], 0) for row in rows], dtype=np.float64)
        if is_counted
        else None,
        shown_hours=np.maximum(0.0, ended - from_us) / HOUR_US if is_counted else None,
    )


async def _shown(connection: asyncpg.Connection, market: str, first: int | None) -> dict[str, int]:
    """How often each lead was in a search's answer, since signal `first`."""
    if first is None:
        return {}
    rows = await connection.fetch(
        "SELECT u.lead_id, count(*) FROM demand_signals s,"
        " unnest(s.lead_ids, s.kinds) u(lead_id, kind)"
        " WHERE s.market = $1 AND s.signal_id >= $2 AND u.kind = $3 GROUP BY u.lead_id",
        market,
        first,
        KINDS.index("impression"),
    )
    return dict(rows)


def _area(latitude: float | None, longitude: float | None) -> str:
    if latitude is None or longitude is None:
        return ""
    return str(h3.latlng_to_cell(latitude, longitude, AREA_RESOLUTION))


def _base(row: asyncpg.Record) -> float:
    """Credits."""
    if row["price_parts"] is not None:
        return unpack(row["price_parts"]).base / CREDIT
    listing = Listing(
        quality=row["quality"], list_price=row["list_price"], property_type=row["property_type"]
    )
    return starting_parts(listing, row["max_buyers"]).base / CREDIT
