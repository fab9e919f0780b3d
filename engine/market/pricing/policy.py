"""What a pricing policy is asked, and what it answers."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from engine.market.fair_housing import inputs
from engine.market.pricing.parts import Ints

Floats = npt.NDArray[np.float64]


class Trials(NamedTuple):
    """Decisions of buyers who considered a lead at a price; parallel arrays.

    `x` is ln(price / base), `age` in hours since the lead was listed, `at` in µs. `weight` in
    [0, 1] is how far the account is believed, settled before it was known what it would decide.
    """

    segment: npt.NDArray[np.int32]
    x: Floats
    age: Floats
    weight: Floats
    bought: npt.NDArray[np.bool_]
    at: Ints


class LeadView(NamedTuple):
    """Leads to be priced; parallel arrays. `base` in thousandths of a credit, `age` in hours.

    `seats_left` counts the seats that are not sold, 1 at least.
    """

    base: Ints
    segment: npt.NDArray[np.int32]
    age: Floats
    seats_left: npt.NDArray[np.int16]
    max_buyers: npt.NDArray[np.int16]


# What a price may come from: nothing about people, of either side.
inputs("price", (*LeadView._fields, *Trials._fields))


class Multipliers(NamedTuple):
    """Ten-thousandths, and the decay to commit to in millionths an hour; parallel arrays."""

    demand: Ints
    age: Ints
    seats: Ints
    rate: Ints


class Chance(Protocol):
    """Where draws come from: a seeded numpy Generator."""

    def standard_normal(self, size: Any = None) -> Any:
        """So many independent draws from the normal distribution of mean 0, variance 1."""


class Policy(Protocol):
    """Prices leads by what it has learnt. All of it pure: time and chance are arguments."""

    name: str
    version: int

    def learn(self, trials: Trials, now: int) -> None:
        """Take in decisions, those of one call in no order."""

    def pass_time(self, exposure: Floats, left: Floats, hours: float, now: int) -> None:
        """By segment: lead-hours on offer in the last `hours`, and leads withdrawn in them."""

    def decide(self, now: int, rng: Chance) -> None:
        """Bring estimates, draws and tables up to `now`."""

    def price(self, view: LeadView) -> Multipliers:
        """By what was decided last; changes nothing."""

    def dump(self) -> bytes:
        """Everything that later decisions depend on."""

    def load(self, data: bytes) -> None:
        """Raises ValueError on what is no dump of this policy and version."""
