"""A simulated market of a few leads, for tests of seconds."""

from __future__ import annotations

import functools

import msgspec

from models_ml.pricing.simulation.terms import Terms
from models_ml.pricing.simulation.world import World

SMALL = Terms(
    days=8, learning_days=2, life_days_most=6, leads=120, arrivals=2_400, accounts=80, areas=2
)


@functools.cache
def world(seed: int = 1, **changes: object) -> World:
    """Not to be changed: it is shared."""
    return World(msgspec.structs.replace(SMALL, **changes), seed)
