"""The leads whose vectors are nearest, among those that a mask lets through.

Rows are numbered, and a lead keeps its row until it is dropped: callers keep what a mask is
made of (what is available, the market, the place) in arrays of their own, in step with the
rows. What a narrow mask leaves is compared row by row. Behind a wide one candidates come from a
graph of neighbours, as many more as the mask is likely to throw out, and are compared exactly
too. What the graph has not taken in yet is always compared. So filters cost no nearness: the
fewer rows they leave, the more exact the answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models_ml.vector_graph import EXPANSION_SEARCH_MIN, VectorGraph
from models_ml.vector_rows import BLOCK_ROWS, Rows, VectorRows, Vectors

Mask = NDArray[np.bool_]

CANDIDATE_ROWS: Final = 50
"""To find one candidate by the graph takes as long as comparing about so many rows one by one
(benchmarks/models_index.py); whichever costs less is done."""
SHARE_MIN: Final = 0.6
"""Behind a mask that lets less through, a graph's candidates lie so far from the query that it
misses many; up to FAR_ROWS_MAX rows are compared one by one then."""
FAR_ROWS_MAX: Final = 60_000
GRAPH_ROWS_MIN: Final = 50_000
"""With fewer rows there is no graph."""
CANDIDATES_MAX: Final = 4_000
"""A graph is asked for so many at most; a mask that needs more is compared row by row."""
QUERIES_MAX: Final = 64
NEAREST_MAX: Final = 1_000
# Candidates asked for, over the number that would do if the mask threw out evenly.
_MARGIN = 1.5
# Beyond those asked for, so many are compared with the query in full precision.
_REVIEWED_MORE = 20
# A graph is fitted to about so many of the vectors that there are.
_FITTED_ROWS = 5_000
# A graph of which so much is dead is built anew.
_DEAD_SHARE_MAX = 0.4


class Found(NamedTuple):
    """(queries, k), the nearest first: rows, -1 where there are no more, and cosines, there
    minus infinity."""

    rows: Rows
    similarities: Vectors


class VectorIndex:
    """Vectors by id. Not to be used by two threads at once; `put` and `drop` change the rows,
    and `tend` does the work on the graph that they leave behind, in parts."""

    def __init__(
        self,
        dimensions: int,
        threads: int = 1,
        *,
        candidate_rows: int = CANDIDATE_ROWS,
        share_min: float = SHARE_MIN,
        graph_rows_min: int = GRAPH_ROWS_MIN,
    ) -> None:
        self.dimensions = dimensions
        self._threads = threads
        self._candidate_rows = candidate_rows
        self._share_min = share_min
        self._graph_rows_min = graph_rows_min
        self._table = VectorRows(dimensions)
        self._row_of: dict[str, int] = {}
        self._ids: list[str | None] = []
        self._free: list[int] = []
        self._live = np.zeros(0, dtype=np.bool_)
        self._graph: VectorGraph | None = None
        # Built to take the place of the other one, which is used meanwhile.
        self._next_graph: VectorGraph | None = None

    def __len__(self) -> int:
        return len(self._row_of)

    def __contains__(self, lead_id: str) -> bool:
        return lead_id in self._row_of

    @property
    def size(self) -> int:
        """Rows that there are, dropped ones among them: the length of a mask."""
        return len(self._ids)

    @property
    def live(self) -> Mask:
        """Which rows hold a vector. Not to be changed."""
        return self._live[: self.size]

    @property
    def memory_bytes(self) -> int:
        """Of rows and graphs, without the ids."""
        graphs = (self._graph, self._next_graph)
        rows = self._table.capacity * (self.dimensions + np.float32().nbytes)
        return rows + sum(graph.memory_bytes for graph in graphs if graph is not None)

    def row(self, lead_id: str) -> int | None:
        return self._row_of.get(lead_id)

    def lead_id(self, row: int) -> str | None:
        """None for a row that was dropped. Raises IndexError if there is no such row."""
        return self._ids[row]

    def lead_ids(self, rows: Sequence[int] | Rows) -> list[str | None]:
        """In step with the rows; None also for -1."""
        return [self._ids[row] if row >= 0 else None for row in rows]

    def vectors(self, rows: Rows) -> Vectors:
        """(rows, dimensions), of unit length, as exactly as they are kept."""
        return self._table.vectors(rows)

    def put(self, lead_ids: Sequence[str], vectors: Vectors) -> Rows:
        """Take in (leads, dimensions) vectors, in place of those that the leads had; answers
        the rows. Rows that were dropped are used again.

        Raises ValueError for another shape, for ids that repeat, for a vector that is not
        finite or has no direction. Nothing is taken in then.
        """
        taken = self._unit(vectors)
        if len(taken) != len(lead_ids) or len(set(lead_ids)) != len(lead_ids):
            raise ValueError(f"{len(lead_ids)} ids, each once, are to go with {len(taken)} vectors")
        rows = np.array([self._row_for(lead_id) for lead_id in lead_ids], dtype=np.int64)
        if len(rows):
            self._table.write(rows, taken)
            self._forget(rows)
            self._live[rows] = True
        return rows

    def drop(self, lead_ids: Sequence[str]) -> Rows:
        """Forget these leads; answers the rows that came free. Unknown ids are passed over."""
        freed = []
        for lead_id in lead_ids:
            row = self._row_of.pop(lead_id, None)
            if row is not None:
                self._ids[row] = None
                freed.append(row)
        rows = np.array(freed, dtype=np.int64)
        self._live[rows] = False
        self._free += freed
        self._forget(rows)
        return rows

    def search(self, vectors: Vectors, k: int, mask: Mask | None = None) -> Found:
        """The `k` nearest rows to each of (queries, dimensions) vectors by cosine, among the
        rows for which `mask` is true (all rows without one).

        Raises ValueError if vectors or mask have another shape, or too much is asked for.
        """
        queries = self._unit(vectors)
        if len(queries) > QUERIES_MAX or not 0 < k <= NEAREST_MAX:
            raise ValueError(f"at most {QUERIES_MAX} vectors and {NEAREST_MAX} nearest at a time")
        if mask is not None and mask.shape != (self.size,):
            raise ValueError(f"the mask is of {mask.shape} rows; there are {self.size}")
        wanted = self.live if mask is None else self.live & mask
        rows = self._candidates(queries, k, wanted)
        if rows is None:
            rows = np.flatnonzero(wanted)
        rows = self._reviewed(queries, rows, k)
        return _nearest(queries @ self._table.vectors(rows).T, rows, k)

    def tend(self, rows_max: int) -> int:
        """Take at most `rows_max` rows into the graph; answers how many are left to take."""
        if not len(self):
            self._graph = self._next_graph = None
            return 0
        graph = self._next_graph or self._graph
        if graph is None:
            if len(self) < self._graph_rows_min:
                return 0
            graph = self._graph = self._new_graph()
        elif self._next_graph is None and graph.dead > _DEAD_SHARE_MAX * graph.entries:
            graph = self._next_graph = self._new_graph()
        waiting = np.flatnonzero(self.live & ~graph.holds(self.size))
        taken = waiting[:rows_max]
        if len(taken):
            graph.add(taken, self._table.vectors(taken))
        left = len(waiting) - len(taken)
        if not left and self._next_graph is not None:
            self._graph, self._next_graph = self._next_graph, None
        return left

    def _candidates(self, queries: Vectors, k: int, wanted: Mask) -> Rows | None:
        """Rows, ascending, among which are the nearest; None if all wanted ones are to be
        looked at."""
        selected = int(np.count_nonzero(wanted))
        if self._graph is None or not selected:
            return None
        if selected < self._share_min * len(self) and selected <= FAR_ROWS_MAX:
            return None
        asked = math.ceil(_MARGIN * (k + _REVIEWED_MORE) * self._graph.entries / selected)
        walked = len(queries) * max(asked, EXPANSION_SEARCH_MIN) * self._candidate_rows
        if asked > CANDIDATES_MAX or walked > selected:
            return None
        waiting = np.flatnonzero(wanted & ~self._graph.holds(self.size))
        if walked + len(waiting) > selected:
            return None
        near = self._graph.near(queries, asked)
        passed = (near >= 0) & wanted[np.maximum(near, 0)]
        if int(passed.sum(axis=1).min()) < k:
            return None
        return np.union1d(near[passed], waiting)

    def _reviewed(self, queries: Vectors, rows: Rows, k: int) -> Rows:
        """Of these rows those that are among the nearest to a query in eight bits, and some
        more: they are compared with the query itself."""
        count = k + max(k // 4, _REVIEWED_MORE)
        if len(rows) <= count:
            return rows
        similarities = self._table.similarities(queries, rows)
        first = np.argpartition(similarities, len(rows) - count, axis=1)[:, len(rows) - count :]
        return rows[np.unique(first)]

    def _new_graph(self) -> VectorGraph:
        rows = np.flatnonzero(self.live)
        some = rows[:: max(1, len(rows) // _FITTED_ROWS)]
        return VectorGraph(self._table.vectors(some), self._threads)

    def _row_for(self, lead_id: str) -> int:
        row = self._row_of.get(lead_id)
        if row is None:
            if self._free:
                row = self._free.pop()
                self._ids[row] = lead_id
            else:
                row = len(self._ids)
                self._ids.append(lead_id)
                if row == len(self._live):
                    more = np.zeros(BLOCK_ROWS, dtype=np.bool_)
                    self._live = np.concatenate([self._live, more])
            self._row_of[lead_id] = row
        return row

    def _forget(self, rows: Rows) -> None:
        for graph in (self._graph, self._next_graph):
            if graph is not None:
                graph.forget(rows)

    def _unit(self, vectors: Vectors) -> Vectors:
        if vectors.ndim != 2 or vectors.shape[1] != self.dimensions:
            raise ValueError(f"vectors of (n, {self.dimensions}) are taken, not {vectors.shape}")
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not (np.isfinite(lengths).all() and (lengths > 0).all()):
            raise ValueError("a vector is not finite or has no direction")
        return np.ascontiguousarray(vectors / lengths, dtype=np.float32)


def _nearest(similarities: Vectors, rows: Rows, k: int) -> Found:
    found = Found(
        np.full((len(similarities), k), -1, dtype=np.int64),
        np.full((len(similarities), k), -np.inf, dtype=np.float32),
    )
    kept = min(k, len(rows))
    if kept == 0:
        return found
    for query, each in enumerate(similarities):
        first = np.argpartition(each, len(rows) - kept)[len(rows) - kept :]
        # Equal ones in the order of their rows: an answer does not depend on how it was found.
        order = first[np.lexsort((rows[first], -each[first]))]
        found.rows[query, :kept] = rows[order]
        found.similarities[query, :kept] = each[order]
    return found
