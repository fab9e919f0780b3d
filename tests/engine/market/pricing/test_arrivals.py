"""Arrival rates and the hazard: what was counted, shrunk to relatives, whatever the hour."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.market.pricing.arrivals import (
    ARRIVALS_AN_HOUR,
    HAZARD_AN_HOUR,
    RATE_LEAST,
    RATE_MOST,
    WEEK_HOURS,
    Arrivals,
    hour_of_week,
)
from engine.market.pricing.hierarchy import Hierarchy
from engine.market.pricing.parts import HOUR_US
from engine.market.pricing.policy import Floats, Trials
from tests.engine.market.pricing.known_demand import MONDAY, Tree, rhythm

_SEGMENTS = Tree([-1, 0, 0, 1, 1, 2, 2])
_NONE = np.zeros(7)


def _arrivals() -> Arrivals:
    return Arrivals(Hierarchy(_SEGMENTS))


def _trials(counts: list[int], at: int, weight: float = 1.0, bought: int = 0) -> Trials:
    segment = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    zeros, count = np.zeros(len(segment)), len(segment)
    buys = np.arange(count) < bought
    return Trials(segment, zeros, zeros, zeros + weight, buys, np.full(count, at, np.int64))


def _run(
    arrivals: Arrivals, rates: Floats, days: int, rng: np.random.Generator, depth: float = 0.0
) -> None:
    """100 leads in each leaf."""
    exposure = np.array([0, 0, 0, 100, 100, 100, 100.0])
    for hour in range(days * 24):
        now = MONDAY + hour * HOUR_US
        expected = rates * exposure * rhythm(now, depth)
        arrivals.pass_time(exposure, _NONE, 1.0, now + HOUR_US)
        arrivals.learn(_trials(rng.poisson(expected).tolist(), now + HOUR_US // 2))


def test_without_evidence_rates_are_the_prior() -> None:
    arrivals = _arrivals()
    assert np.allclose(arrivals.rates(), ARRIVALS_AN_HOUR)
    assert arrivals.hazard() == pytest.approx(HAZARD_AN_HOUR)
    assert np.allclose(arrivals.profile(), 1.0)


def test_rates_of_segments_are_found_and_new_ones_are_like_their_parent() -> None:
    arrivals = _arrivals()
    rates = np.array([0, 0, 0, 0.01, 0.02, 0.05, 0.1])
    _run(arrivals, rates, 30, np.random.default_rng(1))
    found = arrivals.rates()
    assert np.allclose(found[3:], rates[3:], rtol=0.12)
    assert found[1] < found[0] < found[2]


def test_the_hour_of_the_day_fools_nobody() -> None:
    rng = np.random.default_rng(2)
    arrivals = _arrivals()
    rates = np.array([0, 0, 0, 0.04, 0.04, 0.04, 0.04])
    _run(arrivals, rates, 21, rng, depth=0.8)
    true = np.array([rhythm(MONDAY + hour * HOUR_US, 0.8) for hour in range(WEEK_HOURS)])
    assert np.corrcoef(arrivals.profile(), true)[0, 1] > 0.95
    assert arrivals.profile().mean() == pytest.approx(1.0, abs=0.02)
    # Through a day and a night the rate hardly moves, though arrivals rise ninefold.
    seen = []
    for hour in range(48):
        now = MONDAY + (21 * 24 + hour) * HOUR_US
        exposure = np.array([0, 0, 0, 100, 100, 100, 100.0])
        arrivals.pass_time(exposure, _NONE, 1.0, now + HOUR_US)
        expected = rates * exposure * rhythm(now, 0.8)
        arrivals.learn(_trials(rng.poisson(expected).tolist(), now + HOUR_US // 2))
        seen.append(arrivals.rates()[0])
    assert max(seen) < 1.3 * min(seen)
    assert np.mean(seen) == pytest.approx(0.04, rel=0.15)


def test_a_new_level_of_arrivals_is_followed_within_days() -> None:
    rng = np.random.default_rng(3)
    arrivals = _arrivals()
    _run(arrivals, np.full(7, 0.02), 21, rng)
    _run(arrivals, np.full(7, 0.06), 6, rng)
    assert arrivals.rates()[0] == pytest.approx(0.06, rel=0.2)


def test_what_distrust_takes_purchases_give_back() -> None:
    arrivals = _arrivals()
    exposure = np.array([0, 0, 0, 100, 100, 100, 100.0])
    for hour in range(24 * 14):
        now = MONDAY + hour * HOUR_US
        arrivals.pass_time(exposure, _NONE, 1.0, now + HOUR_US)
        arrivals.learn(_trials([0, 0, 0, 2, 2, 2, 2], now, weight=0.25, bought=2))
    assert arrivals.distrust() == pytest.approx(4.0, rel=0.2)
    assert arrivals.rates()[3] == pytest.approx(0.02, rel=0.2)


def test_leads_that_leave_raise_the_hazard() -> None:
    arrivals = _arrivals()
    left = np.array([0, 0, 0, 1.0, 0, 0, 0])
    for day in range(60):
        arrivals.pass_time(np.full(7, 24.0 * 10), left, 24.0, MONDAY + day * 24 * HOUR_US)
    assert arrivals.hazard() == pytest.approx(1 / (7 * 240), rel=0.15)


def test_hours_of_the_week_begin_on_monday() -> None:
    at = MONDAY + np.array([0, HOUR_US, 7 * 24 * HOUR_US - 1])
    assert hour_of_week(at).tolist() == [0, 1, WEEK_HOURS - 1]


@given(st.floats(), st.floats(), st.floats(0, 1e6), st.integers(0, 5), st.floats())
def test_whatever_is_told_rates_stay_within_bounds(
    exposure: float, left: float, hours: float, count: int, weight: float
) -> None:
    arrivals = _arrivals()
    for _ in range(3):
        arrivals.learn(_trials([count] * 7, MONDAY, weight, count))
        arrivals.pass_time(np.full(7, exposure), np.full(7, left), hours, MONDAY)
    rates = arrivals.rates()
    assert np.isfinite(rates).all()
    assert RATE_LEAST <= rates.min() <= rates.max() <= RATE_MOST
    assert np.isfinite(arrivals.profile()).all()
    assert 0 < arrivals.hazard() < 1
