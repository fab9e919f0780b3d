"""What share of those who consider a lead buy it, by segment, price and age: learnt as it goes.

A buyer of a lead with base value `base` and `age` hours values it at
    V = base * exp(level - decay * age + sigma * e),   e ~ N(0, 1),
and buys if V is above the price. So P(buy) = Phi(f) is a probit in
    f = w_s + d - b * ln(price / base) - g * age,   sigma = 1 / b, decay = g / b, level = (w_s + d) / b
with w_s the segment's, b and g the market's, and d the market's mood: a level that wanders and
returns, so that a shock is followed in hours while the rest is learnt over weeks. See
`belief.py` for the posterior and docs/pricing.md for the sources.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from engine.market.pricing import belief as b
from engine.market.pricing.hierarchy import Hierarchy
from engine.market.pricing.normal_curve import Floats, density, upper
from engine.market.pricing.policy import Trials

# Half of what was learnt is forgotten after so long, hours.
HALF_LIFE_HOURS = 21 * 24.0
AGE_SCALE_HOURS = 100.0
# Slopes before any evidence: sigma 0.5 (0.36 to 0.8), value halved in 17 days (9 to 100).
_STEEPNESS, _FADING = 2.0, 0.34
PRIOR = b.Prior(
    mean=(0.0, _STEEPNESS, _FADING),
    deviation=(0.8, 0.4, 0.15),
    spread=(0.5, 0.3, 0.25),
)
# The mood's deviation (in f) and how long it takes to fall to 1/e by itself, hours.
MOOD_DEVIATION = 0.45
MOOD_HOURS = 5 * 24.0
# Buyers who decide by chance: the share that no outlier's influence passes.
LAPSE = 0.01
# Trials are bounded to where they teach something.
X_MOST = 4.0
AGE_MOST_HOURS = 2_160.0
STEEPNESS_LEAST, STEEPNESS_MOST = 1 / 1.2, 1 / 0.2
# Value halved in 180 days at the slowest, in two days at the fastest.
DECAY_LEAST, DECAY_MOST = math.log(2) / (180 * 24.0), math.log(2) / 48.0
LEVEL_MOST = math.log(6.0)
_ROUNDS = 6
_SETTLED = 1e-3
# Trials that are learnt from together, so that each lot finds the curve the last one left.
_LOT = 4_096


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
        self._mood = 0.0
        self._mood_variance = MOOD_DEVIATION**2
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
        kept = math.exp(-hours / MOOD_HOURS)
        self._mood *= kept
        self._mood_variance = kept**2 * self._mood_variance + (1.0 - kept**2) * MOOD_DEVIATION**2
        self._belief = None

    def learn(self, trials: Trials) -> None:
        """Take in trials; those that are no finite numbers or weigh nothing teach nothing."""
        finite = np.isfinite(trials.x) & np.isfinite(trials.age) & np.isfinite(trials.weight)
        useful = np.flatnonzero(finite & (trials.weight > 0))
        order = useful[np.argsort(trials.at[useful], kind="stable")]
        for start in range(0, len(order), _LOT):
            rows = order[start : start + _LOT]
            self._learn_lot(Trials(*(column[rows] for column in trials)))

    def _learn_lot(self, trials: Trials) -> None:
        lot = _Lot(trials)
        self._follow_mood(lot)
        belief = self.belief
        f = lot.predicted(belief)
        before = self._evidence
        # Fisher's scoring to the mode given all evidence before: Laplace's approximation.
        for _ in range(_ROUNDS):
            slope, curvature = _score(f + self._mood, lot.bought)
            self._evidence = before + lot.evidence(slope + curvature * f, curvature, len(before[0]))
            self._belief = belief = b.believe(self._hierarchy, self._evidence, PRIOR)
            moved = np.clip(lot.predicted(belief) - f, -1.0, 1.0)
            f = f + moved
            if np.abs(moved).max() < _SETTLED:
                break

    def _follow_mood(self, lot: _Lot) -> None:
        """Kalman's step for the mood, the lot's mean surprise being its observation."""
        belief = self.belief
        slope, curvature = _score(lot.predicted(belief) + self._mood, lot.bought)
        precision = float(lot.weight @ curvature)
        if precision <= 1e-9:
            return
        surprise = float(lot.weight @ slope) / precision
        # What the curve itself doesn't know yet is no news of the mood.
        typical = (lot.weight * curvature) @ lot.features / precision
        unknown = float(np.sum((belief.root_deviation.T @ typical) ** 2))
        gain = self._mood_variance / (self._mood_variance + 1.0 / precision + unknown)
        self._mood += gain * min(max(surprise, -2.0), 2.0)
        self._mood_variance *= 1.0 - gain

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
            np.clip((level + self._mood) / steepness, -LEVEL_MOST, LEVEL_MOST),
            1.0 / steepness,
            min(max(decay, DECAY_LEAST), DECAY_MOST),
        )

    def dump(self) -> dict[str, Any]:
        return {
            "evidence": np.ascontiguousarray(self._evidence).tobytes(),
            "mood": [self._mood, self._mood_variance],
        }

    def load(self, dumped: dict[str, Any]) -> None:
        """Raises ValueError on evidence of more segments than are known."""
        evidence = np.frombuffer(dumped["evidence"], np.float64).reshape(b.ROWS, -1)
        self._evidence = self._hierarchy.widened(evidence.copy())
        self._mood, self._mood_variance = dumped["mood"]
        self._belief = None


class _Lot:
    """Trials as the regression sees them."""

    def __init__(self, trials: Trials) -> None:
        self.segment = trials.segment.astype(np.intp)
        self.weight = np.clip(trials.weight, 0.0, 1.0)
        self.bought = trials.bought
        x = np.clip(trials.x, -X_MOST, X_MOST)
        age = np.clip(trials.age, 0.0, AGE_MOST_HOURS) / AGE_SCALE_HOURS
        self.features = np.stack((np.ones_like(x), -x, -age), axis=1)

    def predicted(self, belief: b.Belief) -> Floats:
        """f without the mood."""
        return belief.level[self.segment] + self.features[:, 1:] @ belief.slopes

    def evidence(self, sums: Floats, curvature: Floats, count: int) -> Floats:
        """By segment; `sums` is curvature times the working response."""
        _, x, age = self.features.T
        precision, sums = self.weight * curvature, self.weight * sums
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
        return np.stack([np.bincount(self.segment, column, count) for column in columns])


def _score(f: Floats, bought: np.ndarray[Any, np.dtype[np.bool_]]) -> tuple[Floats, Floats]:
    """Derivative of the log-likelihood in f, and Fisher's information of f.

    P(buy) = LAPSE / 2 + (1 - LAPSE) Phi(f): far from what is believed possible both fade, so no
    single trial can drag the curve along.
    """
    f = np.clip(f, -8.0, 8.0)
    share = 0.5 * LAPSE + (1.0 - LAPSE) * upper(-f)
    rise = (1.0 - LAPSE) * density(f)
    scaled = rise / (share * (1.0 - share))
    return scaled * (bought - share), scaled * rise
