"""What share of those who consider a lead buy it, by segment, price and age: learnt as it goes.

A buyer of a lead with base value `base` and `age` hours values it at
    V = base * exp(level - decay * age + sigma * e),   e ~ N(0, 1),
and buys if V is above the price. So P(buy) = Phi(f) is a probit in
    f = w_s - b * ln(price / base) - g * age
    sigma = 1 / b,  decay = g / b,  level = w_s / b
with w_s the segment's, b and g the market's. When the level of the whole market moves, or of one
of its branches, what was learnt of it before moves along. See `belief.py` for the posterior,
`level_watch.py` for the moves, and docs/pricing.md for the sources.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from engine.market.pricing import belief as b
from engine.market.pricing.hierarchy import Hierarchy, Places
from engine.market.pricing.level_watch import LevelWatch
from engine.market.pricing.normal_curve import Floats, density, upper
from engine.market.pricing.policy import Trials

# Half of what was learnt is forgotten after so long, hours.
HALF_LIFE_HOURS = 60 * 24.0
AGE_SCALE_HOURS = 100.0
# Slopes before any evidence: sigma 0.5 (0.36 to 0.8), value halved in 17 days (9 to 100). Segments
# are let differ more than they do: prices follow levels, so what is held back of a level passes
# for buyers who mind no price.
_STEEPNESS, _FADING = 2.0, 0.34
PRIOR = b.Prior(
    mean=(0.0, _STEEPNESS, _FADING),
    deviation=(0.8, 0.4, 0.15),
    spread=(0.5, 0.4, 0.4),
)
# How far levels walk in calm times, in f a day: the whole market's (about 1 % of price), and
# those of its branches (kind of property and price band) relative to it.
MARKET_CALM, BRANCH_CALM = 0.025, 0.015
# Buyers who decide by chance: the share that no outlier's influence passes.
LAPSE = 0.01
# Trials are bounded to where they teach something.
X_MOST = 4.0
AGE_MOST_HOURS = 2_160.0
STEEPNESS_LEAST, STEEPNESS_MOST = 1 / 1.2, 1 / 0.2
# Value halved in 180 days at the slowest, in two days at the fastest.
DECAY_LEAST, DECAY_MOST = math.log(2) / (180 * 24.0), math.log(2) / 48.0
LEVEL_MOST = math.log(6.0)
_ROUNDS = 5
_SETTLED = 1e-3
# Trials that are learnt from together, so that each lot finds the curve the last one left.
_LOT = 2_048


class Curve(NamedTuple):
    """Parameters of demand. `level` by segment, in ln(price / base); `decay` an hour."""

    level: Floats
    sigma: float
    decay: float

    def sold_share(self, segment: np.ndarray[Any, Any], x: Floats, age: Floats) -> Floats:
        """P(buy) at ln(price / base) = x."""
        return upper((x - self.level[segment] + self.decay * age) / self.sigma)


class DemandCurve:
    def __init__(self, hierarchy: Hierarchy) -> None:
        self._hierarchy = hierarchy
        self._evidence = np.zeros((b.ROWS, len(hierarchy)))
        self._market_watch = LevelWatch(1, MARKET_CALM)
        self._branch_watch = LevelWatch(len(hierarchy), BRANCH_CALM)
        self._belief: b.Belief | None = None

    @property
    def belief(self) -> b.Belief:
        """Given all evidence, forgetting included."""
        self._evidence = self._hierarchy.widened(self._evidence)
        if self._belief is None or len(self._belief.level) != len(self._hierarchy):
            self._belief = b.believe(self._hierarchy, self._evidence, PRIOR)
        return self._belief

    def forget(self, hours: float) -> None:
        """Let time pass."""
        if hours <= 0:
            return
        self._evidence *= math.exp2(-hours / HALF_LIFE_HOURS)
        self._market_watch.pass_time(hours)
        self._branch_watch.pass_time(hours)
        self._belief = None

    def learn(self, trials: Trials) -> None:
        """Take in trials; those that are no finite numbers or weigh nothing teach nothing."""
        finite = np.isfinite(trials.x) & np.isfinite(trials.age) & np.isfinite(trials.weight)
        useful = np.flatnonzero(finite & (trials.weight > 0))
        order = useful[np.argsort(trials.at[useful], kind="stable")]
        for start in range(0, len(order), _LOT):
            rows = order[start : start + _LOT]
            self._learn_lot(_Lot(trials, rows))

    def _learn_lot(self, lot: _Lot) -> None:
        """Expectation propagation within the lot, whose result is then kept as evidence."""
        if self._follow_market(lot):
            self._branch_watch.grow(len(self._hierarchy))
            self._follow_branches(lot)
        before = self._evidence
        precision, sums = np.zeros(len(lot.weight)), np.zeros(len(lot.weight))
        for _ in range(_ROUNDS):
            belief = self.belief
            mean, variance = lot.predicted(belief, self._hierarchy)
            # Without the trial's own share so far.
            rest = 1.0 / np.maximum(1.0 / variance - lot.weight * precision, 1e-3)
            mean = rest * (mean / variance - lot.weight * sums)
            settled = (precision, sums)
            precision, sums = _site(mean, rest, lot.bought)
            self._evidence = before + lot.evidence(sums, precision, len(before[0]))
            self._belief = None
            changed = np.abs(precision - settled[0]) + np.abs(sums - settled[1])
            if changed.max() < _SETTLED:
                break

    def _follow_market(self, lot: _Lot) -> bool:
        """If the lot says that the market's level has moved, move all evidence along. False if
        the lot says nothing."""
        slope, information = self._surprise(lot)
        precision = float(information.sum())
        if precision <= 1e-9:
            return False
        share = information / precision
        levels = _sums(lot.segment, share, len(self._hierarchy))
        # What the curve itself doesn't know yet is no move of the level.
        unknown = self.belief.variance_of(self._hierarchy, levels, share @ lot.features[:, 1:])
        moves, is_shock = self._market_watch.moves(
            np.array([slope.sum()]), np.array([precision]), np.array([unknown])
        )
        if is_shock[0]:
            # Not all of the market need have moved alike.
            self._branch_watch.loosen(np.arange(len(self._branch_watch.variance)))
        self._move(moves[0])
        return True

    def _follow_branches(self, lot: _Lot) -> None:
        """The same for each branch, relative to the market."""
        hierarchy, count = self._hierarchy, len(self._hierarchy)
        slope, information = self._surprise(lot)
        branch = hierarchy.branch[lot.segment]
        slopes, precision = _sums(branch, slope, count), _sums(branch, information, count)
        share = information / np.maximum(precision, 1e-9)[branch]
        levels = _sums(lot.segment, share, count)
        features = [_sums(branch, share * each, count) for each in lot.features.T[1:]]
        unknown = self.belief.variance_by_branch(hierarchy, levels, np.stack(features))
        moves, _ = self._branch_watch.moves(slopes, precision, unknown)
        # What belongs to no branch moves with the market only.
        moves[0] = 0.0
        self._move(moves[hierarchy.branch])

    def _surprise(self, lot: _Lot) -> tuple[Floats, Floats]:
        """Of each trial, weighted: derivative of its log-probability in f, and information."""
        mean, variance = lot.predicted(self.belief, self._hierarchy)
        slope, curvature = _derivatives(mean, variance, lot.bought)
        return lot.weight * slope, lot.weight * curvature

    def _move(self, moves: Floats | float) -> None:
        """As if each response so far had been seen at the level of today."""
        self._evidence[b.SUM :] += moves * self._evidence[: b.LEVEL_2 + 1]
        self._belief = None

    def curve(self, market: Floats | None = None, noise: Floats | None = None) -> Curve:
        """The demand curve for standard normal draws, three of the market and one a segment;
        without draws, the mean. Bounded to what can be so."""
        belief = self.belief
        level, slopes = belief.level, belief.slopes
        if market is not None and noise is not None:
            level, slopes = belief.sample(self._hierarchy, market, noise)
        steepness = min(max(float(slopes[0]), STEEPNESS_LEAST), STEEPNESS_MOST)
        decay = float(slopes[1]) / (AGE_SCALE_HOURS * steepness)
        return Curve(
            np.clip(level / steepness, -LEVEL_MOST, LEVEL_MOST),
            1.0 / steepness,
            min(max(decay, DECAY_LEAST), DECAY_MOST),
        )

    def dump(self) -> dict[str, Any]:
        return {
            "evidence": np.ascontiguousarray(self._evidence).tobytes(),
            "watches": [self._market_watch.dump(), self._branch_watch.dump()],
        }

    def load(self, dumped: dict[str, Any]) -> None:
        """Raises ValueError on evidence of more segments than are known."""
        evidence = np.frombuffer(dumped["evidence"], np.float64).reshape(b.ROWS, -1)
        self._evidence = self._hierarchy.widened(evidence.copy())
        market, branches = dumped["watches"]
        self._market_watch.load(market)
        self._branch_watch.load(branches)
        self._belief = None


class _Lot:
    """Those of the trials in `rows` as the regression sees them."""

    def __init__(self, trials: Trials, rows: Places) -> None:
        self.segment = trials.segment[rows].astype(np.intp)
        self.weight = np.clip(trials.weight[rows], 0.0, 1.0)
        self.bought = trials.bought[rows]
        x = np.clip(trials.x[rows], -X_MOST, X_MOST)
        age = np.clip(trials.age[rows], 0.0, AGE_MOST_HOURS) / AGE_SCALE_HOURS
        self.features = np.stack((np.ones_like(x), -x, -age), axis=1)

    def predicted(self, belief: b.Belief, hierarchy: Hierarchy) -> tuple[Floats, Floats]:
        """Mean and variance of f."""
        mean = belief.level[self.segment] + self.features[:, 1:] @ belief.slopes
        return mean, belief.covariance(hierarchy).variance(self.segment, self.features)

    def evidence(self, sums: Floats, precision: Floats, count: int) -> Floats:
        """By segment, of the trials' normal factors."""
        _, x, age = self.features.T
        precision, sums = self.weight * precision, self.weight * sums
        columns = (
            precision,
            precision * x,
            precision * age,
            precision * x * x,
            precision * x * age,
            precision * age * age,
            sums,
            sums * x,
            sums * age,
        )
        return np.stack([_sums(self.segment, column, count) for column in columns])


def _sums(places: Places, values: Floats, count: int) -> Floats:
    """Of the values at each of `count` places."""
    return np.bincount(places, values, count).astype(np.float64, copy=False)


def _site(
    mean: Floats, variance: Floats, bought: np.ndarray[Any, np.dtype[np.bool_]]
) -> tuple[Floats, Floats]:
    """The normal factor (precision, precision times mean) by which a trial changes N(mean,
    variance) of f so that its first two moments are right (Graepel et al. 2010).

    P(buy) = LAPSE / 2 + (1 - LAPSE) Phi(f): far from what is believed possible a trial says
    little, so no single one can drag the curve along.
    """
    slope, curvature = _derivatives(mean, variance, bought)
    shrink = 1.0 - variance * curvature
    return curvature / shrink, (slope + mean * curvature) / shrink


def _derivatives(
    mean: Floats, variance: Floats, bought: np.ndarray[Any, np.dtype[np.bool_]]
) -> tuple[Floats, Floats]:
    """Of the logarithm of a trial's probability in the mean of f: the first, and minus the
    second, which is not below 0 nor above 1 / variance."""
    sign = np.where(bought, 1.0, -1.0)
    deviation = np.sqrt(1.0 + variance)
    t = np.clip(sign * mean / deviation, -8.0, 8.0)
    slope = (1.0 - LAPSE) * density(t) / (0.5 * LAPSE + (1.0 - LAPSE) * upper(-t)) / deviation
    curvature = slope * (slope + t / deviation)
    return sign * slope, np.clip(curvature, 0.0, 0.99 / variance)
