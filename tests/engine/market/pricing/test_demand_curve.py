"""The demand curve: what it learns from trials it was given, and what it is not fooled by."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from engine.market.pricing.demand_curve import (
    DECAY_LEAST,
    DECAY_MOST,
    LEVEL_MOST,
    STEEPNESS_LEAST,
    STEEPNESS_MOST,
    DemandCurve,
)
from engine.market.pricing.hierarchy import Hierarchy
from engine.market.pricing.policy import Floats, Trials
from tests.engine.market.pricing.known_demand import MONDAY, Tree, Truth

_SEGMENTS = Tree([-1, 0, 0, 1, 1, 2, 2])


def _trials(truth: Truth, count: int, rng: np.random.Generator, weight: float = 1.0) -> Trials:
    segment = rng.integers(3, 7, count).astype(np.int32)
    x, age = rng.normal(-0.2, 0.3, count), rng.exponential(200, count)
    bought = rng.random(count) < truth.sold_share(segment, x, age)
    at = MONDAY + np.arange(count)
    return Trials(segment, x, age, np.full(count, weight), bought, at)


def _part(trials: Trials, rows: Any) -> Trials:
    return Trials(*(column[rows] for column in trials))


def _truth(level: Floats, **others: float) -> Truth:
    return Truth(level, np.ones(7), **others)


def _curve() -> DemandCurve:
    return DemandCurve(Hierarchy(_SEGMENTS))


def test_without_evidence_it_is_the_prior() -> None:
    curve = _curve().curve()
    assert not curve.level.any()
    assert curve.sigma == pytest.approx(0.5)
    assert math.log(2) / curve.decay / 24 == pytest.approx(17, abs=0.1)


def test_it_finds_the_curve_that_made_the_trials() -> None:
    rng = np.random.default_rng(5)
    level = np.array([0, 0, 0, 0.5, 0.2, -0.1, -0.4])
    truth = _truth(level, sigma=0.4, decay=math.log(2) / (25 * 24))
    curve = _curve()
    for _ in range(20):
        curve.learn(_trials(truth, 1_000, rng))
    found = curve.curve()
    assert np.allclose(found.level[3:], level[3:], atol=0.06)
    assert found.sigma == pytest.approx(0.4, abs=0.03)
    assert found.decay == pytest.approx(truth.decay, rel=0.1)


def test_small_lots_and_large_ones_teach_nearly_the_same() -> None:
    truth = _truth(np.full(7, 0.3))
    trials = _trials(truth, 2_000, np.random.default_rng(1))
    whole, pieces = _curve(), _curve()
    whole.learn(trials)
    for start in range(0, 2_000, 20):
        pieces.learn(_part(trials, slice(start, start + 20)))
    found, expected = pieces.curve(), whole.curve()
    assert np.allclose(found.level, expected.level, atol=0.05)
    assert found.sigma == pytest.approx(expected.sigma, abs=0.04)


def test_trials_of_no_weight_teach_nothing_and_light_ones_little() -> None:
    truth = _truth(np.full(7, -0.6))
    curves = []
    for weight in (0.0, 0.05, 1.0):
        curve = _curve()
        curve.learn(_trials(truth, 50, np.random.default_rng(2), weight))
        curves.append(curve.curve())
    none, little, full = (curve.level[3:].mean() for curve in curves)
    assert none == 0
    assert 0 > little > full / 2


def test_a_thin_segment_borrows_from_its_sibling() -> None:
    truth = _truth(np.full(7, 0.5))
    trials = _trials(truth, 3_000, np.random.default_rng(3))
    curve = _curve()
    curve.learn(_part(trials, trials.segment == 3))
    level = curve.curve().level
    assert level[3] == pytest.approx(0.5, abs=0.07)
    # Closer relatives borrow more.
    assert level[3] > level[4] > level[5] > 0.1


def test_a_shock_is_followed_in_a_day_and_forgotten_in_the_end() -> None:
    rng = np.random.default_rng(4)
    curve = _curve()
    for _ in range(30):
        curve.learn(_trials(_truth(np.zeros(7)), 200, rng))
        curve.forget(24.0)
    before = curve.curve().level[0]
    for _ in range(4):
        curve.forget(6.0)
        curve.learn(_trials(_truth(np.full(7, math.log(0.7))), 50, rng))
    assert curve.curve().level[0] - before == pytest.approx(math.log(0.7), abs=0.12)
    curve.forget(3_650 * 24.0)
    assert curve.curve().level[0] == pytest.approx(0, abs=1e-3)


def test_a_branch_that_moves_alone_is_followed_alone() -> None:
    rng = np.random.default_rng(7)
    curve = _curve()
    level = np.zeros(7)
    for _ in range(30):
        curve.learn(_trials(_truth(level), 200, rng))
        curve.forget(24.0)
    before = curve.curve().level
    # Segments 1, 3 and 4 are one branch; 2, 5 and 6 the other.
    level[[1, 3, 4]] = 0.4
    for _ in range(8):
        curve.forget(12.0)
        curve.learn(_trials(_truth(level), 100, rng))
    moved = curve.curve().level - before
    assert moved[[1, 3, 4]] == pytest.approx(0.4, abs=0.13)
    assert moved[[2, 5, 6]] == pytest.approx(0.0, abs=0.13)


def test_one_absurd_purchase_moves_little() -> None:
    truth = _truth(np.zeros(7))
    curve = _curve()
    curve.learn(_trials(truth, 500, np.random.default_rng(6)))
    before = curve.curve()
    one = Trials(
        np.array([3], np.int32),
        np.array([4.0]),
        np.zeros(1),
        np.ones(1),
        np.ones(1, np.bool_),
        np.array([MONDAY]),
    )
    curve.learn(one)
    after = curve.curve()
    assert np.abs(after.level - before.level).max() < 0.01
    assert after.sigma == pytest.approx(before.sigma, abs=0.01)


_any = st.floats(allow_nan=True, allow_infinity=True)


@given(
    st.integers(0, 60).flatmap(
        lambda count: st.tuples(
            hnp.arrays(np.int32, count, elements=st.integers(0, 6)),
            hnp.arrays(np.float64, count, elements=_any),
            hnp.arrays(np.float64, count, elements=_any),
            hnp.arrays(np.float64, count, elements=_any),
            hnp.arrays(np.bool_, count),
            hnp.arrays(np.int64, count, elements=st.integers(0, 2**53)),
        )
    ),
    st.floats(0, 10_000),
)
def test_whatever_it_is_told_the_curve_stays_within_bounds(
    columns: tuple[np.ndarray, ...], hours: float
) -> None:
    curve = _curve()
    for _ in range(3):
        curve.learn(Trials(*columns))
        curve.forget(hours)
    rng = np.random.default_rng(0)
    for found in (curve.curve(), curve.curve(rng.normal(size=3), rng.normal(size=7))):
        assert np.isfinite(found.level).all()
        assert np.abs(found.level).max() <= LEVEL_MOST
        assert 1 / STEEPNESS_MOST <= found.sigma <= 1 / STEEPNESS_LEAST
        assert DECAY_LEAST <= found.decay <= DECAY_MOST
