"""What a standing order asks for: a filter over the public facts, a top price, limits, hours."""

from __future__ import annotations

from typing import Literal

import msgspec

from engine.market.fair_housing import filter_fields

SeatsWanted = Literal["any", "exclusive", "shared"]


class StandingFilter(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The searchable fields, with the meaning they have in a search; all must hold.

    `near` is (latitude, longitude) in degrees and comes with `radius_m`; `bbox` is (west,
    south, east, north) in degrees; `q` is text as a search takes it. Bounds are inclusive,
    list price in whole USD, areas in square feet, `price_min` in credits. A bound on a fact
    that a lead does not state is not met.
    """

    q: str | None = None
    near: tuple[float, float] | None = None
    radius_m: int | None = None
    bbox: tuple[float, float, float, float] | None = None
    property_type: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    list_price_min: int | None = None
    list_price_max: int | None = None
    living_area_min: int | None = None
    living_area_max: int | None = None
    lot_size_square_feet_min: int | None = None
    lot_size_square_feet_max: int | None = None
    year_built_min: int | None = None
    year_built_max: int | None = None
    bedrooms_total_min: int | None = None
    bedrooms_total_max: int | None = None
    price_min: int | None = None


filter_fields(StandingFilter.__struct_fields__)


class Hours(msgspec.Struct, frozen=True):
    """Days of the week (0 is Monday) and minutes of the day [start, end) in the market's time.

    `end` is at most 1440 and above `start`.
    """

    days: tuple[int, ...]
    start: int
    end: int


class StandingTerms(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A standing order as its buyer wants it. Credits throughout.

    `price_max` is compared with the lead's undiscounted price; `budget` is over the order's
    whole life and, like `per_day` (leads, day in the market's time), unlimited if None.
    Without `hours` it buys at any time.
    """

    name: str
    price_max: int
    filter: StandingFilter = StandingFilter()
    seats: SeatsWanted = "any"
    per_day: int | None = None
    budget: int | None = None
    hours: tuple[Hours, ...] = ()
    is_paused: bool = False
