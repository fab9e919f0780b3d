"""How well probabilities single out scams; every interval draws whole advertisers."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

BINS: Final = 10
RESAMPLES: Final = 400
FALSE_POSITIVES_MOST: Final = 0.01
_SEED = 23

Floats = NDArray[np.float64]


class Interval(NamedTuple):
    """A figure and its 95 % interval."""

    value: float
    least: float
    most: float


class Scores(NamedTuple):
    """`recall` is at 1 % false positives; `error` (expected calibration error, tenths of the
    advertisements by score) and `brier` are None for what gives no probability."""

    precision: Interval
    recall: Interval
    error: float | None
    brier: float | None


def scores(scam: NDArray[np.bool_], score: Floats, advertiser: NDArray[np.str_],
           *, probability: bool) -> Scores:  # fmt: skip
    """Raises ValueError unless there are advertisements of both kinds."""
    if scam.all() or not scam.any():
        raise ValueError("advertisements of both kinds are needed")
    _, place = np.unique(advertiser, return_inverse=True)
    drawn = np.random.default_rng(_SEED)
    count = int(place.max()) + 1
    found = []
    for _ in range(RESAMPLES):
        weight = np.bincount(drawn.integers(0, count, count), minlength=count)[place]
        if weight[scam].sum() and weight[~scam].sum():
            found.append(curve(scam, score, weight.astype(np.float64)))
    least, most = np.percentile(np.array(found), (2.5, 97.5), axis=0)
    precision, recall = curve(scam, score, np.ones(len(score)))
    return Scores(
        Interval(precision, float(least[0]), float(most[0])),
        Interval(recall, float(least[1]), float(most[1])),
        calibration_error(scam, score) if probability else None,
        float(np.mean((score - scam) ** 2)) if probability else None,
    )


def curve(scam: NDArray[np.bool_], score: Floats, weight: Floats) -> tuple[float, float]:
    """Average precision, and the highest recall with at most 1 % false positives. Equal scores
    are above a threshold together."""
    order = np.argsort(-score, kind="stable")
    right = np.cumsum((weight * scam)[order])
    wrong = np.cumsum((weight * ~scam)[order])
    last = np.append(np.diff(score[order]) != 0, True) & (right + wrong > 0)
    right, wrong = right[last], wrong[last]
    recall = right / right[-1]
    precision = float(np.sum(np.diff(recall, prepend=0.0) * right / (right + wrong)))
    allowed = recall[wrong <= FALSE_POSITIVES_MOST * wrong[-1]]
    return precision, float(allowed[-1]) if len(allowed) else 0.0


def calibration_error(scam: NDArray[np.bool_], chance: Floats) -> float:
    """Mean distance of predicted and found shares, over tenths of the rows by chance."""
    groups = np.array_split(np.argsort(chance, kind="stable"), BINS)
    apart = [
        abs(chance[each].mean() - scam[each].mean()) * len(each) for each in groups if len(each)
    ]
    return float(sum(apart) / len(chance))
