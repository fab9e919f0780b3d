"""What admins see of prices as a whole."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Query

from engine.adapters.postgres import watched_leads
from engine.market.instant import from_datetime, rfc3339
from engine.market.pricing.disparity import Area, Disparity, disparity
from serve_apps.api.answers import Answer, answer
from serve_apps.api.call import CurrentCall
from serve_apps.api.routes.auth import require_market
from serve_apps.api.routing import Routes
from serve_apps.api.schemas.disparity import DisparityQuery, PricingDisparity

routes = Routes("admin")


@routes.add("GET", "/v1/admin/pricing/disparity", access="admin", answers={200: PricingDisparity})
async def show_disparity(call: CurrentCall, query: Annotated[DisparityQuery, Query()]) -> Answer:
    """Prices and exposure by area, against the market's own."""
    require_market(call.deps, query.market, "query.market")
    now = datetime.now(UTC)
    async with (
        call.deps.pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        leads = await watched_leads.read(connection, query.market, now)
    # Tens of thousands of leads take a moment; others go on meanwhile.
    found = await asyncio.to_thread(disparity, leads)
    return answer(_shown(query.market, now, found))


def _shown(market: str, now: datetime, found: Disparity) -> dict[str, Any]:
    return {
        "market": market,
        "at": rfc3339(from_datetime(now)),
        "leads": found.leads,
        "baseline": found.market._asdict(),
        "areas": [_area(area) for area in found.areas],
        "left_out": found.left_out,
        "notes": found.notes,
    }


def _area(area: Area) -> dict[str, Any]:
    return {
        name: value._asdict() if isinstance(value, tuple) else value
        for name, value in area._asdict().items()
    }
