"""What the index of vectors finds and how long it takes, beside comparing all of them.

    python -m benchmarks.models_index [--rows 200000] [--queries 200]

Vectors of 384 dimensions scattered around 2,000 centres. The twenty nearest to each query, one
query at a time, among all rows and among those that a filter lets through: at random, or those
around some of the centres, which a filter by kind or place is rather like. Beside the index the
same by comparing all rows in float32 (numpy), on the same machine in the same run: CPU time of
the process. Recall is the share of the exact twenty that is found; also of comparing all rows as
they are kept, in eight bits, which is the most that the index could find.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.models_recommend import CENTRES, DIMENSIONS, around
from models_ml.vector_index import VectorIndex

NEAREST = 20
BLOCK = 10_000
SHARES = (1.0, 0.5, 0.1, 0.01)

Mask = NDArray[np.bool_]
Rows = NDArray[np.int64]


class Run(NamedTuple):
    """Rows found by each query, and its milliseconds of CPU."""

    rows: list[Rows]
    times: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.times)

    @property
    def p99(self) -> float:
        return sorted(self.times)[int(0.99 * len(self.times))]


def run(queries: NDArray[np.float32], search: Callable[[NDArray[np.float32]], Rows]) -> Run:
    found, times = [], []
    for query in queries:
        used = time.process_time()
        found.append(search(query[None, :]))
        times.append((time.process_time() - used) * 1e3)
    return Run(found, times)


def recall(found: Run, exact: Run) -> float:
    pairs = zip(found.rows, exact.rows, strict=True)
    return statistics.mean(len(np.intersect1d(*pair)) / len(pair[1]) for pair in pairs)


def nearest(cosines: NDArray[np.float32], rows: Rows) -> Rows:
    return rows[np.argpartition(-cosines, NEAREST)[:NEAREST]]


def masks(centres: NDArray[np.int64], rng: np.random.Generator) -> dict[str, Mask]:
    found = {"all rows": np.ones(len(centres), dtype=np.bool_)}
    for share in SHARES[1:]:
        found[f"{share:.0%} at random"] = rng.random(len(centres)) < share
        kept = rng.permutation(CENTRES)[: int(CENTRES * share)]
        found[f"{share:.0%} of the centres"] = np.isin(centres, kept)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--queries", type=int, default=200)
    options = parser.parse_args()
    rng = np.random.default_rng(11)
    centres = rng.integers(0, CENTRES, options.rows)
    vectors = np.empty((options.rows, DIMENSIONS), dtype=np.float32)
    index = VectorIndex(DIMENSIONS, threads=2)
    used = time.process_time()
    for start in range(0, options.rows, BLOCK):
        part = slice(start, min(start + BLOCK, options.rows))
        vectors[part] = around(centres[part], rng)
        index.put([str(n) for n in range(part.start, part.stop)], vectors[part])
    while index.tend(BLOCK):
        pass
    print(
        f"{options.rows:,} rows in {time.process_time() - used:.0f} s of CPU;"
        f" {index.memory_bytes / 1e6:,.0f} MB, in float32 {vectors.nbytes / 1e6:,.0f} MB"
    )
    print("| rows allowed | recall@20 | in eight bits | index, ms CPU | float32, ms CPU | ratio |")
    print("|---|---|---|---|---|---|")
    queries = around(rng.integers(0, CENTRES, options.queries), rng)
    for name, mask in masks(centres, rng).items():
        report(name, index, vectors, queries, mask)


def report(
    name: str,
    index: VectorIndex,
    vectors: NDArray[np.float32],
    queries: NDArray[np.float32],
    mask: Mask,
) -> None:
    rows = np.flatnonzero(mask)
    # A copy of the allowed rows, made beforehand: the best case of comparing them all.
    kept = vectors if len(rows) == len(vectors) else vectors[rows]
    exact = run(queries, lambda query: nearest((kept @ query[0]), rows))
    ours = run(queries, lambda query: index.search(query, NEAREST, mask).rows[0])
    table = index._table
    eight = run(queries, lambda query: nearest(table.similarities(query, rows)[0], rows))
    print(
        f"| {name} ({len(rows):,}) | {recall(ours, exact):.3f} | {recall(eight, exact):.3f}"
        f" | {ours.median:.2f}, p99 {ours.p99:.2f} | {exact.median:.2f}, p99 {exact.p99:.2f}"
        f" | {exact.median / ours.median:.1f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
