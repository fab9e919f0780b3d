"""Buying: one lead now, or what the cart holds."""

from __future__ import annotations

import secrets

from engine.market.answers import Bought
from engine.market.commands import Buy
from serve_apps.api import checkout
from serve_apps.api.answers import Answer, answer
from serve_apps.api.call import CurrentCall
from serve_apps.api.problems import invalid
from serve_apps.api.routing import Routes
from serve_apps.api.schemas.trading import BuyRequest, CheckoutRequest, Purchase
from serve_apps.api.trading import order_entry, purchase, submit

routes = Routes("purchases")

_REFUSALS = (
    "not-found",
    "insufficient-credits",
    "lead-unavailable",
    "already-bought",
    "hold-expired",
)


@routes.add(
    "POST",
    "/v1/leads/{lead_id}/buy",
    key="required",
    body=BuyRequest,
    answers={201: Purchase},
    problems=(*_REFUSALS, "price-changed"),
)
async def buy(call: CurrentCall) -> Answer:
    """Buy a seat now; on an own hold at its locked price.

    On a lead just listed the answer waits for the claims of others, at most half a second.
    """
    lead_id = call.params[0]
    max_price = call.parse(BuyRequest).max_price if call.body else None
    leads = call.deps.leads
    market = leads.known(lead_id) or await leads.market_of(lead_id)
    # A repeat is answered with the first one's order id, not this one.
    order_id = secrets.token_urlsafe(16)
    reply = await submit(call, market, Buy(lead_id, call.user.user_id, order_id, max_price))
    bought = reply.answer
    assert isinstance(bought, Bought)
    return answer(
        purchase([order_entry(bought, reply.contact)], [], bought.price, bought.balance), 201
    )


@routes.add(
    "POST",
    "/v1/checkout",
    key="required",
    body=CheckoutRequest,
    answers={201: Purchase},
    problems=(*_REFUSALS, "cart-empty", "not-in-cart"),
)
async def check_out(call: CurrentCall) -> Answer:
    """Buy what the cart holds, each lead exactly once; refused ones are listed."""
    lead_ids = call.parse(CheckoutRequest).lead_ids
    if lead_ids is not None and len(set(lead_ids)) < len(lead_ids):
        raise invalid("body.lead_ids", "names a lead twice")
    checkout_id, request_hash = call.command_id(), call.request_hash()
    assert checkout_id is not None
    assert request_hash is not None
    user_id = call.user.user_id
    begun = await checkout.begin(call.deps, checkout_id, request_hash, user_id, lead_ids)
    outcome = await checkout.complete(call.deps, begun)
    outcome = checkout.with_left_out(outcome, begun, lead_ids)
    return await checkout.render(call.deps, user_id, outcome, call.request_id)
