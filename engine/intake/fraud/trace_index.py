"""Rows by key: sorted arrays, merged as they grow, 12 bytes a key.

Of a key with many rows the same ones are found whatever the order they came in: those of the
least priority.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

KEY_BITS: Final = 40
PRIORITY_BITS: Final = 24
ROWS_PER_KEY_MAX: Final = 256
# Two segments are merged when the newer is at least this share of the older, so there are few
# of them and each key is moved a bounded number of times.
_MERGE_SHARE = 1 / 8
# Keys that wait in a dictionary until they are worth a segment.
_WAITING_MAX = 16_384
_SHIFT = np.uint64(PRIORITY_BITS)
_Segment = tuple[NDArray[np.uint64], NDArray[np.uint32]]


class TraceIndex:
    """Keys of 40 bits, priorities of 24. Nothing is ever taken out."""

    def __init__(self) -> None:
        self._segments: list[_Segment] = []
        self._waiting: dict[int, list[tuple[int, int]]] = {}
        self._waiting_count = 0

    @property
    def size_bytes(self) -> int:
        return sum(keys.nbytes + rows.nbytes for keys, rows in self._segments)

    def add(self, keys: Iterable[int], row: int, priority: int) -> None:
        for key in keys:
            self._waiting.setdefault(key, []).append((priority, row))
            self._waiting_count += 1
        if self._waiting_count >= _WAITING_MAX:
            self._store()

    def rows(self, keys: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(places in `keys`, rows) of all rows under them, at most 256 for each key."""
        found = [_found(segment, keys) for segment in self._segments]
        waiting = [
            (place, key << PRIORITY_BITS | priority, row)
            for place, key in enumerate(keys.tolist())
            for priority, row in self._waiting.get(key, ())
        ]
        columns = list(zip(*waiting, strict=True)) or [(), (), ()]
        new = (
            np.array(columns[0], dtype=np.int64),
            np.array(columns[1], dtype=np.uint64),
            np.array(columns[2], dtype=np.int64),
        )
        places, marks, rows = zip(*found, new, strict=True)
        return _least(np.concatenate(places), np.concatenate(marks), np.concatenate(rows))

    def _store(self) -> None:
        entries = [
            (key << PRIORITY_BITS | priority, row)
            for key, found in self._waiting.items()
            for priority, row in found
        ]
        marks = np.array([mark for mark, _ in entries], dtype=np.uint64)
        rows = np.array([row for _, row in entries], dtype=np.uint32)
        order = np.argsort(marks, kind="stable")
        segment = (marks[order], rows[order])
        while self._segments and len(segment[0]) >= len(self._segments[-1][0]) * _MERGE_SHARE:
            segment = _merged(self._segments.pop(), segment)
        self._segments.append(segment)
        self._waiting = {}
        self._waiting_count = 0


def _found(
    segment: _Segment, keys: NDArray[np.uint64]
) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.int64]]:
    """(places in `keys`, marks, rows) of one segment, at most the bound for each key."""
    marks, rows = segment
    start = np.searchsorted(marks, keys << _SHIFT)
    stop = np.searchsorted(marks, (keys + np.uint64(1)) << _SHIFT)
    count = np.minimum(stop - start, ROWS_PER_KEY_MAX)
    offsets = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    taken = np.repeat(start, count) + offsets
    return np.repeat(np.arange(len(keys)), count), marks[taken], rows[taken].astype(np.int64)


def _least(
    places: NDArray[np.int64], marks: NDArray[np.uint64], rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of each place the rows of the least marks."""
    order = np.lexsort((marks, places))
    places, rows = places[order], rows[order]
    starts = np.searchsorted(places, places)
    kept = np.arange(len(places)) - starts < ROWS_PER_KEY_MAX
    return places[kept], rows[kept]


def _merged(older: _Segment, newer: _Segment) -> _Segment:
    places = np.searchsorted(older[0], newer[0], side="right")
    return np.insert(older[0], places, newer[0]), np.insert(older[1], places, newer[1])
