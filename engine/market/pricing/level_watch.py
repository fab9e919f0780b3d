"""Watches levels of demand, of a market or of each of its branches: how far they have moved since
what was learnt.

In calm times a level is a slow random walk. When surprises add up to what chance hardly makes,
the level may be anywhere near, until evidence has settled it again: so a shock is followed within
a day or two, and prices don't wander with chance in between.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.market.pricing.policy import Floats

# Surprises are added up over about this time, hours (their half-life).
WATCH_HOURS = 24.0
# So many deviations of surprise are no chance, and then the level may have moved by so much.
ALARM = 3.5
SHOCK_DEVIATION = 0.4
DEVIATION_MOST = 0.5
MOVE_MOST = 0.5


class LevelWatch:
    """Of so many levels, in units of the probit's argument; each walks by `calm` (a standard
    deviation) a day."""

    def __init__(self, count: int, calm: float) -> None:
        self._calm = calm**2 / 24.0
        # Variance of the move, surprises added up (derivative of the log-likelihood), and the
        # variance of those by chance.
        self._state = np.zeros((3, count))

    @property
    def variance(self) -> Floats:
        return np.asarray(self._state[0])

    def grow(self, count: int) -> None:
        missing = count - self._state.shape[1]
        if missing > 0:
            self._state = np.concatenate((self._state, np.zeros((3, missing))), axis=1)

    def pass_time(self, hours: float) -> None:
        kept = math.exp2(-hours / WATCH_HOURS)
        self._state[0] += self._calm * hours
        self._state[1] *= kept
        self._state[2] *= kept * kept
        self._bound()

    def loosen(self, chosen: npt.NDArray[Any]) -> None:
        """The chosen levels may have moved far."""
        self._state[0, chosen] += SHOCK_DEVIATION**2
        self._state[1:, chosen] = 0.0
        self._bound()

    def moves(
        self, slope: Floats, precision: Floats, unknown: Floats
    ) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """How far each level has moved, by Kalman's step, and which were a shock.

        `slope` and `precision` are derivative and information of what was seen at what was
        expected of it, `unknown` the variance of that. Where nothing was seen nothing moves.
        """
        state = self._state
        state[1] += slope
        # Each surprise is judged given all before it, so they are independent.
        state[2] += precision + precision**2 * (state[0] + unknown)
        is_shock = state[1] ** 2 > ALARM**2 * np.maximum(state[2], 1.0)
        self.loosen(is_shock)
        seen = np.maximum(precision, 1e-9)
        gain = state[0] / (state[0] + 1.0 / seen + unknown)
        state[0] *= 1.0 - gain
        return np.clip(gain * slope / seen, -MOVE_MOST, MOVE_MOST), is_shock

    def _bound(self) -> None:
        np.minimum(self._state[0], DEVIATION_MOST**2, out=self._state[0])

    def dump(self) -> bytes:
        return self._state.tobytes()

    def load(self, dumped: bytes) -> None:
        self._state = np.frombuffer(dumped, np.float64).reshape(3, -1).copy()
