"""Leads as everyone signed in may see them, and the markets they are in."""

from __future__ import annotations

from typing import Any

from aiqleads.client.answers.fields import Answer, Instant


class LeadNow(Answer, frozen=True, kw_only=True):
    """How a lead stands. `price` is in credits and undiscounted.

    `lead_state` is `available`, `held`, `sold`, `withdrawn` or, in the feed, `quarantined`.
    """

    lead_id: str
    lead_state: str
    price: int
    max_buyers: int
    seats_left: int

    @property
    def is_on_offer(self) -> bool:
        """Whether a seat is free, or may come free."""
        return self.lead_state in ("available", "held")


class Teaser(LeadNow, frozen=True, kw_only=True):
    """A lead without its contact. Property fields carry RESO names; `list_price` is in USD,
    `distance_m` comes with a search by radius."""

    market: str
    quality: float
    fraud_flag: bool
    listed_at: Instant
    sources: tuple[str, ...] = ()
    is_sample: bool = False
    distance_m: int | None = None
    list_price: int | None = None
    standard_status: str | None = None
    property_type: str | None = None
    property_sub_type: str | None = None
    bedrooms_total: int | None = None
    bathrooms_total_integer: int | None = None
    living_area: int | None = None
    lot_size_square_feet: int | None = None
    year_built: int | None = None
    city: str | None = None
    state_or_province: str | None = None
    postal_code: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    public_remarks: str | None = None
    originating_system_name: str | None = None
    modification_timestamp: str | None = None


class Recommendation(Teaser, frozen=True, kw_only=True):
    """A lead with a free seat, why it is recommended, and a score to compare with the others of
    its answer."""

    score: float
    reasons: tuple[str, ...] = ()


class RecommendingModel(Answer, frozen=True, kw_only=True):
    """Which model ranked; `fallback` if none answered in time."""

    name: str
    version: int | None = None


class Recommendations(Answer, frozen=True, kw_only=True):
    """Best first."""

    items: tuple[Recommendation, ...]
    model: RecommendingModel


class LeadPrice(Answer, frozen=True, kw_only=True):
    """A lead's price now, what makes it, what it will be at most, and how it came there.

    `factors` make exactly `price`, by `formula`; `path` begins now and goes on hour by hour as
    far as is committed to if nobody acts on the lead; `history` begins with the newest price.
    """

    lead_id: str
    price: int
    policy: str | None = None
    formula: str = ""
    factors: tuple[dict[str, Any], ...] = ()
    path: tuple[dict[str, Any], ...] = ()
    history: tuple[dict[str, Any], ...] = ()


class LeadCounts(Answer, frozen=True, kw_only=True):
    """Leads by state."""

    available: int = 0
    held: int = 0
    sold: int = 0
    withdrawn: int = 0


class DepthBand(Answer, frozen=True, kw_only=True):
    """Standing orders with a top price from `price_min` to `price_max` credits; None: no end."""

    price_min: int
    price_max: int | None
    orders: int


class LevelOdds(Answer, frozen=True, kw_only=True):
    """Of a price `level` relative to what a lead is worth; None where too little was seen."""

    level: float
    within_hour: float | None


class FillOdds(Answer, frozen=True, kw_only=True):
    """Odds by level, or the `reason` why nothing is known yet."""

    levels: tuple[LevelOdds, ...] | None = None
    reason: str | None = None


class Market(Answer, frozen=True, kw_only=True):
    """A market at a glance; `seq` is the newest number of its feed.

    Asked for alone, it comes with `depth`, its standing demand by top price, and `fill_odds`,
    the odds that a lead at a price level sells a seat within an hour.
    """

    market: str
    name: str
    counts: LeadCounts
    seq: int
    price_index: float | None = None
    world: str | None = None
    depth: tuple[DepthBand, ...] = ()
    fill_odds: FillOdds | None = None
