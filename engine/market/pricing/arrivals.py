"""How often a lead of a segment is considered, and how soon leads leave the market.

Each rate is a gamma posterior: (prior events + events) / (prior exposure + exposure), evidence
being forgotten exponentially. The market's rate is followed within days; what a segment has of
it, and each hour of the week, are ratios to it and are learnt over weeks. Exposure is counted in
lead-hours times the hour's usual share, so that a night is not taken for a slump.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from engine.market.pricing.hierarchy import Hierarchy
from engine.market.pricing.normal_curve import Floats
from engine.market.pricing.parts import HOUR_US
from engine.market.pricing.policy import Trials

WEEK_HOURS = 168
# Half-lives, hours: of the market's rate, of ratios and of the hazard.
MARKET_HALF_LIFE_HOURS = 48.0
RATIO_HALF_LIFE_HOURS = 21 * 24.0
# Before any evidence a lead is considered once a day, and leaves after 40 days.
ARRIVALS_AN_HOUR = 1 / 24
HAZARD_AN_HOUR = 1 / (40 * 24)
# How many events each prior counts for.
MARKET_EVENTS = 4.0
SEGMENT_EVENTS = 6.0
HOUR_EVENTS = 20.0
HAZARD_EVENTS = 4.0
# No hour has more than so many times the mean, nor less than one such part.
PROFILE_MOST = 6.0
RATE_LEAST, RATE_MOST = 1e-5, 50.0
HAZARD_LEAST, HAZARD_MOST = 1 / (365 * 24), 1 / 48
# What distrust takes from the count is given back by purchases, up to so many times.
DISTRUST_MOST = 20.0
_DISTRUST_EVENTS = 10.0


class Arrivals:
    def __init__(self, hierarchy: Hierarchy) -> None:
        self._hierarchy = hierarchy
        # (events, exposure) of the market, of segments, of hours of the week; leads left.
        self._market = np.zeros(2)
        self._segments = np.zeros((2, len(hierarchy)))
        self._hours = np.zeros((2, WEEK_HOURS))
        self._hazard = np.zeros(2)
        # Purchases, and what they weighed.
        self._bought = np.zeros(2)
        # The market's rate and its profile when time passed last: what the next exposure is
        # counted by, so that events that are known before it do not count it.
        self._usual = np.concatenate(([ARRIVALS_AN_HOUR], np.ones(WEEK_HOURS)))

    def learn(self, trials: Trials) -> None:
        """Count trials, each as far as it is believed."""
        weight = np.where(np.isfinite(trials.weight), np.clip(trials.weight, 0.0, 1.0), 0.0)
        self._segments = self._hierarchy.widened(self._segments)
        segment = trials.segment.astype(np.intp)
        self._segments[0] += np.bincount(segment, weight, len(self._hierarchy))
        self._hours[0] += np.bincount(hour_of_week(trials.at), weight, WEEK_HOURS)
        self._market[0] += weight.sum()
        self._bought += trials.bought.sum(), weight[trials.bought].sum()

    def pass_time(self, exposure: Floats, left: Floats, hours: float, now: int) -> None:
        """By segment: lead-hours on offer in the last `hours`, and leads withdrawn in them."""
        exposure, gone = _counted(exposure), _counted(left)
        self._forget(max(hours, 0.0))
        count = max(1, math.ceil(min(hours, WEEK_HOURS)))
        middles = now - ((np.arange(count) + 0.5) * (hours * HOUR_US / count)).astype(np.int64)
        passed = np.bincount(hour_of_week(middles), minlength=WEEK_HOURS) / count
        rate, usual = float(self._usual[0]), float(self._usual[1:] @ passed)
        total = float(exposure.sum())
        self._market[1] += total * usual
        self._segments = self._hierarchy.widened(self._segments)
        self._segments[1, : len(exposure)] += exposure * (usual * rate)
        self._hours[1] += passed * (total * rate)
        self._hazard += float(gone.sum()), total
        self._usual[0], self._usual[1:] = self._market_rate(), self.profile()

    def _forget(self, hours: float) -> None:
        self._market *= math.exp2(-hours / MARKET_HALF_LIFE_HOURS)
        kept = math.exp2(-hours / RATIO_HALF_LIFE_HOURS)
        self._segments *= kept
        self._hours *= kept
        self._hazard *= kept
        self._bought *= kept

    def _market_rate(self) -> float:
        events, exposure = self._market
        rate = (events + MARKET_EVENTS) / (exposure + MARKET_EVENTS / ARRIVALS_AN_HOUR)
        return float(min(max(rate, RATE_LEAST), RATE_MOST))

    def profile(self) -> Floats:
        """Arrivals by hour of the week (UTC, from Monday) as a share of the mean, mean 1.

        An hour of the week borrows from the same hour of other days, that from the whole week.
        """
        by_day = self._hours.reshape(2, 7, 24)
        week = _ratio(self._hours.sum(axis=1), np.ones(1), HOUR_EVENTS)
        hours = _ratio(by_day.sum(axis=1), week, HOUR_EVENTS)
        each = _ratio(by_day, hours, HOUR_EVENTS).ravel()
        smooth = 0.5 * each + 0.25 * (np.roll(each, 1) + np.roll(each, -1))
        return np.asarray(np.clip(smooth / smooth.mean(), 1 / PROFILE_MOST, PROFILE_MOST))

    def rates(self) -> Floats:
        """Arrivals a lead-hour by segment, in the mean over the week."""
        self._segments = self._hierarchy.widened(self._segments)
        events = self._hierarchy.sums(self._segments[0])
        expected = self._hierarchy.sums(self._segments[1])
        ratio = _ratio(np.stack((events, expected)), np.ones(1), SEGMENT_EVENTS)
        market = ratio[0]
        for rows in self._hierarchy.levels:
            ratio[rows] = _ratio(
                np.stack((events[rows], expected[rows])),
                ratio[self._hierarchy.parents[rows]],
                SEGMENT_EVENTS,
            )
        rates = ratio * (self._market_rate() * self.distrust() / market)
        return np.asarray(np.clip(rates, RATE_LEAST, RATE_MOST))

    def distrust(self) -> float:
        """Purchases over what they weighed, 1 at least: how much weighing undercounts arrivals."""
        bought, weighed = self._bought + _DISTRUST_EVENTS
        return float(min(max(bought / weighed, 1.0), DISTRUST_MOST))

    def hazard(self) -> float:
        """Leads leaving the market unsold, a lead-hour."""
        left, exposure = self._hazard
        hazard = (left + HAZARD_EVENTS) / (exposure + HAZARD_EVENTS / HAZARD_AN_HOUR)
        return float(min(max(hazard, HAZARD_LEAST), HAZARD_MOST))

    def dump(self) -> dict[str, Any]:
        return {name: getattr(self, f"_{name}").tobytes() for name in _STATE}

    def load(self, dumped: dict[str, Any]) -> None:
        """Raises ValueError on evidence of more segments than are known."""
        for name, shape in _STATE.items():
            column = np.frombuffer(dumped[name], np.float64).reshape(shape).copy()
            setattr(self, f"_{name}", column)
        self._segments = self._hierarchy.widened(self._segments)


_STATE = {
    "market": (2,),
    "segments": (2, -1),
    "hours": (2, WEEK_HOURS),
    "hazard": (2,),
    "bought": (2,),
    "usual": (1 + WEEK_HOURS,),
}
# No market has so many leads.
_COUNT_MOST = 1e9
# The Unix epoch began on a Thursday.
_EPOCH_HOUR = 3 * 24


def hour_of_week(at: np.ndarray[Any, np.dtype[np.int64]]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Whole hours since Monday 00:00 UTC; `at` in µs."""
    return np.asarray((at // HOUR_US + _EPOCH_HOUR) % WEEK_HOURS)


def _counted(column: Floats) -> Floats:
    """What is no number counts for nothing."""
    return np.asarray(np.clip(np.where(np.isfinite(column), column, 0.0), 0.0, _COUNT_MOST))


def _ratio(evidence: Floats, prior: Floats, events: float) -> Floats:
    """Posterior mean of a rate from (events, expected), the prior's mean counting `events`."""
    return np.asarray((evidence[0] + events) / (evidence[1] + events / prior))
