"""Standing orders: leads bought automatically, by a filter, a top price and limits."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import Query

from engine.adapters.postgres import standing_orders
from engine.adapters.postgres.standing_orders import Standing
from engine.market.answers import StandingKept
from engine.market.commands import CancelStanding, ChangeStanding, PlaceStanding
from serve_apps.api.answers import Answer, NoContent, answer
from serve_apps.api.call import Call, CurrentCall
from serve_apps.api.cursors import decode_cursor, encode_cursor
from serve_apps.api.lead_directory import is_id
from serve_apps.api.problems import Problem, not_found
from serve_apps.api.routes.auth import require_market
from serve_apps.api.routing import Routes
from serve_apps.api.schemas.standing_orders import StandingOrder as StandingOrderAnswer
from serve_apps.api.schemas.standing_orders import (
    StandingOrderPatch,
    StandingOrderRequest,
    StandingOrdersPage,
    StandingOrdersQuery,
)
from serve_apps.api.standing_terms import changed_terms, entry, placed_terms, require_words
from serve_apps.api.trading import submit

routes = Routes("standing orders")

# A change is made of what was read: when another came between, read again this often.
CHANGE_ATTEMPTS = 3


@routes.add("GET", "/v1/standing-orders", answers={200: StandingOrdersPage})
async def list_standing_orders(
    call: CurrentCall, query: Annotated[StandingOrdersQuery, Query()]
) -> Answer:
    """The caller's standing orders, newest first."""
    require_market(call.deps, query.market, "query.market")
    user_id = call.user.user_id
    identity = f"standing orders {user_id} {query.market}"
    after = decode_cursor(call.deps, identity, query.cursor)
    found = await standing_orders.of_user(
        call.deps.pool,
        user_id,
        market=query.market,
        after=(after[0], after[1]) if after else None,
        limit=query.limit + 1,
    )
    shown = found[: query.limit]
    last = (shown[-1].placed_at, shown[-1].standing_order_id) if len(found) > query.limit else None
    return answer(
        {
            "items": [entry(standing) for standing in shown],
            "next_cursor": encode_cursor(call.deps, identity, last),
        }
    )


@routes.add(
    "POST",
    "/v1/standing-orders",
    key="optional",
    body=StandingOrderRequest,
    answers={201: StandingOrderAnswer},
    problems=("standing-order-limit",),
)
async def place(call: CurrentCall) -> Answer:
    """Buy what matches from now on: leads newly on offer, and those whose price changes."""
    form = call.parse(StandingOrderRequest)
    require_market(call.deps, form.market, "body.market")
    terms = placed_terms(form)
    await require_words(call.deps.pool, terms)
    # A repeat is answered with the first one's id, not this one.
    command = PlaceStanding(secrets.token_urlsafe(16), call.user.user_id, terms)
    reply = await submit(call, form.market, command)
    return answer(await _kept(call, reply.answer), 201)


@routes.add(
    "GET",
    "/v1/standing-orders/{standing_order_id}",
    answers={200: StandingOrderAnswer},
    problems=("not-found",),
)
async def get_standing_order(call: CurrentCall) -> Answer:
    """One standing order; another buyer's is not found."""
    found = await own(call)
    if found.cancelled_at is not None:
        raise _no_such()
    return answer(entry(found))


@routes.add(
    "PATCH",
    "/v1/standing-orders/{standing_order_id}",
    key="optional",
    body=StandingOrderPatch,
    answers={200: StandingOrderAnswer},
    problems=("not-found", "changed-meanwhile"),
)
async def change(call: CurrentCall) -> Answer:
    """Change the members sent, leave the others; what was bought and spent stays counted."""
    patch = call.parse(StandingOrderPatch)
    for attempt in range(CHANGE_ATTEMPTS - 1):
        try:
            return await _change(call, patch, attempt)
        except Problem as problem:
            if problem.slug != "changed-meanwhile":
                raise
    return await _change(call, patch, CHANGE_ATTEMPTS - 1)


async def _change(call: Call, patch: StandingOrderPatch, attempt: int) -> Answer:
    found = await own(call)
    terms = changed_terms(found.terms, patch)
    if patch.filter is not None:
        await require_words(call.deps.pool, terms)
    command = ChangeStanding(found.standing_order_id, call.user.user_id, terms, found.revision)
    reply = await submit(call, found.market, command, attempt)
    return answer(await _kept(call, reply.answer))


@routes.add(
    "DELETE",
    "/v1/standing-orders/{standing_order_id}",
    key="optional",
    answers={204: None},
    problems=("not-found",),
)
async def cancel(call: CurrentCall) -> NoContent:
    """End a standing order; what it bought stays bought."""
    found = await own(call)
    command = CancelStanding(found.standing_order_id, call.user.user_id)
    await submit(call, found.market, command)
    return NoContent()


async def own(call: Call) -> Standing:
    """The caller's standing order that the path names, also a cancelled one, so that a repeat
    reaches the answer that was given. Raises Problem `not-found`."""
    id_ = call.params[0]
    found = (
        await standing_orders.one(call.deps.pool, call.user.user_id, id_) if is_id(id_) else None
    )
    if found is None:
        raise _no_such()
    return found


def _no_such() -> Problem:
    return not_found("you have no such standing order")


async def _kept(call: Call, kept: object) -> dict[str, object]:
    assert isinstance(kept, StandingKept)
    return entry(
        await standing_orders.as_kept(call.deps.pool, kept.standing_order_id, kept.revision)
    )
