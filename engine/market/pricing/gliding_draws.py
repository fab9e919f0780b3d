"""Standard normal draws that glide: what Thompson sampling explores with, without jitter.

A fresh draw at every tick would make prices jump to and fro. These move as a stationary
Matern-3/2 process in time (Rasmussen & Williams 2006, section 4.2.1), which has a speed as well
as a place: still N(0, 1) at any one time, related over `HOURS`, and smooth in between.
"""

from __future__ import annotations

import math

import numpy as np

from engine.market.pricing.policy import Chance, Floats

# Draws further apart than about twice this know little of each other.
HOURS = 72.0
# A draw is used within these bounds.
MOST = 2.0


class GlidingDraws:
    """`place` and `speed` (in units of the process) of each draw. New ones start at rest in 0."""

    def __init__(self, count: int) -> None:
        self._state = np.zeros((2, count))

    def __len__(self) -> int:
        return self._state.shape[1]

    @property
    def values(self) -> Floats:
        return np.asarray(np.clip(self._state[0], -MOST, MOST))

    def grow(self, count: int) -> None:
        missing = count - len(self)
        if missing > 0:
            self._state = np.concatenate((self._state, np.zeros((2, missing))), axis=1)

    def advance(self, hours: float, rng: Chance) -> None:
        """Let time pass. The transition is exact for any step, so ticks of any length agree."""
        if hours <= 0:
            return
        t = hours / HOURS * math.sqrt(3.0)
        kept = math.exp(-t)
        move = kept * np.array([[1.0 + t, t], [-t, 1.0 - t]])
        # Stationary covariance is the identity in these units.
        new = np.eye(2) - move @ move.T
        noise = np.empty((2, 2))
        noise[0, 0] = math.sqrt(max(new[0, 0], 0.0))
        noise[0, 1] = 0.0
        noise[1, 0] = new[1, 0] / noise[0, 0] if noise[0, 0] > 0 else 0.0
        noise[1, 1] = math.sqrt(max(new[1, 1] - noise[1, 0] ** 2, 0.0))
        self._state = move @ self._state + noise @ rng.standard_normal(self._state.shape)

    def dump(self) -> bytes:
        return self._state.tobytes()

    def load(self, dumped: bytes) -> None:
        self._state = np.frombuffer(dumped, np.float64).reshape(2, -1).copy()
