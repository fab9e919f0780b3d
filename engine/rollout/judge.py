"""Whether a version on trial does worse than the one that it is compared with."""

from __future__ import annotations

import msgspec

from engine.rollout.histogram import LATENCY_EDGES_MS, population_stability, quantile
from engine.rollout.watch import Watched


class Bounds(msgspec.Struct, frozen=True):
    """What is still well. Nothing is said on fewer cases than the minimum of each."""

    errors_calls_min: int = 20
    errors_min: int = 3
    error_rate_max: float = 0.01
    """Beyond that of the other version."""
    latency_calls_min: int = 200
    latency_ratio_max: float = 2.0
    latency_added_ms_max: float = 10.0
    """p99 fails only if it is above both: a ratio of little is still little."""
    drift_rows_min: int = 500
    drift_max: float = 0.25
    """Population stability index of the scores."""


def fault(trial: Watched, other: Watched, bounds: Bounds) -> str | None:
    """Why the version on trial must go, in words; None as long as nothing is known against it."""
    return (
        _fails(trial, other, bounds)
        or _is_slow(trial, other, bounds)
        or _has_drifted(trial, other, bounds)
    )


def _fails(trial: Watched, other: Watched, bounds: Bounds) -> str | None:
    if trial.calls < bounds.errors_calls_min or trial.errors < bounds.errors_min:
        return None
    usual = other.errors / other.calls if other.calls else 0.0
    rate = trial.errors / trial.calls
    if rate <= usual + bounds.error_rate_max:
        return None
    return f"error rate: {trial.errors} of {trial.calls} calls failed, {usual:.1%} is usual"


def _is_slow(trial: Watched, other: Watched, bounds: Bounds) -> str | None:
    if min(trial.calls, other.calls) < bounds.latency_calls_min:
        return None
    usual = quantile(LATENCY_EDGES_MS, other.latency, 0.99)
    found = quantile(LATENCY_EDGES_MS, trial.latency, 0.99)
    if found <= usual * bounds.latency_ratio_max or found <= usual + bounds.latency_added_ms_max:
        return None
    return f"latency: 99 of 100 calls within {found:.3g} ms, {usual:.3g} ms is usual"


def _has_drifted(trial: Watched, other: Watched, bounds: Bounds) -> str | None:
    if min(trial.rows, other.rows) < bounds.drift_rows_min:
        return None
    index = population_stability(other.scores, trial.scores)
    if index <= bounds.drift_max:
        return None
    return (
        f"scores: population stability index {index:.2f} against the other version,"
        f" at most {bounds.drift_max:.2f} is allowed"
    )
