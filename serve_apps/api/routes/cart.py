"""The cart: a buyer's live holds."""

from __future__ import annotations

from engine.adapters.postgres import cart
from engine.market.answers import Held
from engine.market.commands import Extend, Hold, Release
from engine.market.instant import rfc3339
from serve_apps.api.answers import Answer, NoContent, answer
from serve_apps.api.call import Call, CurrentCall
from serve_apps.api.problems import invalid
from serve_apps.api.routing import Routes
from serve_apps.api.schemas.trading import Cart, ExtendRequest, HoldRequest
from serve_apps.api.schemas.trading import Hold as HoldAnswer
from serve_apps.api.trading import held_entry, submit

routes = Routes("cart")


@routes.add("GET", "/v1/cart", answers={200: Cart})
async def get_cart(call: CurrentCall) -> Answer:
    """Live holds, oldest first, at their locked prices."""
    items = await cart.items(call.deps.pool, call.user.user_id)
    return answer(
        {
            "items": [
                {
                    "lead_id": item.lead_id,
                    "price": item.price,
                    "hold": item.hold,
                    "held_until": rfc3339(item.held_until),
                    "lead": item.lead,
                }
                for item in items
            ],
            "total_credits": sum(item.price for item in items),
        }
    )


@routes.add(
    "POST",
    "/v1/cart/items",
    key="optional",
    body=HoldRequest,
    answers={201: HoldAnswer},
    problems=(
        "not-found",
        "insufficient-credits",
        "plan-required",
        "lead-unavailable",
        "already-held",
        "already-bought",
        "hold-limit",
    ),
)
async def hold(call: CurrentCall) -> Answer:
    """Hold a seat at the price now, less the plan's discount; what the term costs is charged.

    On a lead just listed the answer waits for the claims of others, at most half a second.
    """
    form = call.parse(HoldRequest)
    _require_term(call, form.hold)
    leads = call.deps.leads
    market = leads.known(form.lead_id) or await leads.market_of(form.lead_id)
    reply = await submit(call, market, Hold(form.lead_id, call.user.user_id, form.hold))
    assert isinstance(reply.answer, Held)
    return answer(held_entry(reply.answer), 201)


@routes.add(
    "POST",
    "/v1/cart/items/{lead_id}/extend",
    key="optional",
    body=ExtendRequest,
    answers={200: HoldAnswer},
    problems=(
        "not-found",
        "insufficient-credits",
        "plan-required",
        "not-in-cart",
        "hold-expired",
        "already-bought",
    ),
)
async def extend(call: CurrentCall) -> Answer:
    """A longer term for a hold, counted from the first hold of the lead; what it costs more
    than the fee paid so far is charged."""
    form = call.parse(ExtendRequest)
    _require_term(call, form.hold)
    lead_id = call.params[0]
    market = await call.deps.leads.market_of(lead_id)
    reply = await submit(call, market, Extend(lead_id, call.user.user_id, form.hold))
    assert isinstance(reply.answer, Held)
    return answer(held_entry(reply.answer))


@routes.add(
    "DELETE",
    "/v1/cart/items/{lead_id}",
    key="optional",
    answers={204: None},
    problems=("not-found", "not-in-cart", "hold-expired", "already-bought"),
)
async def release(call: CurrentCall) -> NoContent:
    """Give a held seat back."""
    lead_id = call.params[0]
    market = await call.deps.leads.market_of(lead_id)
    await submit(call, market, Release(lead_id, call.user.user_id))
    return NoContent()


def _require_term(call: Call, term: str) -> None:
    """Terms that some plan has go to the book, which knows the buyer's plan."""
    if term not in call.deps.terms:
        known = ", ".join(sorted(call.deps.terms))
        raise invalid("body.hold", f"unknown term; known are {known}")
