"""Connected parts, whatever the order of the edges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.intake.resolution import partition

EDGES = st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=40)


def test_chains_are_one_part_named_by_its_least_row() -> None:
    assert partition([(4, 3), (1, 3), (0, 5)], 7) == [0, 1, 2, 1, 1, 0, 6]


@given(EDGES, st.randoms(use_true_random=False))
def test_order_and_direction_of_edges_do_not_matter(edges: list[tuple[int, int]], rng) -> None:
    shuffled = [edge[:: rng.choice((1, -1))] for edge in rng.sample(edges, len(edges))]
    assert partition(shuffled, 20) == partition(edges, 20)


def test_edges_outside_are_refused() -> None:
    with pytest.raises(IndexError):
        partition([(0, 3)], 3)
    with pytest.raises(IndexError):
        partition([(-1, 0)], 3)
