"""How many of the truly nearest leads the index finds, behind masks as requests make them."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models_ml.recommend.recommend import NEAREST
from models_ml.recommend.replay import LISTED
from models_ml.recommend.settings import INTERESTS_MAX
from models_ml.recommend.shelf import index_of
from models_ml.vector_index import GRAPH_ROWS_MIN, VectorIndex

QUERIES: Final = 100
ROWS: Final = GRAPH_ROWS_MIN + 10_000
"""With so many there is a graph; with fewer every answer is exact."""
SHARES: Final = (1.0, 0.7, 0.1)
_SPREAD: Final = 0.35
_SEED: Final = 41


class Recall(NamedTuple):
    """`share` of the rows pass the mask. Of the truly nearest LISTED, on average: `found` among as
    many as the recommender takes of each interest, `found_alone` if no more than LISTED are
    asked for."""

    share: float
    found: float
    found_alone: float


def recall_of(vectors: NDArray[np.float32], rows: int = ROWS) -> list[Recall]:
    """Of an index of `rows` vectors scattered around these, for queries scattered alike."""
    rng = np.random.default_rng(_SEED)
    kept = scattered(vectors, rows, rng)
    index = index_of(vectors.shape[1])
    for start in range(0, rows, 5_000):
        part = kept[start : start + 5_000]
        index.put([str(start + n) for n in range(len(part))], part)
    while index.tend(5_000):
        pass
    queries = scattered(vectors, QUERIES, rng)
    exact = queries @ kept.T
    found = []
    for share in SHARES:
        mask = rng.random(rows) < share
        truth = np.argsort(-np.where(mask, exact, -np.inf), axis=1)[:, :LISTED]
        asked = (NEAREST, LISTED)
        found.append(Recall(share, *(_found(index, queries, k, mask, truth) for k in asked)))
    return found


def _found(
    index: VectorIndex,
    queries: NDArray[np.float32],
    k: int,
    mask: NDArray[np.bool_],
    truth: NDArray[np.int64],
) -> float:
    """The share of the true rows among the `k` that the index answers."""
    hits = 0
    # As many queries at a time as a buyer has interests.
    for start in range(0, len(queries), INTERESTS_MAX):
        rows = index.search(queries[start : start + INTERESTS_MAX], k, mask).rows
        for answered, true in zip(rows.tolist(), truth[start:].tolist(), strict=False):
            hits += len(set(answered) & set(true))
    return hits / truth.size


def scattered(
    vectors: NDArray[np.float32], count: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Unit vectors around some of these: clusters as leads make them."""
    some = vectors[rng.integers(0, len(vectors), count)]
    noise = rng.normal(0.0, _SPREAD / np.sqrt(vectors.shape[1]), some.shape)
    moved = some + noise.astype(np.float32)
    return np.asarray(moved / np.linalg.norm(moved, axis=1, keepdims=True), dtype=np.float32)
