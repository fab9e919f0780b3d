"""How good lists are: hits, discounted gains, variety, reach, and who is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models_ml.recommend.replay import Judged

RESAMPLES: Final = 1_000
_SEED: Final = 31


class Interval(NamedTuple):
    value: float
    least: float
    most: float


class Scores(NamedTuple):
    """`hits` is the share of purchases whose home was in the list, `gain` nDCG@20. 95 %
    intervals draw whole buyers. `alike` is the mean cosine of two leads of a list, `reach`
    the share of leads on offer that were in any list."""

    purchases: int
    buyers: int
    hits: Interval
    gain: Interval
    alike: float
    reach: float


def scores_of(name: str, judged: Sequence[Judged], vectors: NDArray[np.float32]) -> Scores:
    """Raises ValueError if nothing was judged."""
    if not judged:
        raise ValueError("nobody bought anything in the time that is judged")
    places = np.array([each.places[name] for each in judged])
    hits = (places >= 0).astype(np.float64)
    gains = np.where(places >= 0, 1 / np.log2(np.maximum(places, 0) + 2), 0.0)
    buyers = np.array([each.buyer for each in judged])
    shown = {home for each in judged for home in each.tops[name]}
    on_offer = {home for each in judged for home in each.allowed}
    return Scores(
        len(judged),
        len(set(buyers.tolist())),
        by_buyer(hits, buyers),
        by_buyer(gains, buyers),
        float(np.mean([_alike(vectors[each.tops[name]]) for each in judged])),
        len(shown) / len(on_offer),
    )


def by_buyer(values: NDArray[np.float64], buyers: NDArray[np.int64]) -> Interval:
    """The mean over purchases, resampled by whole buyers."""
    _, number = np.unique(buyers, return_inverse=True)
    sums, counts = np.bincount(number, values), np.bincount(number)
    rng = np.random.default_rng(_SEED)
    drawn = rng.integers(0, len(sums), (RESAMPLES, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    least, most = np.percentile(means, (2.5, 97.5))
    return Interval(float(values.mean()), float(least), float(most))


def gain_over(name: str, other: str, judged: Sequence[Judged]) -> Interval:
    """How much nDCG@20 is above another's, by the same purchases."""

    def gains(of: str) -> NDArray[np.float64]:
        places = np.array([each.places[of] for each in judged])
        return np.where(places >= 0, 1 / np.log2(np.maximum(places, 0) + 2), 0.0)

    buyers = np.array([each.buyer for each in judged])
    return by_buyer(gains(name) - gains(other), buyers)


def _alike(vectors: NDArray[np.float32]) -> float:
    count = len(vectors)
    if count < 2:
        return 0.0
    mean = vectors.sum(axis=0)
    return float((mean @ mean - count) / (count * (count - 1)))
