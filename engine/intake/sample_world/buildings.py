"""Buildings of many near-equal homes: a few floor plans, one year, one manager's text."""

from __future__ import annotations

import random
from typing import NamedTuple

DOORS = 24
_DOORS_PER_FLOOR = 8
_PLANS = 4


class Plan(NamedTuple):
    """A floor plan: homes of one plan differ in little more than their number.

    `level` is what a home of it costs against the usual price of its size.
    """

    bedrooms: int
    bathrooms: float
    living_area: int
    year_built: int
    level: float
    text_seed: int


def unit_of(place: int) -> str:
    """The number on the door of the `place`-th home of a building."""
    return f"{1 + place // _DOORS_PER_FLOOR}{1 + place % _DOORS_PER_FLOOR:02d}"


def shows_its_plan(place: int) -> bool:
    """One home of each plan: the one for which an office may post without naming a unit,
    so that two such posts of one plan are one offer."""
    return place < _PLANS


def plan_of(seed: int, building: str, place: int) -> Plan:
    """The plan of the `place`-th home: those above one another are alike."""
    plans = random.Random(f"{seed}/{building}/plans")
    year_built = plans.randrange(1965, 2026)
    for _ in range(place % _PLANS + 1):
        bedrooms = plans.choice((0, 1, 1, 2, 2, 3))
        plan = Plan(
            bedrooms=bedrooms,
            bathrooms=max(1, bedrooms - plans.randrange(2)) + plans.choice((0, 0, 0.5)),
            living_area=380 + bedrooms * plans.randrange(260, 420) + plans.randrange(200),
            year_built=year_built,
            level=plans.uniform(0.85, 1.2),
            text_seed=plans.randrange(2**31),
        )
    return plan
