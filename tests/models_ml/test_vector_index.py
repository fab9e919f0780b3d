"""The nearest vectors behind a mask, against a search that looks at every one of them."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models_ml.vector_graph import VectorGraph
from models_ml.vector_index import NEAREST_MAX, QUERIES_MAX, VectorIndex
from models_ml.vector_rows import BLOCK_ROWS, VectorRows, rounded

Vectors = NDArray[np.float32]
# What eight bits may move a cosine by.
ROUNDING = 0.01


def clustered(count: int, dimensions: int, seed: int, clusters: int = 40) -> Vectors:
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((clusters, dimensions))
    found = centres[rng.integers(0, clusters, count)]
    found = found + 0.7 * rng.standard_normal((count, dimensions))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def exact(queries: Vectors, vectors: Vectors, mask: NDArray[np.bool_], k: int) -> Vectors:
    """(queries, k) cosines of the nearest that the mask lets through, the best first."""
    cosines = np.where(mask, queries @ vectors.T, -np.inf)
    return -np.sort(-cosines, axis=1)[:, :k]


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(1, 300),
    dimensions=st.integers(2, 48),
    share=st.floats(0, 1),
    k=st.integers(1, 30),
    seed=st.integers(0, 10_000),
)
def test_a_scan_finds_the_nearest_of_those_that_the_mask_lets_through(
    count: int, dimensions: int, share: float, k: int, seed: int
) -> None:
    vectors = clustered(count, dimensions, seed)
    index = VectorIndex(dimensions)
    index.put([f"n{n}" for n in range(count)], vectors)
    mask = np.random.default_rng(seed).random(count) < share
    found = index.search(vectors[:3], k, mask)
    kept = min(k, int(mask.sum()))
    assert (found.rows[:, kept:] == -1).all()
    assert np.isneginf(found.similarities[:, kept:]).all()
    if kept:
        assert mask[found.rows[:, :kept]].all()
        nearest = exact(vectors[:3], vectors, mask, kept)
        assert np.abs(found.similarities[:, :kept] - nearest).max() < 2 * ROUNDING
        assert (np.diff(found.similarities[:, :kept], axis=1) <= 0).all()


# What is done to an index: put some ids, drop some, take some rows into the graph.
_IDS = st.lists(st.integers(0, 79), min_size=1, max_size=40, unique=True)
_DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), _IDS),
        st.tuples(st.just("drop"), _IDS),
        st.tuples(st.just("tend"), st.integers(1, 60)),
    ),
    min_size=3,
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(deeds=_DEEDS, seed=st.integers(0, 10_000))
def test_whatever_came_before_an_index_answers_by_what_it_holds_now(
    deeds: list[tuple[str, list[int] | int]], seed: int
) -> None:
    index = VectorIndex(16, candidate_rows=0, share_min=0.0, graph_rows_min=10)
    held: dict[str, Vectors] = {}
    rows_of: dict[str, int] = {}
    for step, (deed, what) in enumerate(deeds):
        if deed == "tend":
            assert isinstance(what, int)
            assert index.tend(what) >= 0
        else:
            assert isinstance(what, list)
            ids = [f"n{n}" for n in what]
            if deed == "drop":
                index.drop(ids)
                for each in ids:
                    held.pop(each, None)
                    rows_of.pop(each, None)
            else:
                vectors = clustered(len(ids), 16, seed + step)
                for each, row in zip(ids, index.put(ids, vectors), strict=True):
                    assert rows_of.setdefault(each, int(row)) == row, "a lead keeps its row"
                held |= dict(zip(ids, vectors, strict=True))
        assert len(index) == len(held)
        assert {index.lead_id(row) for row in np.flatnonzero(index.live)} == set(held)
        if not held:
            continue
        ids = list(held)
        query = clustered(1, 16, seed + 1000 + step)
        k = min(5, len(ids))
        found = index.search(query, k)
        known = np.stack([held[each] for each in ids])
        nearest = exact(query, known, np.ones(len(ids), dtype=np.bool_), k)
        assert np.abs(found.similarities - nearest).max() < 2 * ROUNDING
        for lead_id, cosine in zip(
            index.lead_ids(found.rows[0]), found.similarities[0], strict=True
        ):
            assert lead_id is not None
            assert abs(float(held[lead_id] @ query[0]) - cosine) < ROUNDING


@pytest.fixture(scope="module")
def grown() -> tuple[VectorIndex, Vectors]:
    """6,000 rows in a graph, but for the last hundred."""
    vectors = clustered(6_000, 64, seed=3)
    index = VectorIndex(64, candidate_rows=0, share_min=0.0, graph_rows_min=1_000)
    ids = [f"n{n}" for n in range(6_000)]
    index.put(ids[:5_900], vectors[:5_900])
    while index.tend(1_000):
        pass
    index.put(ids[5_900:], vectors[5_900:])
    return index, vectors


@pytest.mark.parametrize("share", [1.0, 0.5, 0.1, 0.02, 0.001])
def test_a_mask_costs_no_nearness(grown: tuple[VectorIndex, Vectors], share: float) -> None:
    index, vectors = grown
    rng = np.random.default_rng(11)
    queries = vectors[rng.integers(0, 6_000, 40)]
    mask = rng.random(6_000) < share
    mask[5_999] = True
    found = index.search(queries, 20, mask)
    wanted = np.argsort(-np.where(mask, queries @ vectors.T, -np.inf), axis=1)[:, :20]
    kept = min(20, int(mask.sum()))
    hits = [len(set(a[:kept]) & set(b[:kept])) for a, b in zip(found.rows, wanted, strict=True)]
    assert sum(hits) / (40 * kept) >= 0.95


def test_vectors_that_are_all_alike_are_told_apart() -> None:
    """As texts of one kind have them: mostly one direction, and a little of their own."""
    rng = np.random.default_rng(6)
    vectors = clustered(6_000, 96, seed=9, clusters=600) + 4.0 * clustered(1, 96, seed=1)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index = VectorIndex(96, candidate_rows=0, share_min=0.0, graph_rows_min=1_000)
    index.put([f"n{n}" for n in range(6_000)], vectors)
    while index.tend(1_000):
        pass
    queries = vectors[rng.integers(0, 6_000, 40)]
    wanted = np.argsort(-queries @ vectors.T, axis=1)[:, :20]
    found = index.search(queries, 20).rows
    assert sum(len(set(a) & set(b)) for a, b in zip(found, wanted, strict=True)) / 800 >= 0.95


def test_far_from_the_query_behind_a_narrow_mask_rows_are_compared() -> None:
    """Clusters far apart, and a mask that lets none of the query's own through."""
    rng = np.random.default_rng(2)
    centres = rng.standard_normal((300, 64))
    owner = rng.integers(0, 300, 6_000)
    vectors = (centres[owner] + 0.3 * rng.standard_normal((6_000, 64))).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index = VectorIndex(64, candidate_rows=0, graph_rows_min=1_000)
    index.put([f"n{n}" for n in range(6_000)], vectors)
    while index.tend(1_000):
        pass
    mask = owner % 5 == 0
    queries = vectors[np.flatnonzero(owner % 5 == 1)[:40]]
    wanted = np.argsort(-np.where(mask, queries @ vectors.T, -np.inf), axis=1)[:, :20]
    found = index.search(queries, 20, mask).rows
    assert sum(len(set(a) & set(b)) for a, b in zip(found, wanted, strict=True)) / 800 >= 0.95


def test_what_the_graph_has_not_taken_in_is_found_all_the_same(
    grown: tuple[VectorIndex, Vectors],
) -> None:
    index, vectors = grown
    found = index.search(vectors[5_900:5_964], 1)
    assert found.rows[:, 0].tolist() == list(range(5_900, 5_964))


def test_a_mask_away_from_the_query_is_answered_all_the_same(
    grown: tuple[VectorIndex, Vectors],
) -> None:
    """The graph's candidates are all masked out: nothing near is wanted, only what is far."""
    index, vectors = grown
    cosines = vectors[0] @ vectors.T
    mask = cosines < np.quantile(cosines, 0.3)
    found = index.search(vectors[:1], 20, mask)
    assert mask[found.rows[0]].all()
    nearest = exact(vectors[:1], vectors, mask, 20)
    assert np.abs(cosines[found.rows[0]] - nearest[0]).max() < ROUNDING


def test_a_graph_that_is_mostly_dead_is_built_anew_while_the_old_one_serves() -> None:
    vectors = clustered(2_000, 32, seed=5)
    index = VectorIndex(32, candidate_rows=0, share_min=0.0, graph_rows_min=500)
    ids = [f"n{n}" for n in range(2_000)]
    index.put(ids, vectors)
    while index.tend(500):
        pass
    before = index._graph
    index.put(ids[:1_200], np.roll(vectors[:1_200], 1, axis=0))
    assert index.tend(400) > 0
    assert index._graph is before
    answer = index.search(vectors[1_500:1_501], 1)
    assert answer.rows[0, 0] == 1_500
    while index.tend(400):
        pass
    graph = index._graph
    assert isinstance(graph, VectorGraph)
    assert graph is not before
    assert (graph.dead, graph.entries) == (0, 2_000)
    assert index.search(vectors[7:8], 1).rows[0, 0] == 8


def test_rows_that_came_free_are_used_again_and_stay_below_the_mask() -> None:
    index = VectorIndex(8)
    vectors = clustered(6, 8, seed=1)
    index.put(["a", "b", "c"], vectors[:3])
    assert index.drop(["b", "unknown"]).tolist() == [1]
    assert (index.size, len(index), "b" in index, index.lead_id(1)) == (3, 2, False, None)
    assert index.put(["d"], vectors[3:4]).tolist() == [1]
    assert index.lead_ids(index.search(vectors[3:4], 3).rows[0])[0] == "d"
    assert index.put(["a"], vectors[5:6]).tolist() == [0]
    assert float(index.search(vectors[5:6], 1).similarities[0, 0]) > 0.99


def test_rows_go_on_over_the_end_of_a_block() -> None:
    table = VectorRows(4)
    vectors = clustered(10, 4, seed=2)
    rows = np.arange(BLOCK_ROWS - 5, BLOCK_ROWS + 5)
    table.write(rows, vectors)
    assert table.capacity == 2 * BLOCK_ROWS
    assert np.abs(table.vectors(rows) - vectors).max() < ROUNDING
    assert np.abs(table.similarities(vectors, rows) - vectors @ vectors.T).max() < ROUNDING
    every = np.arange(BLOCK_ROWS - 5)
    table.write(every, np.resize(vectors, (len(every), 4)))
    whole = table.similarities(vectors[:2], np.arange(BLOCK_ROWS + 5))
    assert np.abs(whole[:, -10:] - vectors[:2] @ vectors.T).max() < ROUNDING


def test_rounding_keeps_zero_and_direction() -> None:
    codes, steps = rounded(np.array([[0.0, 0.0], [-1.0, 0.5]], dtype=np.float32))
    assert codes.tolist() == [[0, 0], [-127, 64]]
    assert steps[0] == 0


def test_what_is_no_vector_or_no_mask_is_refused_and_nothing_is_taken_in() -> None:
    index = VectorIndex(3)
    one = np.array([[1, 0, 0]], dtype=np.float32)
    with pytest.raises(ValueError, match=r"vectors of \(n, 3\)"):
        index.put(["a"], np.ones((1, 4), dtype=np.float32))
    with pytest.raises(ValueError, match="no direction"):
        index.put(["a", "b"], np.array([[1, 0, 0], [0, 0, 0]], dtype=np.float32))
    with pytest.raises(ValueError, match="not finite"):
        index.put(["a"], np.array([[np.nan, 0, 0]], dtype=np.float32))
    with pytest.raises(ValueError, match="each once"):
        index.put(["a", "a"], np.vstack([one, one]))
    assert (len(index), index.size) == (0, 0)
    assert index.search(one, 2).rows.tolist() == [[-1, -1]]
    index.put(["a"], one)
    with pytest.raises(ValueError, match="the mask is of"):
        index.search(one, 1, np.ones(2, dtype=np.bool_))
    with pytest.raises(ValueError, match="at a time"):
        index.search(np.repeat(one, QUERIES_MAX + 1, axis=0), 1)
    with pytest.raises(ValueError, match="at a time"):
        index.search(one, NEAREST_MAX + 1)


def test_index_and_encoder_can_be_loaded_into_one_process_in_either_order() -> None:
    names = ["models_ml.vector_index", "models_ml.embedding.embedder"]
    for order in (names, names[::-1]):
        done = subprocess.run(
            [sys.executable, "-c", f"import {', '.join(order)}"], capture_output=True, check=False
        )
        assert done.returncode == 0, (order, done.stderr)
