"""Search and single leads."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated, Any

from fastapi import Query

from engine.adapters.postgres import lead_prices, search
from engine.adapters.postgres.search import FACETS, RANGES, Search
from engine.market.instant import from_datetime, to_datetime
from serve_apps.api.answers import Answer, answer
from serve_apps.api.call import Call, CurrentCall
from serve_apps.api.cursors import decode_cursor, encode_cursor
from serve_apps.api.deps import Deps
from serve_apps.api.lead_directory import is_id
from serve_apps.api.price_explained import explained
from serve_apps.api.problems import invalid, not_found
from serve_apps.api.routing import Routes
from serve_apps.api.schemas.leads import LeadPrice, LeadQuery, LeadsPage, Teaser

routes = Routes("leads")

SHOWN_STATES = ("available", "held", "sold", "withdrawn")
DEFAULT_STATES = ("available", "held")


@routes.add("GET", "/v1/leads", answers={200: LeadsPage})
async def search_leads(call: CurrentCall, query: Annotated[LeadQuery, Query()]) -> Answer:
    """Teasers that match, with live price and state."""
    deps = call.deps
    wanted = _search(deps, query)
    facets = _listed("facets", query.facets, tuple(FACETS))
    identity = f"leads {wanted!r}"
    position = decode_cursor(deps, identity, query.cursor)
    page = await search.leads(
        deps.pool, wanted, after=_resume(wanted, position), limit=query.limit, facets=facets
    )
    saw(call, page.items)
    found: dict[str, Any] = {
        "items": page.items,
        "next_cursor": encode_cursor(deps, identity, _position(page.after)),
        "total": page.total,
    }
    if page.facets is not None:
        found["facets"] = page.facets
    return answer(found)


@routes.add("GET", "/v1/leads/{lead_id}", answers={200: Teaser}, problems=("not-found",))
async def get_lead(call: CurrentCall) -> Answer:
    """One lead's teaser; sold and withdrawn ones stay readable."""
    lead_id = call.params[0]
    found = await search.one(call.deps.pool, lead_id) if is_id(lead_id) else None
    if found is None:
        raise not_found("no such lead")
    _looked(call, found["market"], lead_id)
    return answer(found)


@routes.add("GET", "/v1/leads/{lead_id}/price", answers={200: LeadPrice}, problems=("not-found",))
async def get_price(call: CurrentCall) -> Answer:
    """What a lead costs now, what makes exactly that price, and what it cost before."""
    lead_id = call.params[0]
    found = await lead_prices.read(call.deps.pool, lead_id) if is_id(lead_id) else None
    if found is None:
        raise not_found("no such lead")
    _looked(call, found.market, lead_id)
    return answer({"lead_id": lead_id, **explained(found, time.time_ns() // 1000)})


def saw(call: Call, teasers: list[dict[str, Any]]) -> None:
    """What buyers see is a sign of demand; what administrators look at is none."""
    if call.user.role == "buyer":
        call.deps.sightings.in_answer(call.user.user_id, teasers)


def _looked(call: Call, market: str, lead_id: str) -> None:
    if call.user.role == "buyer":
        call.deps.sightings.alone(call.user.user_id, market, lead_id)


def _search(deps: Deps, query: LeadQuery) -> Search:
    """Raises Problem `validation` naming the parameter that can't be."""
    if query.market is not None and query.market not in deps.markets:
        raise invalid("query.market", f"unknown market; known are {', '.join(deps.markets)}")
    near = point_of(query.near)
    if query.radius_m is not None and near is None:
        raise invalid("query.radius_m", "needs near=lat,lon")
    if query.sort == "distance" and near is None:
        raise invalid("query.sort", "distance needs near=lat,lon")
    if query.sort == "relevance" and query.q is None:
        raise invalid("query.sort", "relevance needs q")
    return Search(
        market=query.market,
        q=query.q,
        near=near,
        radius_m=query.radius_m,
        bbox=_bbox(query.bbox),
        property_types=split(query.property_type),
        sources=split(query.source),
        lead_states=_listed("lead_state", query.lead_state, SHOWN_STATES) or DEFAULT_STATES,
        ranges=_ranges(query),
        sort=query.sort,
    )


def _ranges(query: LeadQuery) -> dict[str, int]:
    ranges = {}
    for column in RANGES:
        low, high = getattr(query, f"{column}_min"), getattr(query, f"{column}_max")
        if low is not None and high is not None and low > high:
            raise invalid(f"query.{column}_min", f"is above {column}_max")
        for name, bound in ((f"{column}_min", low), (f"{column}_max", high)):
            if bound is not None:
                ranges[name] = bound
    return ranges


def point_of(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    latitude, longitude = (float(part) for part in text.split(","))
    _degrees("query.near", latitude, longitude)
    return latitude, longitude


def _bbox(text: str | None) -> tuple[float, float, float, float] | None:
    if text is None:
        return None
    west, south, east, north = (float(part) for part in text.split(","))
    _degrees("query.bbox", south, west)
    _degrees("query.bbox", north, east)
    if west >= east or south >= north:
        raise invalid("query.bbox", "is west,south,east,north with west < east and south < north")
    return west, south, east, north


def _degrees(location: str, latitude: float, longitude: float) -> None:
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise invalid(location, "latitude is -90 to 90, longitude -180 to 180")


def split(values: list[str]) -> tuple[str, ...]:
    parts = (part.strip() for value in values for part in value.split(","))
    return tuple(dict.fromkeys(part for part in parts if part))


def _listed(name: str, values: list[str], known: tuple[str, ...]) -> tuple[str, ...]:
    parts = split(values)
    if set(parts) - set(known):
        raise invalid(f"query.{name}", f"each is one of {', '.join(known)}")
    return parts


def _position(after: tuple[Any, str] | None) -> tuple[Any, ...] | None:
    if after is not None and isinstance(after[0], datetime):
        return (from_datetime(after[0]), after[1])
    return after


def _resume(wanted: Search, position: tuple[Any, ...] | None) -> tuple[Any, str] | None:
    if position is None:
        return None
    key, lead_id = position
    return (to_datetime(key) if wanted.sort == "newest" else key, lead_id)
