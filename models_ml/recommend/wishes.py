"""What a standing order asks for, as far as it tells of a taste: its bounds, not its words."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.market.sphere import Vector, chord_squared, chord_squared_of, unit_vector
from engine.market.standing_terms import StandingTerms
from models_ml.recommend.facts import Facts, Kinds


class Wish(NamedTuple):
    """Bounds in the units of `Facts`, infinite where there is none. `place` with `reach`, a
    squared chord, is a circle; `kinds` are codes, None for any."""

    list_price: tuple[float, float]
    area: tuple[float, float]
    price_most: float
    place: Vector | None
    reach: float
    kinds: NDArray[np.int32] | None


def wish_of(terms: StandingTerms, kinds: Kinds) -> Wish | None:
    """None for an order that is paused, and for one that asks by words or a box alone."""
    wanted = terms.filter
    types = wanted.property_type
    bounds = (wanted.list_price_min, wanted.list_price_max)
    areas = (wanted.living_area_min, wanted.living_area_max)
    says = bool(types) or wanted.near is not None or any(each is not None for each in bounds)
    if terms.is_paused or not says:
        return None
    place, reach = None, math.inf
    if wanted.near is not None and wanted.radius_m is not None:
        place, reach = unit_vector(*wanted.near), chord_squared_of(wanted.radius_m)
    return Wish(
        _bounds(bounds),
        _bounds(areas),
        math.log(max(terms.price_max, 1)),
        place,
        reach,
        kinds.of_type(types) if types else None,
    )


def met(wish: Wish, facts: Facts) -> NDArray[np.bool_]:
    """Which of the leads are asked for; a bound on what a lead does not state is not met."""
    found = facts.price <= wish.price_most
    for column, (low, high) in ((facts.list_price, wish.list_price), (facts.area, wish.area)):
        if math.isfinite(low) or math.isfinite(high):
            found &= (column >= low) & (column <= high)
    if wish.kinds is not None:
        found &= np.isin(facts.kind, wish.kinds)
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
