"""What a standing order would have bought, and why it bought a lead or did not."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from zoneinfo import ZoneInfo

from engine.adapters.postgres import market_past, search, standing_verdict, wallets
from engine.adapters.postgres.market_past import MarketPast
from engine.adapters.postgres.standing_verdict import Recorded
from engine.market.instant import rfc3339
from engine.market.plan import Plan
from engine.market.rules import SECOND_US
from engine.market.standing_preview import Preview, Purchase, StandingPreview
from engine.market.standing_terms import StandingTerms
from engine.market.standing_verdict import failed_rules, filling_moment
from engine.market_directory import Market
from serve_apps.api.answers import Answer, answer
from serve_apps.api.call import Call, CurrentCall
from serve_apps.api.lead_directory import is_id
from serve_apps.api.problems import not_found
from serve_apps.api.routes.auth import require_market
from serve_apps.api.routes.standing_orders import own
from serve_apps.api.routing import Routes
from serve_apps.api.schemas.standing_outcomes import (
    PREVIEW_ITEMS_MAX,
    PreviewRequest,
    StandingOrderPreview,
    Verdict,
)
from serve_apps.api.standing_terms import placed_terms, require_words

routes = Routes("standing orders")

DAY_US = 86_400 * SECOND_US


@routes.add(
    "POST",
    "/v1/standing-orders/preview",
    body=PreviewRequest,
    answers={200: StandingOrderPreview},
)
async def preview(call: CurrentCall) -> Answer:
    """What this order would have bought in the last days: nothing is placed. `is_paused` is
    left out of account."""
    form = call.parse(PreviewRequest)
    deps = call.deps
    require_market(deps, form.market, "body.market")
    terms = placed_terms(form)
    await require_words(deps.pool, terms)
    user_id, until = call.user.user_id, time.time_ns() // 1000
    since = until - form.days * DAY_US
    async with deps.previews.turn():
        past = await market_past.read(deps.pool, form.market, terms.filter, user_id, since)
        # By itself, so that others are served meanwhile.
        found = await asyncio.to_thread(
            _replay, past, terms, plan_of(call), deps.markets[form.market], user_id, until
        )
    return answer(
        {
            "days": form.days,
            "from": rfc3339(past.since),
            "to": rfc3339(until),
            "is_cut": past.is_cut,
            "considered": found.considered,
            "matches": found.matches,
            "bought": len(found.bought),
            "cost": found.cost,
            "balance": await wallets.balance(deps.pool, user_id),
            "refused": found.refused,
            "items": await _items(call, found.bought[:PREVIEW_ITEMS_MAX]),
        }
    )


@routes.add(
    "GET",
    "/v1/standing-orders/{standing_order_id}/leads/{lead_id}",
    answers={200: Verdict},
    problems=("not-found",),
)
async def explain(call: CurrentCall) -> Answer:
    """Why the standing order bought the lead or did not: each rule that failed, at every moment
    when the lead was put to it, from what was recorded. No other buyer is named."""
    standing = await own(call)
    lead_id = call.params[1]
    zone = ZoneInfo(call.deps.markets[standing.market].time_zone)
    found = (
        await standing_verdict.read(call.deps.pool, standing, call.user.user_id, lead_id, zone)
        if is_id(lead_id)
        else None
    )
    if found is None:
        raise not_found("no such lead")
    return answer(
        {
            "standing_order_id": standing.standing_order_id,
            "lead_id": lead_id,
            "outcome": _outcome(found),
            "order_id": found.fill and found.fill.order_id,
            "is_cut": found.is_cut,
            "evaluations": _evaluations(found, plan_of(call), zone),
        }
    )


def _outcome(found: Recorded) -> str:
    if found.fill is not None:
        return "bought"
    return "not-bought" if found.moments else "not-considered"


def _evaluations(found: Recorded, plan: Plan, zone: ZoneInfo) -> list[dict[str, Any]]:
    filling = filling_moment([seen for seen, _ in found.moments], found.fill)
    shown = []
    for seen, around in found.moments:
        failed = failed_rules(seen, around, plan, zone, is_filled=seen is filling)
        shown.append(
            {
                "at": rfc3339(seen.moment.at),
                "because": seen.moment.because,
                "price": seen.price,
                "rules_failed": list(failed),
                "details": failed,
            }
        )
    return shown


def _replay(
    past: MarketPast, terms: StandingTerms, plan: Plan, market: Market, user_id: str, until: int
) -> Preview:
    replay = StandingPreview(
        terms, plan, ZoneInfo(market.time_zone), user_id, past.leads, past.since
    )
    for tick in past.ticks:
        replay.tick(tick.position, tick.at, tick.prices)
    return replay.finish(until)


async def _items(call: Call, bought: list[Purchase]) -> list[dict[str, Any]]:
    leads = await search.some(call.deps.pool, [purchase.lead_id for purchase in bought])
    return [
        {
            "lead_id": purchase.lead_id,
            "at": rfc3339(purchase.at),
            "price": purchase.price,
            "pays": purchase.pays,
            "lead": leads[purchase.lead_id],
        }
        for purchase in bought
        if purchase.lead_id in leads
    ]


def plan_of(call: Call) -> Plan:
    plans = call.deps.plans
    return plans.get(call.user.plan, plans["basic"])
