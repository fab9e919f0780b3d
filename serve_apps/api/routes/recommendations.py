"""What a buyer is recommended, and leads like another."""

from __future__ import annotations

import logging
from typing import Annotated, Any

from fastapi import Query

from actors.models import ModelUnavailable, RecommendationAsked, Recommended, SimilarAsked
from engine.adapters.postgres import accounts, recommendable, search
from engine.adapters.postgres.search import Search
from serve_apps.api.answers import Answer, answer
from serve_apps.api.call import Call, CurrentCall
from serve_apps.api.deps import Deps
from serve_apps.api.lead_directory import is_id
from serve_apps.api.problems import invalid, not_found
from serve_apps.api.routes.leads import point_of, saw, split
from serve_apps.api.routing import Routes
from serve_apps.api.schemas.recommendations import (
    RecommendationQuery,
    RecommendationsPage,
    SimilarQuery,
)

log = logging.getLogger(__name__)
routes = Routes("recommendations")

# Asked for beyond what is shown: what was sold or held meanwhile is left out.
SPARE = 10
FALLBACK = {"name": "fallback", "version": None}
WANTED = "wanted by other buyers"
NEWEST = "among the newest"


@routes.add("GET", "/v1/recommendations", answers={200: RecommendationsPage})
async def recommendations(
    call: CurrentCall, query: Annotated[RecommendationQuery, Query()]
) -> Answer:
    """Leads for this buyer, best first, each with its reasons: by what was bought, held, looked at
    and ordered ahead. All are available at the time of the answer, and none is the buyer's yet."""
    deps, user = call.deps, call.user
    near = _near(query)
    asked = RecommendationAsked(
        user_id=user.user_id,
        markets=await _markets(call, query.market),
        limit=query.limit + SPARE,
        near=near,
        radius_m=query.radius_m,
        property_types=split(query.property_type),
        discount_percent=deps.plans[user.plan].discount_percent if user.plan in deps.plans else 0,
    )
    ranked: Recommended | None = None
    if deps.recommends is not None:
        try:
            ranked = await deps.recommends.recommend(asked)
        except ModelUnavailable as unavailable:
            log.warning("recommendations fall back: %s", unavailable)
    if ranked is None:
        return _page(call, await _fallback(deps, asked, query.limit), FALLBACK)
    return await _answered(call, ranked, query.limit, near)


@routes.add(
    "GET",
    "/v1/leads/{lead_id}/similar",
    answers={200: RecommendationsPage},
    problems=("not-found",),
)
async def similar_leads(call: CurrentCall, query: Annotated[SimilarQuery, Query()]) -> Answer:
    """Leads of the same market that are most like this one, with what is alike. The lead itself
    may be sold or withdrawn."""
    deps, lead_id = call.deps, call.params[0]
    lead = await search.one(deps.pool, lead_id) if is_id(lead_id) else None
    if lead is None:
        raise not_found("no such lead")
    asked = SimilarAsked(call.user.user_id, lead_id, query.limit + SPARE)
    ranked: Recommended | None = None
    if deps.recommends is not None:
        try:
            ranked = await deps.recommends.similar(asked)
        except ModelUnavailable as unavailable:
            log.warning("similar leads fall back: %s", unavailable)
    if ranked is None:
        types = (lead["property_type"],) if lead["property_type"] else ()
        like = RecommendationAsked(
            call.user.user_id, (lead["market"],), query.limit + 1, property_types=types
        )
        found = await _fallback(deps, like, query.limit + 1)
        others = [item for item in found if item["lead_id"] != lead_id]
        return _page(call, others[: query.limit], FALLBACK)
    return await _answered(call, ranked, query.limit, None)


async def _answered(
    call: Call, ranked: Recommended, limit: int, near: tuple[float, float] | None
) -> Answer:
    """The ranked leads as they are now; those that are not available any more are left out."""
    lead_ids = [pick.lead_id for pick in ranked.picks]
    teasers = await recommendable.available(call.deps.pool, lead_ids, call.user.user_id, near)
    items = [
        {**teasers[pick.lead_id], "score": pick.score, "reasons": pick.reasons}
        for pick in ranked.picks
        if pick.lead_id in teasers
    ]
    return _page(call, items[:limit], {"name": "recommender", "version": ranked.version})


async def _fallback(deps: Deps, asked: RecommendationAsked, limit: int) -> list[dict[str, Any]]:
    """Of the newest leads those that most buyers wanted, of each market in turn."""
    share = -(-limit // len(asked.markets)) if asked.markets else 0
    found: list[tuple[dict[str, Any], int]] = []
    for market in asked.markets:
        wanted = Search(
            market=market,
            near=asked.near,
            radius_m=None if asked.radius_m is None else int(asked.radius_m),
            property_types=asked.property_types,
            lead_states=("available",),
        )
        found += await recommendable.most_wanted(deps.pool, wanted, asked.user_id, share)
    found.sort(key=lambda each: (each[1], each[0]["listed_at"]), reverse=True)
    return [
        {
            **teaser,
            "score": round(1 - place / (limit + 1), 4),
            "reasons": [WANTED, NEWEST] if times else [NEWEST],
        }
        for place, (teaser, times) in enumerate(found[:limit])
    ]


def _page(call: Call, items: list[dict[str, Any]], model: dict[str, Any]) -> Answer:
    saw(call, items)
    return answer({"items": items, "next_cursor": None, "model": model})


async def _markets(call: Call, named: str | None) -> tuple[str, ...]:
    """The one named, else the preferred one, else all: every plan is allowed every market.
    Raises Problem `validation` for one that there is not."""
    markets = call.deps.markets
    if named is not None:
        if named not in markets:
            raise invalid("query.market", f"unknown market; known are {', '.join(markets)}")
        return (named,)
    profile = await accounts.profile(call.deps.pool, call.user.user_id)
    preferred = None if profile is None else profile.preferred_market
    return (preferred,) if preferred in markets else tuple(markets)


def _near(query: RecommendationQuery) -> tuple[float, float] | None:
    near = point_of(query.near)
    if query.radius_m is not None and near is None:
        raise invalid("query.radius_m", "needs near=lat,lon")
    return near
