"""Near rows by walking a graph of neighbours (HNSW), in a small part of a scan's time.

Texts of one kind have vectors that mostly say so, all alike; what tells them apart is a small
part. So the graph is of what is left of them without their common centre, in eight bits of one
step for all: the distance of unit vectors orders them as their cosine does.

Nothing is taken out of the graph: what a row no longer says stays as a dead entry that is
walked over and never found. That spares the library's removal, and `dead` tells when to
build the graph anew.
"""

from __future__ import annotations

from typing import Final

import numpy as np

# Its library must be loaded before usearch's: a process that loads it afterwards crashes.
import onnxruntime  # noqa: F401
from numpy.typing import NDArray
from usearch.index import Index, MetricKind, ScalarKind

from models_ml.vector_rows import BLOCK_ROWS, Rows, Vectors

CONNECTIVITY: Final = 16
EXPANSION_ADD: Final = 96
EXPANSION_SEARCH_MIN: Final = 160
_NO_ENTRY = -1
_LARGEST = 127
# Components beyond are cut off; those within are told apart the better.
_WITHIN_REACH = 0.9995
# As if vectors that are all the same had come by accident.
_REACH_MIN = 0.01


class VectorGraph:
    """Entries are numbered as they come; each speaks of one row, a row of at most one entry.
    `some` (rows, dimensions) are vectors as they will come, whose centre and reach it takes."""

    def __init__(self, some: Vectors, threads: int) -> None:
        self._threads = threads
        self._centre = some.mean(axis=0)
        reach = float(np.quantile(np.abs(some - self._centre), _WITHIN_REACH))
        self._step = max(reach, _REACH_MIN) / _LARGEST
        self._index = Index(
            ndim=some.shape[1],
            metric=MetricKind.L2sq,
            dtype=ScalarKind.I8,
            connectivity=CONNECTIVITY,
            expansion_add=EXPANSION_ADD,
            enable_key_lookups=False,
        )
        self._row_of = np.empty(0, dtype=np.int64)
        self._entry_of = np.empty(0, dtype=np.int64)
        self.entries = 0
        self.dead = 0

    @property
    def memory_bytes(self) -> int:
        return int(self._index.memory_usage) + self._row_of.nbytes + self._entry_of.nbytes

    def holds(self, size: int) -> NDArray[np.bool_]:
        """Whether it holds what the row says now, for the first `size` rows."""
        self._make_room(size)
        return self._entry_of[:size] != _NO_ENTRY

    def add(self, rows: Rows, vectors: Vectors) -> None:
        """Take rows in that it does not hold, with their (rows, dimensions) vectors."""
        self._make_room(int(rows.max()) + 1)
        entries = np.arange(self.entries, self.entries + len(rows), dtype=np.int64)
        if entries[-1] >= len(self._row_of):
            more = np.full(max(len(self._row_of), len(rows), BLOCK_ROWS), _NO_ENTRY)
            self._row_of = np.concatenate([self._row_of, more])
        self._index.add(entries.astype(np.uint64), self._codes(vectors), threads=self._threads)
        self._row_of[entries] = rows
        self._entry_of[rows] = entries
        self.entries += len(rows)

    def forget(self, rows: Rows) -> None:
        """These rows say something else now, or nothing."""
        known = rows[rows < len(self._entry_of)]
        self.dead += int(np.count_nonzero(self._entry_of[known] != _NO_ENTRY))
        self._entry_of[known] = _NO_ENTRY

    def near(self, vectors: Vectors, count: int) -> Rows:
        """(queries, count) rows near each vector, near ones first, with -1 for none and for
        dead entries."""
        codes = self._codes(vectors)
        self._index.expansion_search = max(EXPANSION_SEARCH_MIN, count)
        matches = self._index.search(codes, count, threads=self._threads)
        keys = np.asarray(matches.keys).reshape(len(vectors), -1).astype(np.int64)
        # Fewer than asked for come back as zeros; only the counts tell them from entry 0.
        counts = np.asarray(getattr(matches, "counts", [keys.shape[1]]))
        told = np.arange(keys.shape[1])[None, :] < counts.reshape(-1, 1)
        rows = np.where(told, self._row_of[np.where(told, keys, 0)], _NO_ENTRY)
        alive = told & (self._entry_of[np.maximum(rows, 0)] == keys)
        return np.where(alive, rows, _NO_ENTRY)

    def _codes(self, vectors: Vectors) -> NDArray[np.int8]:
        steps = np.rint((vectors - self._centre) / self._step)
        return np.clip(steps, -_LARGEST, _LARGEST).astype(np.int8)

    def _make_room(self, size: int) -> None:
        if size > len(self._entry_of):
            more = np.full(max(size - len(self._entry_of), BLOCK_ROWS), _NO_ENTRY)
            self._entry_of = np.concatenate([self._entry_of, more])
