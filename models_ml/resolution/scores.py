"""Precision and recall of pairs, of edges and of the leads that they join."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.intake.resolution import partition
from engine.intake.resolution.resolver import Pairs


class PairCounts(NamedTuple):
    """Pairs of records: judged to be one lead, rightly so, and how many truly are."""

    judged: int
    right: int
    true: int

    @property
    def precision(self) -> float:
        return self.right / self.judged if self.judged else 1.0

    @property
    def recall(self) -> float:
        return self.right / self.true if self.true else 1.0

    def plus(self, other: PairCounts) -> PairCounts:
        return PairCounts(*(a + b for a, b in zip(self, other, strict=True)))


def partition_counts(
    pairs: Pairs, probability: NDArray[np.float64], lead: NDArray[np.int64], threshold: float
) -> PairCounts:
    """Of all pairs that end in one lead, joined directly or through others: what the desk
    makes of the edges, and so what counts."""
    chosen = probability >= threshold
    edges = zip(pairs.later[chosen].tolist(), pairs.earlier[chosen].tolist(), strict=True)
    parts = np.array(partition(edges, len(lead)), dtype=np.int64)
    _, both = np.unique(np.stack([parts, lead]), axis=1, return_counts=True)
    return PairCounts(pairs_within(parts), int((both * (both - 1) // 2).sum()), pairs_within(lead))


def pairs_within(groups: NDArray[np.int64]) -> int:
    _, counts = np.unique(groups, return_counts=True)
    return int((counts * (counts - 1) // 2).sum())


def wilson(right: int, total: int) -> tuple[float, float]:
    """The 95 % Wilson interval of a share; (0, 1) when nothing was counted."""
    if total == 0:
        return 0.0, 1.0
    z = 1.959964
    share = right / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    spread = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    spread /= 1 + z * z / total
    return max(0.0, middle - spread), min(1.0, middle + spread)


def calibration(
    probability: NDArray[np.float64], same: NDArray[np.bool_], edges: Sequence[float]
) -> list[tuple[float, float, int, float, float]]:
    """(from, to, pairs, mean probability, share that is one lead) between the edges."""
    rows = []
    for least, most in pairwise(edges):
        chosen = (probability >= least) & ((probability < most) | (most >= 1))
        count = int(chosen.sum())
        if count:
            rows.append(
                (least, most, count, float(probability[chosen].mean()), float(same[chosen].mean()))
            )
    return rows
