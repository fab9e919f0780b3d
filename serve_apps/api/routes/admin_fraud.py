"""What admins see of leads that may be scams, and what they decide of them."""

from __future__ import annotations

from typing import Annotated

import asyncpg
from fastapi import Query

from actors.desks import DeskUnavailable
from engine.adapters.postgres import fraud_review
from engine.adapters.postgres.directory import lead_state
from engine.adapters.postgres.fraud_scores import Word
from engine.adapters.postgres.idempotency import Stored
from engine.market.instant import from_datetime, to_datetime
from serve_apps.api.answers import Answer, answer
from serve_apps.api.call import Call, CurrentCall
from serve_apps.api.cursors import decode_cursor, encode_cursor
from serve_apps.api.idempotency import answer_once, decided
from serve_apps.api.problems import not_found, unavailable
from serve_apps.api.routing import Routes
from serve_apps.api.schemas.fraud import QuarantineQuery, ReviewDecision, SuspectsPage
from serve_apps.api.schemas.operations import DecidedLead

routes = Routes("admin")


@routes.add("GET", "/v1/admin/quarantine", access="admin", answers={200: SuspectsPage})
async def list_suspects(call: CurrentCall, page: Annotated[QuarantineQuery, Query()]) -> Answer:
    """Leads in quarantine or flagged, with how they were judged; listed last first."""
    identity = f"quarantine {page.market} {page.verdict}"
    position = decode_cursor(call.deps, identity, page.cursor)
    found = await fraud_review.page(
        call.deps.pool,
        asked=page.verdict,
        market=page.market,
        after=(to_datetime(position[0]), position[1]) if position else None,
        limit=page.limit + 1,
    )
    shown = found[: page.limit]
    more = len(found) > page.limit
    last = (from_datetime(shown[-1].listed_at), shown[-1].lead_id) if more else None
    return answer({"items": shown, "next_cursor": encode_cursor(call.deps, identity, last)})


@routes.add(
    "POST",
    "/v1/admin/quarantine/{lead_id}/approve",
    access="admin",
    key="optional",
    body=ReviewDecision,
    answers={200: DecidedLead},
    problems=("not-found", "unavailable"),
)
async def approve_suspect(call: CurrentCall) -> Answer:
    """Say that a lead is honest: it is on offer, without a flag."""
    return await enter(
        call,
        Word(decision="approved", by=call.user.user_id, reason=_reason(call), is_scam=False),
    )


@routes.add(
    "POST",
    "/v1/admin/quarantine/{lead_id}/reject",
    access="admin",
    key="optional",
    body=ReviewDecision,
    answers={200: DecidedLead},
    problems=("not-found", "unavailable"),
)
async def reject_suspect(call: CurrentCall) -> Answer:
    """Say that a lead is a scam: it is withdrawn, and its holds end."""
    return await enter(
        call,
        Word(decision="rejected", by=call.user.user_id, reason=_reason(call), is_scam=True),
    )


async def enter(call: Call, word: Word) -> Answer:
    """Have the desk enter an admin's word on the lead that the path names, once per key."""
    lead_id = call.params[0]
    market = await call.deps.leads.market_of(lead_id)

    async def decide(_connection: asyncpg.Connection) -> Stored:
        try:
            is_known = await call.deps.decide_lead(market, lead_id, word)
        except DeskUnavailable as error:
            raise unavailable(str(error)) from error
        if not is_known:
            raise not_found("no record of this lead is kept; it may have gone into another one")
        state = await lead_state(call.deps.pool, lead_id)
        return decided(200, {"lead_id": lead_id, "lead_state": state})

    return await answer_once(call, decide)


def _reason(call: Call) -> str:
    return call.parse(ReviewDecision).reason
