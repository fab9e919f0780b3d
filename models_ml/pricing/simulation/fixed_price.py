"""The best single price of a market, and the best multiple of the base value, found beforehand.

They are chosen on worlds of other seeds by the revenue expected there, so they know what demand
is like on the whole and nothing of the world they are tried in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import NamedTuple

import numpy as np

from models_ml.pricing.simulation.clairvoyant import LEAST, expected_revenue
from models_ml.pricing.simulation.figures import counted
from models_ml.pricing.simulation.terms import Terms
from models_ml.pricing.simulation.world import World

# Far from any seed a comparison is likely to use.
SEEDS = (990_001, 990_002, 990_003, 990_004)
# Every third lead tells as much as all.
_THINNED = 3


class FixedPrices(NamedTuple):
    """`price` in credits for every lead; `scale` times the base value that a policy sees."""

    price: int
    scale: float


def best_fixed(terms: Terms, seeds: Sequence[int] = SEEDS) -> FixedPrices:
    worlds = [World(terms, seed) for seed in seeds]
    chosen = []
    for world in worlds:
        some = counted(world)
        some[np.arange(len(some)) % _THINNED > 0] = False
        chosen.append(some)

    def at_price(price: float) -> float:
        return fmean(
            expected_revenue(world, np.full(world.leads.size, price), some)
            for world, some in zip(worlds, chosen, strict=True)
        )

    def at_scale(scale: float) -> float:
        return fmean(
            expected_revenue(world, scale * world.leads.seen / 1_000, some)
            for world, some in zip(worlds, chosen, strict=True)
        )

    highest = float(np.percentile(worlds[0].valuations(), 99))
    price = _best(at_price, 1.0, highest, 0.5)
    return FixedPrices(max(LEAST, round(price)), round(_best(at_scale, 0.2, 3.0, 0.02), 2))


def _best(revenue: Callable[[float], float], low: float, high: float, width: float) -> float:
    """Where `revenue`, which rises to one peak and falls, is greatest (golden section)."""
    golden = (5**0.5 - 1) / 2
    left, right = high - golden * (high - low), low + golden * (high - low)
    at_left, at_right = revenue(left), revenue(right)
    while high - low > width:
        if at_left < at_right:
            low, left, at_left = left, right, at_right
            right = low + golden * (high - low)
            at_right = revenue(right)
        else:
            high, right, at_right = right, left, at_left
            left = high - golden * (high - low)
            at_left = revenue(left)
    return (low + high) / 2
