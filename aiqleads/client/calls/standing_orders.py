"""Standing orders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypedDict, Unpack

import msgspec

from aiqleads.client.answers.fields import Page
from aiqleads.client.answers.standing_orders import Hours, Preview, StandingOrder, Verdict
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

_ROOT = "standing-orders"


class Terms(TypedDict, total=False):
    """What an order asks for, besides its market and top price. Credits throughout.

    `filter` has the fields of a search, `seats` is `any`, `exclusive` or `shared`; `per_day`
    leads in a day of the market's time, `budget` credits over the order's whole life.
    """

    name: str
    filter: Mapping[str, Any]
    seats: str
    per_day: int
    budget: int
    hours: Iterable[Hours]
    is_paused: bool


def place_standing_order(
    market: str, price_max: int, *, key: str | None = None, **terms: Unpack[Terms]
) -> Call[StandingOrder]:
    """Buy what matches from now on, as soon as it is on offer or its price comes down to it."""
    body = {"market": market, "price_max": price_max, **_as_sent(terms)}
    return keyed_write("POST", path(_ROOT), decoded(StandingOrder), body, key=key)


def preview_standing_order(
    market: str, price_max: int, *, days: int = 7, **terms: Unpack[Terms]
) -> Call[Preview]:
    """What such an order would have bought in the last days. Nothing is placed."""
    body = {"market": market, "price_max": price_max, "days": days, **_as_sent(terms)}
    where = path(_ROOT, "preview")
    return Call(method="POST", path=where, read=decoded(Preview), body=body)


def standing_orders(
    *, market: str | None = None, page_size: int = PAGE_SIZE_MAX
) -> Call[Page[StandingOrder]]:
    """This buyer's standing orders, newest first."""
    query = parameters({"market": market, "limit": page_size})
    return read_call(path(_ROOT), decoded(Page[StandingOrder]), query)


def standing_order(standing_order_id: str) -> Call[StandingOrder]:
    return read_call(path(_ROOT, standing_order_id), decoded(StandingOrder))


def change_standing_order(
    standing_order_id: str,
    *,
    price_max: int | None = None,
    clear: Iterable[str] = (),
    key: str | None = None,
    **terms: Unpack[Terms],
) -> Call[StandingOrder]:
    """Change what is given, `filter` as a whole; `clear` names what is to bind no more."""
    body = {**dict.fromkeys(clear), **present(price_max=price_max), **_as_sent(terms)}
    where = path(_ROOT, standing_order_id)
    return keyed_write("PATCH", where, decoded(StandingOrder), body, key=key)


def cancel_standing_order(standing_order_id: str, *, key: str | None = None) -> Call[None]:
    """End an order; what it bought stays bought."""
    return keyed_write("DELETE", path(_ROOT, standing_order_id), nothing, key=key)


def why(standing_order_id: str, lead_id: str) -> Call[Verdict]:
    """Why the order bought the lead, or each rule that failed."""
    return read_call(path(_ROOT, standing_order_id, "leads", lead_id), decoded(Verdict))


def _as_sent(terms: Terms) -> dict[str, Any]:
    sent: dict[str, Any] = {**terms}
    if "filter" in sent:
        sent["filter"] = dict(sent["filter"])
    if "hours" in sent:
        sent["hours"] = [msgspec.to_builtins(hours) for hours in sent["hours"]]
    return sent
