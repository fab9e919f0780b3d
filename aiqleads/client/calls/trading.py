"""Holding and buying, and what was bought.

Each write is done once, however often it has to be repeated. A program that wants this to
hold across its own restarts passes a `key` of its own, and the same one again.
"""

from __future__ import annotations

from collections.abc import Iterable

from aiqleads.client.answers.fields import Page
from aiqleads.client.answers.trading import Balance, Cart, Hold, Order, Purchase, WalletEntry
from aiqleads.client.calls.call import (
    Call,
    decoded,
    keyed_write,
    nothing,
    path,
    present,
    read_call,
)
from aiqleads.client.calls.leads import PAGE_SIZE_MAX, parameters


def cart() -> Call[Cart]:
    """Live holds, oldest first."""
    return read_call(path("cart"), decoded(Cart))


def hold(lead_id: str, hold: str = "15m", *, key: str | None = None) -> Call[Hold]:
    """Hold a seat at the price now, less the plan's discount."""
    body = {"lead_id": lead_id, "hold": hold}
    return keyed_write("POST", path("cart", "items"), decoded(Hold), body, key=key)


def extend(lead_id: str, hold: str, *, key: str | None = None) -> Call[Hold]:
    """A longer term for a hold, counted from the first hold of the lead."""
    where = path("cart", "items", lead_id, "extend")
    return keyed_write("POST", where, decoded(Hold), {"hold": hold}, key=key)


def release(lead_id: str, *, key: str | None = None) -> Call[None]:
    """Give a held seat back."""
    return keyed_write("DELETE", path("cart", "items", lead_id), nothing, key=key)


def checkout(lead_ids: Iterable[str] | None = None, *, key: str | None = None) -> Call[Purchase]:
    """Buy what the cart holds, or the named leads of it in this order, as far as credits go.

    What was not bought is in `refused`. Raises the first refusal if nothing was.
    """
    body = present(lead_ids=None if lead_ids is None else list(lead_ids))
    return keyed_write("POST", path("checkout"), decoded(Purchase), body, key=key)


def buy(lead_id: str, *, max_price: int | None = None, key: str | None = None) -> Call[Purchase]:
    """Buy a seat now: on an own hold at its locked price, else at the price of the moment.

    Raises PriceChanged when that is above `max_price`.
    """
    body = present(max_price=max_price)
    return keyed_write("POST", path("leads", lead_id, "buy"), decoded(Purchase), body, key=key)


def orders(*, page_size: int = PAGE_SIZE_MAX) -> Call[Page[Order]]:
    """What was bought, newest first, with contacts."""
    return read_call(path("orders"), decoded(Page[Order]), parameters({"limit": page_size}))


def order(order_id: str) -> Call[Order]:
    """One order with its contact."""
    return read_call(path("orders", order_id), decoded(Order))


def wallet() -> Call[Balance]:
    """Credits to spend."""
    return read_call(path("wallet"), decoded(Balance))


def entries(*, page_size: int = PAGE_SIZE_MAX) -> Call[Page[WalletEntry]]:
    """Movements of credits, newest first; their sum is the balance."""
    query = parameters({"limit": page_size})
    return read_call(path("wallet", "entries"), decoded(Page[WalletEntry]), query)
