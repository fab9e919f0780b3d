"""A checkout: the list first, then purchase by purchase, always forward.

The row is committed before the first purchase. Each lead's command id follows from the
row, so whoever runs it again (a repeat, another replica after a crash) decides nothing
twice, and ends with the same outcome.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

import msgspec

from engine.adapters.postgres import cart, checkouts, orders
from engine.adapters.postgres.checkouts import Checkout
from engine.adapters.postgres.idempotency import OtherBody
from engine.market.answers import Bought
from engine.market.commands import Buy, Refused
from engine.market.instant import from_datetime
from serve_apps.api.answers import Answer, answer
from serve_apps.api.deps import Deps
from serve_apps.api.problems import Problem, problem_body
from serve_apps.api.trading import order_entry, purchase


class Outcome(msgspec.Struct, frozen=True):
    """What a checkout came to, as it is stored: without contacts."""

    orders: list[Bought] = []
    refused: list[tuple[str, str, str]] = []
    """(lead_id, slug, detail)"""


async def begin(
    deps: Deps,
    checkout_id: bytes,
    request_hash: bytes,
    user_id: str,
    lead_ids: list[str] | None,
) -> Checkout:
    """The row of this key, made of the cart if it is new. Raises OtherBody.

    Named leads that are not there are left out for good: were one listed meanwhile, of two
    who complete the checkout one would refuse it and the other buy it.
    """
    found = await checkouts.find(deps.pool, checkout_id)
    if found is None:
        if lead_ids is None:
            listed = await cart.lead_ids(deps.pool, user_id)
        else:
            listed = [lead_id for lead_id in lead_ids if await _is_there(deps, lead_id)]
        found = await checkouts.begin(deps.pool, checkout_id, user_id, request_hash, listed)
    if found.request_hash != request_hash:
        raise OtherBody
    return found


async def _is_there(deps: Deps, lead_id: str) -> bool:
    try:
        await deps.leads.market_of(lead_id)
    except Problem as problem:
        if problem.slug != "not-found":
            raise
        return False
    return True


def with_left_out(outcome: Outcome, checkout: Checkout, lead_ids: list[str] | None) -> Outcome:
    """The outcome with what was named and left out, refused, in the order of naming."""
    if lead_ids is None:
        return outcome
    refused = {lead_id: (lead_id, slug, detail) for lead_id, slug, detail in outcome.refused}
    for lead_id in lead_ids:
        if lead_id not in checkout.lead_ids:
            refused[lead_id] = (lead_id, "not-found", "no such lead")
    return Outcome(outcome.orders, [refused[id_] for id_ in lead_ids if id_ in refused])


async def complete(deps: Deps, checkout: Checkout) -> Outcome:
    """Buy what is not bought yet. Raises BookUnavailable, BookBusy: run it again later."""
    if checkout.answer is not None:
        return msgspec.convert(checkout.answer, Outcome)
    bought: list[Bought] = []
    refused: list[tuple[str, str, str]] = []
    for lead_id in checkout.lead_ids:
        decided = await _buy(deps, checkout, lead_id)
        if isinstance(decided, Bought):
            bought.append(decided)
        else:
            refused.append((lead_id, decided.code, decided.detail))
    outcome = Outcome(bought, refused)
    stored = await checkouts.finish(deps.pool, checkout.checkout_id, msgspec.to_builtins(outcome))
    return msgspec.convert(stored, Outcome)


async def _buy(deps: Deps, checkout: Checkout, lead_id: str) -> Bought | Refused:
    market = await deps.leads.market_of(lead_id)
    command = Buy(lead_id, checkout.user_id, secrets.token_urlsafe(16), from_cart=True)
    reply = await deps.market_client.submit(
        market,
        command,
        command_id=_command_id(checkout, lead_id),
        request_hash=checkout.request_hash,
    )
    decided = reply.answer
    assert isinstance(decided, (Bought, Refused))
    return decided


def _command_id(checkout: Checkout, lead_id: str) -> bytes:
    begun_at = from_datetime(checkout.begun_at).to_bytes(8, "big")
    return hashlib.blake2b(
        checkout.checkout_id + begun_at + lead_id.encode(), digest_size=16
    ).digest()


async def render(deps: Deps, user_id: str, outcome: Outcome, request_id: str) -> Answer:
    """201 if anything was bought, else the first refusal. Contacts are read for the owner now."""
    refused: list[dict[str, Any]] = [
        {"lead_id": lead_id, "problem": problem_body(slug, detail, request_id)}
        for lead_id, slug, detail in outcome.refused
    ]
    if not outcome.orders:
        if not outcome.refused:
            raise Problem(
                "cart-empty", "your cart holds nothing; hold a lead first", extra={"refused": []}
            )
        _, slug, detail = outcome.refused[0]
        raise Problem(slug, detail, extra={"refused": refused})
    contacts = await orders.contacts_of(
        deps.pool, user_id, [bought.order_id for bought in outcome.orders]
    )
    entries = [order_entry(bought, contacts.get(bought.order_id)) for bought in outcome.orders]
    total = sum(bought.price for bought in outcome.orders)
    return answer(purchase(entries, refused, total, outcome.orders[-1].balance), 201)
