"""What a standing order asks for, as far as it tells of a taste: its bounds, not its words."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.market.sphere import Vector, chord_squared, chord_squared_of, unit_vector
from engine.market.standing_terms import StandingTerms
from models_ml.recommend.facts import Facts, Kinds, is_any_of

HALF_LIFE_DAYS: Final = 90.0
"""An order that was not changed for so long speaks half as loud."""
_DAY_US: Final = 86_400_000_000
# What `Wish` knows of a filter; an order that names more is met only in part.
_KNOWN: Final = frozenset(
    {"near", "radius_m", "property_type", "list_price_min", "list_price_max"}
    | {"living_area_min", "living_area_max"}
)


class Wish(NamedTuple):
    """Bounds in the units of `Facts`, infinite where there is none. `place` with `reach`, a
    squared chord, is a circle; `kinds` are codes, None for any. `price_most` is of the price
    before a plan's discount. `at` (µs) is when the order was last changed; `is_whole` if it
    asks for nothing else."""

    market: str
    at: int
    list_price: tuple[float, float]
    area: tuple[float, float]
    price_most: float
    place: Vector | None
    reach: float
    kinds: NDArray[np.int32] | None
    is_whole: bool


def wish_of(terms: StandingTerms, kinds: Kinds, market: str, at: int) -> Wish | None:
    """None for an order that is paused, and for one that asks by words or a box alone."""
    wanted = terms.filter
    types = wanted.property_type
    bounds = (wanted.list_price_min, wanted.list_price_max)
    areas = (wanted.living_area_min, wanted.living_area_max)
    says = bool(types) or wanted.near is not None
    if terms.is_paused or not (says or any(each is not None for each in (*bounds, *areas))):
        return None
    place, reach = None, math.inf
    if wanted.near is not None and wanted.radius_m is not None:
        place, reach = unit_vector(*wanted.near), chord_squared_of(wanted.radius_m)
    named = {name for name in wanted.__struct_fields__ if getattr(wanted, name) not in (None, ())}
    return Wish(
        market,
        at,
        _bounds(bounds),
        _bounds(areas),
        math.log(max(terms.price_max, 1)),
        place,
        reach,
        kinds.of_type(types) if types else None,
        terms.seats == "any" and named <= _KNOWN,
    )


def loudness(wish: Wish, now: int) -> float:
    """From 1, for an order placed or changed at `now` (µs), towards 0."""
    return float(0.5 ** (max(now - wish.at, 0) / _DAY_US / HALF_LIFE_DAYS))


def met(wish: Wish, facts: Facts) -> NDArray[np.bool_]:
    """Which of the leads are asked for, at prices before a discount; a bound on what a lead
    does not state is not met."""
    found = facts.price <= wish.price_most
    for column, (low, high) in ((facts.list_price, wish.list_price), (facts.area, wish.area)):
        if math.isfinite(low) or math.isfinite(high):
            found &= (column >= low) & (column <= high)
    if wish.kinds is not None:
        found &= is_any_of(facts.kind, wish.kinds)
    if wish.place is not None:
        x, y, z = facts.place.T
        found &= chord_squared((x, y, z), wish.place) <= wish.reach
    return found


def _bounds(bounds: tuple[int | None, int | None]) -> tuple[float, float]:
    low, high = bounds
    return (
        -math.inf if not low else math.log(low),
        math.inf if high is None else math.log(max(high, 1)),
    )
