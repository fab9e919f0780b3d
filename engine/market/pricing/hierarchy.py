"""The segments' chains of parents level by level, for sums up and estimates down the tree."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from engine.market.pricing.normal_curve import Floats

Places = npt.NDArray[np.intp]


class HasParents(Protocol):
    @property
    def parents(self) -> npt.NDArray[np.int32]:
        """The parent of each segment, -1 of the root, which is the first; grows at its end."""


class Hierarchy:
    """`levels[0]` are the root's children, `levels[1]` theirs, and so on; root excluded."""

    def __init__(self, segments: HasParents) -> None:
        self._segments = segments
        self.parents: Places = np.zeros(0, np.intp)
        self.levels: list[Places] = []
        # The root's child that each segment is or belongs to; 0 of the root.
        self.branch: Places = np.zeros(0, np.intp)
        self.follow()

    def __len__(self) -> int:
        return len(self.parents)

    def follow(self) -> None:
        """Take in segments that are new. Raises ValueError if they have no path to the root."""
        parents = self._segments.parents
        if len(parents) == len(self.parents):
            return
        self.parents = parents.astype(np.intp)
        if self.parents[0] != -1 or (self.parents[1:] < 0).any():
            raise ValueError("only the first segment has no parent")
        depth = np.zeros(len(parents), np.intp)
        while True:
            deeper = depth[self.parents] + 1
            deeper[0] = 0
            if (deeper == depth).all():
                break
            if deeper.max() >= len(parents):
                raise ValueError("the chain of a segment's parents is a circle")
            depth = deeper
        self.levels = [np.flatnonzero(depth == level) for level in range(1, int(depth.max()) + 1)]
        self.branch = np.arange(len(parents))
        for rows in self.levels[1:]:
            self.branch[rows] = self.branch[self.parents[rows]]

    def add_to_parents(self, rows: Places, values: Floats, totals: Floats) -> None:
        """Add `values` of the segments in `rows` to the totals of their parents."""
        totals += np.bincount(self.parents[rows], values, len(self))

    def sums(self, values: Floats) -> Floats:
        """Of each segment with all below it."""
        totals = values.astype(np.float64)
        for rows in reversed(self.levels):
            self.add_to_parents(rows, totals[rows], totals)
        return totals

    def widened(self, column: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """A column [..., segments] with zeros for segments it doesn't have yet."""
        missing = len(self) - column.shape[-1]
        if missing < 0:
            raise ValueError(f"{column.shape[-1]} segments were kept, {len(self)} are known")
        if not missing:
            return column
        return np.concatenate((column, np.zeros((*column.shape[:-1], missing), column.dtype)), -1)
