"""Watches the level of a whole market's demand: how far it has moved since what was learnt.

In calm times the level is a slow random walk. When surprises add up to what chance hardly makes,
the level may be anywhere near, until evidence has settled it again: so a shock is followed within
hours, and prices don't wander with chance in between.
"""

from __future__ import annotations

import math

# The level's variance grows by so much an hour: 0.04 (2 % of price) a day.
CALM_AN_HOUR = 0.04**2 / 24
# Surprises are added up over about this time, hours (their half-life).
WATCH_HOURS = 24.0
# So many deviations of surprise are no chance, and then the level may have moved by so much.
ALARM = 3.5
SHOCK_DEVIATION = 0.4
VARIANCE_MOST = 0.5**2
MOVE_MOST = 0.5


class LevelWatch:
    """`variance` is that of the level's move, in units of the probit's argument."""

    def __init__(self) -> None:
        self.variance = 0.0
        # Surprises added up: derivative of the log-likelihood, and its variance by chance.
        self._slope = 0.0
        self._usual = 0.0

    def pass_time(self, hours: float) -> None:
        kept = math.exp2(-hours / WATCH_HOURS)
        self._slope *= kept
        self._usual *= kept * kept
        self.variance = min(self.variance + CALM_AN_HOUR * hours, VARIANCE_MOST)

    def move(self, slope: float, precision: float, unknown: float) -> float:
        """How far the level has moved, by Kalman's step: `slope` and `precision` are a lot's
        derivative and information at what was expected of it, `unknown` the variance of that."""
        self._slope += slope
        # Each surprise is judged given all before it, so they are independent.
        self._usual += precision + precision**2 * (self.variance + unknown)
        if self._slope**2 > ALARM**2 * self._usual:
            self.variance = min(self.variance + SHOCK_DEVIATION**2, VARIANCE_MOST)
            self._slope = self._usual = 0.0
        gain = self.variance / (self.variance + 1.0 / precision + unknown)
        self.variance *= 1.0 - gain
        move = gain * slope / precision
        return min(max(move, -MOVE_MOST), MOVE_MOST)

    def dump(self) -> list[float]:
        return [self.variance, self._slope, self._usual]

    def load(self, dumped: list[float]) -> None:
        self.variance, self._slope, self._usual = dumped
