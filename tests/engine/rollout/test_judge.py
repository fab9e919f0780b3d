"""When a version on trial must go, and when nothing is known against it."""

from __future__ import annotations

import numpy as np

from engine.rollout.histogram import LATENCY_EDGES_MS, population_stability, quantile
from engine.rollout.judge import Bounds, fault
from engine.rollout.watch import Tally, Watched, together

BOUNDS = Bounds()


def _watched(
    calls: int = 1_000,
    *,
    errors: int = 0,
    milliseconds: float = 2.0,
    seed: int = 1,
    shift: float = 0,
) -> Watched:
    chance = np.random.default_rng(seed)
    tally = Tally()
    for _ in range(calls - errors):
        tally.answered(milliseconds, 1 / (1 + np.exp(-chance.normal(shift - 2, 1.5, 4))))
    for _ in range(errors):
        tally.failed(milliseconds)
    found = tally.taken()
    assert found is not None
    return found


def test_the_same_behaviour_is_no_fault() -> None:
    for seed in range(2, 12):
        assert fault(_watched(300, seed=seed), _watched(), BOUNDS) is None


def test_errors_are_a_fault_when_there_are_enough() -> None:
    said = fault(_watched(100, errors=5), _watched(), BOUNDS)
    assert said is not None
    assert "error rate: 5 of 100" in said
    assert fault(_watched(100, errors=2), _watched(), BOUNDS) is None, "two may be chance"
    assert fault(_watched(15, errors=5), _watched(), BOUNDS) is None, "too few calls"
    assert fault(_watched(100, errors=5), _watched(errors=60), BOUNDS) is None, "as usual"


def test_slowness_is_a_fault_if_it_is_twice_as_much_and_felt() -> None:
    said = fault(_watched(milliseconds=40), _watched(milliseconds=5), BOUNDS)
    assert said is not None
    assert said.startswith("latency:")
    assert fault(_watched(milliseconds=9), _watched(milliseconds=2), BOUNDS) is None, "not felt"
    assert fault(_watched(milliseconds=150), _watched(milliseconds=100), BOUNDS) is None
    assert fault(_watched(150, milliseconds=40), _watched(milliseconds=5), BOUNDS) is None


def test_other_scores_are_a_fault() -> None:
    said = fault(_watched(shift=1.5), _watched(), BOUNDS)
    assert said is not None
    assert said.startswith("scores: population stability index")
    assert fault(_watched(100, shift=1.5), _watched(), BOUNDS) is None, "400 rows are too few"


def test_counts_add_up_over_replicas() -> None:
    parts = [_watched(100, errors=3, seed=seed) for seed in (1, 2, 3)]
    whole = together(parts)
    assert (whole.calls, whole.errors, whole.rows) == (300, 9, 3 * 97 * 4)
    assert sum(whole.latency) == 300
    assert sum(whole.scores) == whole.rows


def test_a_tally_is_empty_after_it_was_taken() -> None:
    tally = Tally()
    tally.answered(1.0, [0.5])
    assert tally.taken() is not None
    assert tally.taken() is None


def test_quantiles_are_upper_edges() -> None:
    counts = [0] * (len(LATENCY_EDGES_MS) + 1)
    counts[2], counts[6] = 99, 1
    assert quantile(LATENCY_EDGES_MS, counts, 0.99) == LATENCY_EDGES_MS[2]
    assert quantile(LATENCY_EDGES_MS, counts, 0.995) == LATENCY_EDGES_MS[6]


def test_stability_of_the_textbook() -> None:
    same = population_stability([100, 200, 300], [1_000, 2_000, 3_000])
    assert same < 0.001
    # (0.5 - 0.1) ln(0.5 / 0.1) + (0.5 - 0.9) ln(0.5 / 0.9), and the half cases' little.
    assert abs(population_stability([1_000, 9_000], [5_000, 5_000]) - 0.8789) < 0.001
    assert population_stability([0, 0], [5, 5]) == 0.0
