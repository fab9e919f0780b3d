"""Blocking keys of all known rows: sorted arrays, merged as they grow, 8 bytes a key."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.intake.resolution.blocking import Keys

# Two segments are merged when the newer is at least this share of the older, so there
# are few of them and each key is moved a bounded number of times.
_MERGE_SHARE = 1 / 8
BLOCK_ROWS_MAX = 4_000


class Index:
    """Rows by key. `capped` counts look-ups of blocks above `BLOCK_ROWS_MAX` rows, of
    which only the oldest rows are returned: the one case in which order could matter."""

    def __init__(self) -> None:
        self._segments: list[tuple[NDArray[np.uint32], NDArray[np.uint32]]] = []
        self.capped = 0

    @property
    def size_bytes(self) -> int:
        return sum(keys.nbytes + rows.nbytes for keys, rows in self._segments)

    def add(self, keys: Keys, first_row: int) -> None:
        """Add keys of rows counted from `first_row`."""
        hashes, rows = keys
        order = np.argsort(hashes, kind="stable")
        segment = (hashes[order], (rows[order] + first_row).astype(np.uint32))
        while self._segments and len(segment[0]) >= len(self._segments[-1][0]) * _MERGE_SHARE:
            segment = _merged(self._segments.pop(), segment)
        self._segments.append(segment)

    def pairs(self, sought: Keys) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(rows of `sought`, known rows) that share a key, each pair once."""
        hashes, rows = sought
        order = np.argsort(hashes)
        hashes, rows = hashes[order], rows[order]
        found = [self._pairs_in(segment, hashes, rows) for segment in self._segments]
        if not found:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        both = np.unique(np.concatenate(found))
        return both >> 32, both & 0xFFFFFFFF

    def _pairs_in(
        self,
        segment: tuple[NDArray[np.uint32], NDArray[np.uint32]],
        hashes: NDArray[np.uint32],
        rows: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """Pairs as one number each: the sought row in the upper half, the known one below."""
        keys, known = segment
        start = np.searchsorted(keys, hashes)
        hit = keys[np.minimum(start, len(keys) - 1)] == hashes
        start, hashes, rows = start[hit], hashes[hit], rows[hit]
        count = np.searchsorted(keys, hashes, side="right") - start
        self.capped += int((count > BLOCK_ROWS_MAX).sum())
        count = np.minimum(count, BLOCK_ROWS_MAX)
        offsets = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        met = known[np.repeat(start, count) + offsets].astype(np.int64)
        pairs: NDArray[np.int64] = np.repeat(rows, count) << 32 | met
        return pairs


def _merged(
    older: tuple[NDArray[np.uint32], NDArray[np.uint32]],
    newer: tuple[NDArray[np.uint32], NDArray[np.uint32]],
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Both in order; the older first among equal keys, so rows ascend within a block."""
    places = np.searchsorted(older[0], newer[0], side="right")
    return np.insert(older[0], places, newer[0]), np.insert(older[1], places, newer[1])
