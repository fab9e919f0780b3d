"""How far colluding accounts move prices: the same world with and without what they do."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models_ml.pricing.simulation.floor import Floor
from models_ml.pricing.simulation.pricers import Pricer
from models_ml.pricing.simulation.world import World

Floats = npt.NDArray[np.float64]
# A lead or segment counts if it was on offer for so long in both runs, lead-hours.
_LEAD_HOURS = 48
_SEGMENT_HOURS = 500


class Influence(NamedTuple):
    """Relative differences of prices between the twin runs, from when the scheme began.

    Means over hours and leads on offer in both: of the whole `market`, of the segment aimed at
    (`target`), of the segment that differs most (`segment_most`), and the mean over its time on
    offer of the target's lead that differs most (`lead_most`).
    """

    market: float
    target: float
    segment_most: float
    lead_most: float


def influence_of(world: World, make: Callable[[], Pricer]) -> Influence:
    """Of the world's colluders on the prices of the pricer that `make` makes.

    Raises ValueError if nobody colludes in the world.
    """
    collusion = world.terms.collusion
    if collusion is None:
        raise ValueError("nobody colludes in this world")
    acting, still = Floor(world, make(), schemes=True), Floor(world, make(), schemes=False)
    with_them, without = acting.run().prices, still.run().prices
    begin = int(24 * collusion.day)
    both = (with_them[begin:] > 0) & (without[begin:] > 0)
    ratio = np.where(both, np.log(np.maximum(1, with_them[begin:])), 0.0)
    ratio -= np.where(both, np.log(np.maximum(1, without[begin:])), 0.0)
    total, hours = ratio.sum(axis=0), both.sum(axis=0)
    assert acting.schemers is not None
    target = np.array([key == acting.schemers.target for key in world.leads.segments])
    segments = world.leads.segments
    number = {key: place for place, key in enumerate(sorted(set(segments), key=str))}
    of = np.array([number[key] for key in segments])
    by_total = np.bincount(of, total)
    by_hours = np.bincount(of, hours)
    enough = by_hours >= _SEGMENT_HOURS
    lead = target & (hours >= _LEAD_HOURS)
    return Influence(
        market=_mean(total.sum(), hours.sum()),
        target=_mean(total[target].sum(), hours[target].sum()),
        segment_most=_most(by_total[enough] / by_hours[enough]),
        lead_most=_most(total[lead] / hours[lead]),
    )


def _mean(total: float, hours: float) -> float:
    return float(np.expm1(total / hours)) if hours else 0.0


def _most(means: Floats) -> float:
    """The one furthest from zero; 0 of none."""
    return float(np.expm1(means[np.abs(means).argmax()])) if len(means) else 0.0
