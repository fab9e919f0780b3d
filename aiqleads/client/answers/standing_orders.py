"""Standing orders, and what became or would have become of them."""

from __future__ import annotations

from typing import Any

import msgspec

from aiqleads.client.answers.fields import Answer, Instant
from aiqleads.client.answers.leads import Teaser


class Hours(Answer, frozen=True, kw_only=True):
    """When an order buys, in the market's time: on `days` (`mon` to `sun`) from `start` up to
    but without `end`, like `08:00` and `24:00`."""

    days: tuple[str, ...]
    start: str = msgspec.field(name="from")
    end: str = msgspec.field(name="to")


class StandingOrder(Answer, frozen=True, kw_only=True):
    """Buys by itself what `filter` lets through for at most `price_max` credits, undiscounted.

    `per_day` leads in a day of the market's time and `budget` credits over its life bound it;
    `spent` and `bought` are over its life too.
    """

    standing_order_id: str
    market: str
    price_max: int
    name: str | None = None
    filter: dict[str, Any] = msgspec.field(default_factory=dict)
    seats: str = "any"
    per_day: int | None = None
    budget: int | None = None
    hours: tuple[Hours, ...] = ()
    is_paused: bool = False
    spent: int = 0
    bought: int = 0
    bought_today: int = 0
    created_at: Instant | None = None
    updated_at: Instant | None = None


class PreviewItem(Answer, frozen=True, kw_only=True):
    """A purchase that would have been: at `price` then, for which your plan pays `pays`."""

    lead_id: str
    at: Instant
    price: int
    pays: int
    lead: Teaser


class Preview(Answer, frozen=True, kw_only=True):
    """What an order would have bought from `since` to `until`, all else being as it happened.

    `refused` counts, by rule, leads that met the filter and were not bought; `items` are the
    first purchases.
    """

    days: int
    since: Instant = msgspec.field(name="from")
    until: Instant = msgspec.field(name="to")
    bought: int
    cost: int
    is_cut: bool = False
    considered: int = 0
    matches: int = 0
    balance: int | None = None
    refused: dict[str, int] = msgspec.field(default_factory=dict)
    items: tuple[PreviewItem, ...] = ()


class Evaluation(Answer, frozen=True, kw_only=True):
    """A moment when a lead was put to an order, and the rules that failed; `details` says for
    each of them what was, and what it asks."""

    at: Instant
    price: int
    because: str = ""
    rules_failed: tuple[str, ...] = ()
    details: dict[str, str] = msgspec.field(default_factory=dict)


class Verdict(Answer, frozen=True, kw_only=True):
    """Why an order bought a lead or did not: `outcome` is `bought`, `not-bought` or
    `not-considered`."""

    standing_order_id: str
    lead_id: str
    outcome: str
    order_id: str | None = None
    is_cut: bool = False
    evaluations: tuple[Evaluation, ...] = ()
