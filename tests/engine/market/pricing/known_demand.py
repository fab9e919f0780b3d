"""A market whose demand is known: what a policy's prices earn in expectation, and at best.

Nothing is drawn for the verdict: the revenue of a lead is solved backwards in age from the prices
the policy would ask at each age and number of seats, given nobody else learns meanwhile.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.market.pricing.normal_curve import Floats, upper
from engine.market.pricing.optimal_price import table_for
from engine.market.pricing.parts import HOUR_US, ONE
from engine.market.pricing.policy import LeadView, Policy, Trials
from engine.market.pricing.price_lookup import LIFE_HOURS

BASE = 20_000
# 2026-01-05 00:00 UTC, a Monday, in µs.
MONDAY = 1_767_571_200 * 1_000_000


class Tree:
    """Segments of given parents."""

    def __init__(self, parents: list[int]) -> None:
        self.parents: npt.NDArray[np.int32] = np.array(parents, np.int32)


def tree(kinds: int, areas: int, cells: int) -> Tree:
    """Root, then kinds of property, areas of each and cells of each area."""
    parents = [-1] + [0] * kinds
    for level in (areas, cells):
        for parent in _deepest(parents):
            parents += [parent] * level
    return Tree(parents)


def _deepest(parents: list[int]) -> list[int]:
    with_children = set(parents)
    return [place for place in range(1, len(parents)) if place not in with_children]


class Truth(NamedTuple):
    """Demand as it is: levels and arrivals a lead-hour by segment."""

    level: Floats
    arrivals: Floats
    sigma: float = 0.5
    decay: float = math.log(2) / (15 * 24)
    hazard: float = 1 / (35 * 24)

    def sold_share(self, segment: npt.NDArray[np.int32], x: Floats, age: Floats) -> Floats:
        return upper((x - self.level[segment] + self.decay * age) / self.sigma)


def truth_of(segments: Tree, rng: np.random.Generator, *, arrivals: float = 0.04) -> Truth:
    """Levels and arrivals drawn down the tree."""
    parents = segments.parents
    level, rate = np.zeros(len(parents)), np.zeros(len(parents))
    level[0] = rng.normal(0, 0.25)
    for place in range(1, len(parents)):
        level[place] = level[parents[place]] + rng.normal(0, 0.15)
        rate[place] = rate[parents[place]] + rng.normal(0, 0.3)
    return Truth(level, arrivals * np.exp(rate))


def rhythm(at: int, depth: float) -> float:
    """Of the day, mean 1: most at 20:00 UTC."""
    return 1.0 + depth * math.cos(2 * math.pi * (at // HOUR_US % 24 - 20) / 24)


class KnownMarket:
    """Leads come to each leaf segment and are considered; the policy learns from all of it."""

    def __init__(
        self, segments: Tree, truth: Truth, *, leads: int, seats: int, depth: float = 0.0
    ) -> None:
        self.truth = truth
        self.leaves = np.array(_deepest(segments.parents.tolist()), np.int32)
        self._segments = segments
        self._count, self._seats, self._depth = leads, seats, depth
        self.segment = np.repeat(self.leaves, leads)
        self.listed = np.full(len(self.segment), -1.0)
        self.left = np.zeros(len(self.segment), np.int16)
        self.now = MONDAY
        self.trials = 0
        self.revenue = 0.0
        self.track: list[Floats] = []

    def run(self, policy: Policy, hours: int, rng: np.random.Generator, step: int = 1) -> None:
        """Each place that is free gets a new lead; at the start ages are spread."""
        if (self.listed < 0).all():
            ages = rng.uniform(0, LIFE_HOURS / 2, len(self.listed))
            self.listed = self.now / HOUR_US - ages
            self.left[:] = self._seats
        for _ in range(0, hours, step):
            self._pass(policy, step, rng)

    def _pass(self, policy: Policy, step: int, rng: np.random.Generator) -> None:
        self.now += step * HOUR_US
        policy.decide(self.now, rng)
        age = self.now / HOUR_US - self.listed
        x = log_prices(policy, self.segment, age, self.left, self._seats)
        arrivals = (
            self.truth.arrivals[self.segment]
            * step
            * rhythm(self.now - step * HOUR_US // 2, self._depth)
        )
        came = np.repeat(np.arange(len(x)), rng.poisson(arrivals))
        bought = rng.random(len(came)) < self.truth.sold_share(
            self.segment[came], x[came], age[came]
        )
        # No more are sold than there are seats; who comes after finds nothing to consider.
        before = _earlier_sales(came, bought)
        open_ = before < self.left[came]
        came, bought = came[open_], bought[open_]
        at = self.now - rng.integers(1, step * HOUR_US, len(came))
        self.trials += len(came)
        self.revenue += float(np.exp(x[came[bought]]).sum())
        policy.learn(
            Trials(self.segment[came], x[came], age[came], np.ones(len(came)), bought, at), self.now
        )
        np.subtract.at(self.left, came[bought], 1)
        gone = (rng.random(len(x)) < -math.expm1(-self.truth.hazard * step)) & (self.left > 0)
        count = len(self._segments.parents)
        exposure = np.bincount(self.segment, minlength=count).astype(np.float64) * step
        lost = np.bincount(self.segment[gone], minlength=len(exposure)).astype(np.float64)
        policy.pass_time(exposure, lost, float(step), self.now)
        new = gone | (self.left == 0) | (age > LIFE_HOURS)
        self.listed[new] = self.now / HOUR_US
        self.left[new] = self._seats

    def share(self, policy: Policy) -> float:
        """Expected revenue of fresh leads of all leaves at the policy's prices over the best."""
        earned = earnings(policy, self.truth, self.leaves, self._seats)
        return float(earned.sum() / best_earnings(self.truth, self.leaves, self._seats).sum())


def _earlier_sales(
    came: npt.NDArray[np.intp], bought: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Sales of the same lead before each arrival; `came` is sorted."""
    total: npt.NDArray[np.int64] = np.cumsum(bought) - bought
    first = np.searchsorted(came, came, side="left")
    return np.asarray(total - total[first] if len(came) else total)


def log_prices(
    policy: Policy,
    segment: npt.NDArray[np.int32],
    age: Floats,
    left: npt.NDArray[np.int16],
    seats: int,
) -> Floats:
    """ln(price / base)"""
    count = len(segment)
    base = np.full(count, BASE, np.int64)
    most = np.full(count, seats, np.int16)
    parts = policy.price(LeadView(base, segment, age, left, most))
    return np.asarray(
        np.log(parts.demand / ONE) + np.log(parts.age / ONE) + np.log(parts.seats / ONE)
    )


def earnings(
    policy: Policy, truth: Truth, segments: npt.NDArray[np.int32], seats: int, step: float = 6.0
) -> Floats:
    """Expected revenue of a fresh lead by segment, in bases, at the policy's prices of today.

    Backwards in age: dv_n/da = (hazard) v_n - arrivals P(V > p_n) (p_n + v_(n-1) - v_n), the
    implicit step of which is solved exactly.
    """
    value = np.zeros((seats + 1, len(segments)))
    rate = truth.arrivals[segments]
    for age in np.arange(LIFE_HOURS - step / 2, 0, -step):
        ages = np.full(len(segments), age)
        for left in range(1, seats + 1):
            x = log_prices(policy, segments, ages, np.full(len(segments), left, np.int16), seats)
            selling = rate * truth.sold_share(segments, x, ages)
            gained = value[left] + step * selling * (np.exp(x) + value[left - 1])
            value[left] = gained / (1.0 + step * (selling + truth.hazard))
    return np.asarray(value[seats])


def best_earnings(truth: Truth, segments: npt.NDArray[np.int32], seats: int) -> Floats:
    """Of the best prices, which know the truth."""
    fading = truth.hazard + truth.decay
    table = table_for(truth.sigma)
    value = table._replace(price=table.value)
    ratio = truth.arrivals[segments] / fading
    return np.asarray(
        np.exp(truth.level[segments]) * value.prices(seats, fading * LIFE_HOURS, ratio)
    )
