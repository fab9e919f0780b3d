"""Counts between fixed edges: small, and counts of several replicas simply add up."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

# Milliseconds, each √2 times the one before: 0.25 ms to 11.6 s.
LATENCY_EDGES_MS: Final = tuple(0.25 * 2 ** (step / 2) for step in range(32))
# Of probabilities: most leads are near 0, and what matters happens near both ends.
SCORE_EDGES: Final = (
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.99,
)  # fmt: skip


def counts_for(edges: Sequence[float]) -> list[int]:
    """Empty: one count below the first edge (or at it), one between each two, one above."""
    return [0] * (len(edges) + 1)


def place(edges: Sequence[float], value: float) -> int:
    return bisect_left(edges, value)


def added(left: Sequence[int], right: Sequence[int]) -> list[int]:
    """Both together; an empty one counts as nothing."""
    if not left or not right:
        return list(left or right)
    return [a + b for a, b in zip(left, right, strict=True)]


def quantile(edges: Sequence[float], counts: Sequence[int], share: float) -> float:
    """The upper edge of where this share of the values ends; infinite above the last edge."""
    wanted, seen = share * sum(counts), 0
    for edge, count in zip((*edges, math.inf), counts, strict=True):
        seen += count
        if seen >= wanted and count:
            return edge
    return 0.0


def population_stability(expected: Sequence[int], actual: Sequence[int]) -> float:
    """The population stability index: 0 for the same distribution; by custom below 0.1 is
    stable, above 0.25 has shifted. Half a case is added to every bin, so that an empty one
    counts as rare and not as impossible. 0.0 if either has no case."""
    if not sum(expected) or not sum(actual):
        return 0.0
    bins = len(expected)
    before, now = sum(expected) + bins / 2, sum(actual) + bins / 2
    index = 0.0
    for was, is_ in zip(expected, actual, strict=True):
        p, q = (was + 0.5) / before, (is_ + 0.5) / now
        index += (q - p) * math.log(q / p)
    return index
