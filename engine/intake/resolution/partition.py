"""Leads as the connected parts of what was judged to be the same."""

from __future__ import annotations

from collections.abc import Iterable


def partition(edges: Iterable[tuple[int, int]], n: int) -> list[int]:
    """For each of `n` rows the least row of its part: equal numbers are one lead.

    The order of the edges does not matter. Raises IndexError for an edge outside `n`.
    """
    parent = list(range(n))
    for one, other in edges:
        a, b = _root(parent, one), _root(parent, other)
        # The least row leads, so that the answer does not depend on who came first.
        parent[max(a, b)] = min(a, b)
    return [_root(parent, row) for row in range(n)]


def _root(parent: list[int], row: int) -> int:
    if row < 0:
        raise IndexError(f"row {row} is negative")
    while parent[row] != row:
        parent[row] = parent[parent[row]]
        row = parent[row]
    return row
