"""What a version did, in counts that replicas write and that add up over them and over time."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce

import msgspec

from engine.rollout.histogram import LATENCY_EDGES_MS, SCORE_EDGES, added, counts_for, place


class Watched(msgspec.Struct, frozen=True):
    """`calls` answered or failed, `errors` the failed ones, `rows` scored. `latency` counts
    calls by milliseconds, `scores` counts rows by score; `features` counts the values of each
    feature in the bins of the model's reference, one feature after the other."""

    calls: int = 0
    errors: int = 0
    rows: int = 0
    latency: tuple[int, ...] = ()
    scores: tuple[int, ...] = ()
    features: tuple[int, ...] = ()


def together(parts: Iterable[Watched]) -> Watched:
    return reduce(_sum, parts, Watched())


def _sum(left: Watched, right: Watched) -> Watched:
    return Watched(
        left.calls + right.calls,
        left.errors + right.errors,
        left.rows + right.rows,
        tuple(added(left.latency, right.latency)),
        tuple(added(left.scores, right.scores)),
        # Bins of another reference can't be added: of two, what was counted last remains.
        tuple(added(left.features, right.features))
        if not left.features or not right.features or len(left.features) == len(right.features)
        else right.features,
    )


class Tally:
    """Counts one version's calls in one replica, until they are taken to be written."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._calls = self._errors = self._rows = 0
        self._latency = counts_for(LATENCY_EDGES_MS)
        self._scores = counts_for(SCORE_EDGES)
        self._features: list[int] = []

    def answered(self, milliseconds: float, scores: Iterable[float] = ()) -> None:
        """A call, and the scores that came of it: probabilities, or nothing."""
        self._calls += 1
        self._latency[place(LATENCY_EDGES_MS, milliseconds)] += 1
        for score in scores:
            self._rows += 1
            self._scores[place(SCORE_EDGES, score)] += 1

    def failed(self, milliseconds: float) -> None:
        self._calls += 1
        self._errors += 1
        self._latency[place(LATENCY_EDGES_MS, milliseconds)] += 1

    def saw(self, features: Iterable[int]) -> None:
        """Counts of feature values in the bins of the model's reference."""
        self._features = added(self._features, list(features))

    def taken(self) -> Watched | None:
        """What was counted since the last time; None if nothing was."""
        if not self._calls:
            return None
        found = Watched(
            self._calls,
            self._errors,
            self._rows,
            tuple(self._latency),
            tuple(self._scores),
            tuple(self._features),
        )
        self._clear()
        return found
