"""A lead's price as the API explains it."""

from __future__ import annotations

import logging
from typing import Any

from engine.adapters.postgres.lead_prices import LeadPrice
from engine.market.instant import rfc3339
from engine.market.pricing.explained import FORMULA, SET_FORMULA, factors_of, path_of, set_factor
from engine.market.pricing.parts import PriceParts, price_of, unpack
from engine.market.pricing.policies import NAMES

log = logging.getLogger(__name__)


def explained(found: LeadPrice, now: int) -> dict[str, Any]:
    """The answer but for the lead's id; `now` in µs."""
    parts = _parts(found)
    path = [(now, found.price)]
    if parts is not None:
        is_open = found.acted_at <= parts.committed_at
        path = path_of(parts, found.price, now, is_open=is_open)
    return {
        "price": found.price,
        "policy": None if parts is None else NAMES.get(parts.policy, f"policy {parts.policy}"),
        "formula": SET_FORMULA if parts is None else FORMULA,
        "factors": [set_factor(found.price)] if parts is None else factors_of(parts),
        "path": [
            {"at": rfc3339(at), "price": price, "is_committed": len(path) > 1} for at, price in path
        ],
        "history": [
            {"at": rfc3339(past.at), "price": past.price, "reason": past.reason}
            for past in found.history
        ],
    }


def _parts(found: LeadPrice) -> PriceParts | None:
    """What makes the price; None rather than something that does not."""
    if found.parts is None:
        return None
    try:
        parts = unpack(found.parts)
    except ValueError as error:
        log.error("a lead's price can't be explained: %s", error)
        return None
    if price_of(parts) != found.price:
        log.error("a lead's parts make %d, its price is %d", price_of(parts), found.price)
        return None
    return parts
