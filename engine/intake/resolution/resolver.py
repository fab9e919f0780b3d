"""The resolver of one market: which known rows a new record is one lead with.

Whether two rows match depends on the two alone, never on what else is known or on which
came first, so the same records in any order make the same edges and the same leads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.intake.resolution import blocking, comparison
from engine.intake.resolution.columns import Columns, Table, columns_of
from engine.intake.resolution.features import MatchFeatures
from engine.intake.resolution.index import Index
from engine.intake.resolution.weights import Scorer, Weights, packaged_weights

# Pairs compared at a time: bounds the memory of one call.
PAIRS_AT_ONCE = 200_000


class Match(NamedTuple):
    """An earlier row that is the same lead with this probability."""

    row: int
    probability: float


class Pairs(NamedTuple):
    """Pairs of rows, the later one first, with the probability of each."""

    later: NDArray[np.int64]
    earlier: NDArray[np.int64]
    probability: NDArray[np.float64]


class Resolver:
    """Rows are numbered from 0 in the order in which they were added."""

    def __init__(self, weights: Weights | None = None, *, threshold: float | None = None) -> None:
        self._scorer = Scorer(weights or packaged_weights())
        self.threshold = self._scorer.threshold if threshold is None else threshold
        self._table = Table()
        self._index = Index()

    def __len__(self) -> int:
        return self._table.size

    @property
    def capped(self) -> int:
        """Look-ups that met a block too large to be compared whole; see `Index`."""
        return self._index.capped

    def add_known(self, features: Sequence[MatchFeatures]) -> None:
        """Add rows whose matches are known already, as after a restart."""
        if features:
            self.add_columns(columns_of(features))

    def add_columns(self, columns: Columns) -> None:
        first = self._table.append(columns)
        self._index.add(blocking.kept_keys(columns), first)

    def match(self, batch: Sequence[MatchFeatures]) -> list[list[Match]]:
        """For each of the batch all earlier rows, known or before it in the batch, that are
        the same lead, best first; then the batch is known."""
        found: list[list[Match]] = [[] for _ in batch]
        if not batch:
            return found
        first = self._table.size
        pairs = self.match_pairs(batch)
        for later, earlier, probability in zip(
            pairs.later.tolist(), pairs.earlier.tolist(), pairs.probability.tolist(), strict=True
        ):
            if probability >= self.threshold:
                found[later - first].append(Match(earlier, probability))
        for matches in found:
            matches.sort(key=lambda match: (-match.probability, match.row))
        return found

    def match_pairs(self, batch: Sequence[MatchFeatures]) -> Pairs:
        """Add a batch that is not empty, and judge it against all earlier rows that share a
        key: every such pair with its probability, whatever the threshold."""
        columns = columns_of(batch)
        first = self._table.size
        self.add_columns(columns)
        batch_rows, earlier = self._index.pairs(blocking.sought_keys(columns))
        later = batch_rows + first
        is_earlier = earlier < later
        later, earlier = later[is_earlier], earlier[is_earlier]
        parts = [
            self._judge(
                later[start : start + PAIRS_AT_ONCE], earlier[start : start + PAIRS_AT_ONCE]
            )
            for start in range(0, len(later), PAIRS_AT_ONCE)
        ]
        probability = np.concatenate(parts) if parts else np.zeros(0)
        return Pairs(later, earlier, probability)

    def levels_of_pairs(
        self, later: NDArray[np.int64], earlier: NDArray[np.int64]
    ) -> tuple[NDArray[np.uint8], comparison.Levels, NDArray[np.bool_]]:
        """(door, levels of agreement, whether excluded) of pairs of rows, for training."""
        left, right = self._table.take(later), self._table.take(earlier)
        return (
            comparison.doors_of(left, right),
            comparison.levels_of(left, right),
            comparison.is_excluded(left, right),
        )

    def _judge(self, later: NDArray[np.int64], earlier: NDArray[np.int64]) -> NDArray[np.float64]:
        left, right = self._table.take(later), self._table.take(earlier)
        levels = comparison.levels_of(left, right)
        probability = self._scorer.probability(comparison.doors_of(left, right), levels)
        probability[comparison.is_excluded(left, right)] = 0.0
        probability[left["identity"] == right["identity"]] = 1.0
        return probability
