"""Two ways to learn what agreement is worth, from pairs whose truth is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from engine.intake.resolution.comparison import DOORS, FIELDS, LEVELS

FittedDoor = tuple[float, dict[str, dict[str, float]]]
Fitted = tuple[dict[str, float], dict[str, dict[str, dict[str, float]]]]
"""(bias, log odds), as in `Weights`."""

# Weight decay keeps what was seen a few times near nothing.
DECAY = 1.0
_ITERATIONS = 40
_PAIRS_LEAST = 50
_STEP_LEAST = 1e-6


def logistic(
    doors: NDArray[np.uint8], levels: NDArray[np.uint8], same: NDArray[np.bool_]
) -> Fitted:
    """Logistic regression on the levels, apart for each kind of door."""
    return _by_door(doors, levels, same, _logistic_of_door)


def fellegi_sunter(
    doors: NDArray[np.uint8], levels: NDArray[np.uint8], same: NDArray[np.bool_]
) -> Fitted:
    """log(m/u) of each level, as if fields were independent, apart for each kind of door.

    Crosses are left out: they would count their two fields twice.
    """
    return _by_door(doors, levels, same, _ratios_of_door)


def _by_door(
    doors: NDArray[np.uint8],
    levels: NDArray[np.uint8],
    same: NDArray[np.bool_],
    fit: Callable[[NDArray[np.uint8], NDArray[np.bool_]], FittedDoor],
) -> Fitted:
    bias: dict[str, float] = {}
    log_odds: dict[str, dict[str, dict[str, float]]] = {}
    for number, door in enumerate(DOORS):
        chosen = doors == number
        if chosen.sum() < _PAIRS_LEAST or not same[chosen].any():
            # Nothing of the kind was ever one lead: then nothing that agrees makes it one.
            bias[door] = -20.0
            continue
        bias[door], log_odds[door] = fit(levels[chosen], same[chosen])
    return bias, log_odds


def _logistic_of_door(levels: NDArray[np.uint8], same: NDArray[np.bool_]) -> FittedDoor:
    combinations, which = np.unique(levels, axis=0, return_inverse=True)
    total = np.bincount(which).astype(float)
    positive = np.bincount(which, weights=same).astype(float)
    design, columns = _design(combinations)
    weights = _newton(design, positive, total)
    return float(weights[0]), _by_level(columns, weights[1:])


def _design(combinations: NDArray[np.uint8]) -> tuple[NDArray[np.float64], list[tuple[str, str]]]:
    """One column for each level but the first, which stands for no evidence."""
    columns, parts = [], [np.ones(len(combinations))]
    for number, field in enumerate(FIELDS):
        for level, name in enumerate(LEVELS[field]):
            reached = combinations[:, number] == level
            if level > 0 and reached.any():
                columns.append((field, name))
                parts.append(reached.astype(float))
    return np.stack(parts, axis=1), columns


def _newton(
    design: NDArray[np.float64], positive: NDArray[np.float64], total: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Penalised maximum likelihood by Newton's method, steps halved until they gain."""
    decay = np.full(design.shape[1], DECAY)
    decay[0] = 1e-3
    weights = np.zeros(design.shape[1])
    loss = _loss(weights, design, positive, total, decay)
    for _ in range(_ITERATIONS):
        expected = total / (1 + np.exp(-design @ weights))
        gradient = design.T @ (positive - expected) - decay * weights
        curvature = expected * (1 - expected / np.maximum(total, 1))
        hessian = (design * curvature[:, None]).T @ design + np.diag(decay)
        step = np.linalg.solve(hessian, gradient)
        while (better := _loss(weights + step, design, positive, total, decay)) > loss:
            step /= 2
            if np.abs(step).max() < _STEP_LEAST:
                return weights
        weights, loss = weights + step, better
        if np.abs(step).max() < _STEP_LEAST:
            break
    return weights


def _loss(
    weights: NDArray[np.float64],
    design: NDArray[np.float64],
    positive: NDArray[np.float64],
    total: NDArray[np.float64],
    decay: NDArray[np.float64],
) -> float:
    scores = design @ weights
    return float(
        (total * np.logaddexp(0, scores) - positive * scores).sum()
        + 0.5 * (decay * weights**2).sum()
    )


def _ratios_of_door(levels: NDArray[np.uint8], same: NDArray[np.bool_]) -> FittedDoor:
    bias = float(np.log((same.sum() + 0.5) / ((~same).sum() + 0.5)))
    columns, ratios = [], []
    for number, field in enumerate(FIELDS):
        if "*" in field:
            continue
        told = levels[:, number] > 0
        one, other = levels[told & same, number], levels[told & ~same, number]
        for level in np.unique(levels[told, number]):
            m = ((one == level).sum() + 0.5) / (len(one) + 1)
            u = ((other == level).sum() + 0.5) / (len(other) + 1)
            columns.append((field, LEVELS[field][level]))
            ratios.append(np.log(m / u))
    return bias, _by_level(columns, np.array(ratios))


def _by_level(
    columns: list[tuple[str, str]], weights: NDArray[np.float64]
) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for (field, level), weight in zip(columns, weights, strict=True):
        found.setdefault(field, {})[level] = round(float(weight), 3)
    return found
