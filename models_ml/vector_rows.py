"""Vectors of unit length as rows of eight-bit numbers, and their exact comparison with others.

A row holds its vector's components in 127ths of the largest of them. Of clustered vectors of
384 dimensions the twenty nearest by these rows are to 98 % the twenty nearest by the vectors
themselves (benchmarks/models_index.py), in a quarter of the memory.
"""

from __future__ import annotations

from typing import Final

import numkong
import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
Vectors = NDArray[np.float32]

BLOCK_ROWS: Final = 65_536
"""Rows are kept in blocks: the table grows by one without copying what is there."""
# What is gathered at a time stays in the processor's cache until it is compared.
_GATHERED_ROWS = 4_096
# With more of a block wanted, all of it is compared: that reads in order.
_WHOLE_BLOCK_SHARE = 0.5
_LARGEST = 127


class VectorRows:
    """A table of rows; a row's number stays what it is. Rows never written to are undefined."""

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions
        self._blocks: list[NDArray[np.int8]] = []
        self._steps: list[Vectors] = []

    @property
    def capacity(self) -> int:
        return len(self._blocks) * BLOCK_ROWS

    def write(self, rows: Rows, vectors: Vectors) -> None:
        """Put (rows, dimensions) unit vectors at these rows; the table grows as needed."""
        codes, steps = rounded(vectors)
        while len(rows) and rows.max() >= self.capacity:
            self._blocks.append(np.zeros((BLOCK_ROWS, self.dimensions), dtype=np.int8))
            self._steps.append(np.zeros(BLOCK_ROWS, dtype=np.float32))
        blocks, places = np.divmod(rows, BLOCK_ROWS)
        for block in np.unique(blocks):
            here = blocks == block
            self._blocks[block][places[here]] = codes[here]
            self._steps[block][places[here]] = steps[here]

    def codes(self, rows: Rows) -> NDArray[np.int8]:
        """The rows as they are kept: (rows, dimensions), each in steps of its own."""
        blocks, places = np.divmod(rows, BLOCK_ROWS)
        found = np.empty((len(rows), self.dimensions), dtype=np.int8)
        for block in np.unique(blocks):
            here = blocks == block
            found[here] = self._blocks[block][places[here]]
        return found

    def vectors(self, rows: Rows) -> Vectors:
        """The rows as vectors again, of unit length."""
        found = self.codes(rows).astype(np.float32)
        found /= np.linalg.norm(found, axis=1, keepdims=True)
        return found

    def similarities(self, vectors: Vectors, rows: Rows) -> Vectors:
        """Cosines of (queries, dimensions) unit vectors with the rows, which must ascend:
        (queries, rows)."""
        codes, steps = rounded(vectors)
        packed = numkong.dots_pack(codes)
        found = np.empty((len(vectors), len(rows)), dtype=np.float32)
        ends = np.searchsorted(rows, np.arange(1, len(self._blocks) + 1) * BLOCK_ROWS)
        start = 0
        for block, end in enumerate(ends):
            if end > start:
                places = rows[start:end] - block * BLOCK_ROWS
                self._compare(packed, block, places, found[:, start:end])
            start = end
        found *= steps[:, None]
        return found

    def _compare(self, packed: object, block: int, places: Rows, found: Vectors) -> None:
        codes, steps = self._blocks[block], self._steps[block]
        if len(places) >= _WHOLE_BLOCK_SHARE * BLOCK_ROWS:
            last = int(places[-1]) + 1
            dots = np.asarray(numkong.dots_packed(codes[:last], packed))
            np.multiply(dots[places].T, steps[places], out=found)
            return
        gathered = np.empty((min(len(places), _GATHERED_ROWS), self.dimensions), dtype=np.int8)
        for start in range(0, len(places), _GATHERED_ROWS):
            part = places[start : start + _GATHERED_ROWS]
            rows = gathered[: len(part)]
            # Another mode than the default writes into `out` without a copy between.
            np.take(codes, part, axis=0, out=rows, mode="clip")
            dots = np.asarray(numkong.dots_packed(rows, packed))
            np.multiply(dots.T, steps[part], out=found[:, start : start + len(part)])


def rounded(vectors: Vectors) -> tuple[NDArray[np.int8], Vectors]:
    """Each vector in whole steps, and its step: a component is about code * step."""
    steps = np.abs(vectors).max(axis=1) / np.float32(_LARGEST)
    codes = np.rint(vectors / np.maximum(steps, np.finfo(np.float32).tiny)[:, None])
    return np.ascontiguousarray(codes, dtype=np.int8), steps
