"""The few greatest of many values, faster than by partitioning them all."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_STRIDE: Final = 32
# Looked at closely are about so many times the wanted ones.
_MARGIN: Final = 8


def greatest(values: NDArray[Any], k: int) -> NDArray[np.int64]:
    """Places of the `k` greatest values, the greatest first; all of fewer. No value is NaN."""
    count = len(values)
    if count <= k:
        return np.argsort(-values, kind="stable")
    places: NDArray[np.int64] | None = None
    if count > 2 * _MARGIN * k:
        # What is not above most of a sample is not among the greatest.
        sample = values[::_STRIDE]
        rank = min(_MARGIN * k // _STRIDE + 2, len(sample))
        floor = np.partition(sample, len(sample) - rank)[len(sample) - rank]
        above = np.flatnonzero(values >= floor)
        places = above if len(above) >= k else None
    if places is None:
        places = np.arange(count)
    if len(places) > k:
        places = places[np.argpartition(-values[places], k)[:k]]
    return places[np.argsort(-values[places], kind="stable")]
