"""Features as columns: numpy arrays that grow, one place a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.intake.resolution.features import SALE, MatchFeatures
from engine.intake.resolution.text_sketch import PLACES

Column = NDArray[Any]
Flags = NDArray[np.bool_]
Columns = Mapping[str, Column]
"""Arrays of equal length by the names of `MatchFeatures`; `text` has 24 places a row."""

CELLS = 7
# Kinds of home of which one street address holds one.
_HOUSE_SUB_TYPES = (1, 2, 7, 8)
_ROWS_FIRST = 1_024
_GROWTH = 1.5
# What is kept of a row: 137 bytes. The cells only serve to look the batch up.
DTYPES: dict[str, type[np.generic]] = {
    "identity": np.int64,
    "street_letters": np.int64,
    "source": np.uint32,
    "number": np.uint32,
    "street": np.uint32,
    "whole_street": np.uint32,
    "unit": np.uint32,
    "postal_code": np.uint32,
    "phone": np.uint32,
    "email": np.uint32,
    "name": np.uint32,
    "parcel": np.uint32,
    "listing": np.uint32,
    "letters": np.uint32,
    "latitude": np.int32,
    "longitude": np.int32,
    "area": np.int32,
    "lot": np.int32,
    "price": np.int32,
    "year": np.int16,
    "bedrooms": np.int16,
    "half_bathrooms": np.int16,
    "stable_ids": np.bool_,
    "kind": np.uint8,
    "sub_type": np.uint8,
}


def columns_of(batch: Sequence[MatchFeatures]) -> dict[str, Column]:
    """The batch as columns, `cells` (7 a row, 0 where unknown) among them."""
    columns: dict[str, Column] = {
        name: np.array([getattr(each, name) for each in batch], dtype=dtype)
        for name, dtype in DTYPES.items()
    }
    columns["text"] = _unpacked([each.text for each in batch], "<u2", PLACES)
    columns["cells"] = _unpacked([each.cells for each in batch], "<u4", CELLS)
    return columns


def is_house(columns: Columns) -> Flags:
    """Whether a row is a home that has a street address to itself. A home for sale of
    unknown kind counts, one for rent may be a flat."""
    unknown = (columns["sub_type"] == 0) & (columns["kind"] == SALE)
    house: Flags = np.isin(columns["sub_type"], _HOUSE_SUB_TYPES) | unknown
    return house


def has_text(sketches: Column) -> Flags:
    told: Flags = sketches.max(axis=1) > 0
    return told


def _unpacked(cells: Sequence[bytes], dtype: str, width: int) -> Column:
    """One row for each text, zeros for an empty one or what an H3 pentagon lacks."""
    length = np.dtype(dtype).itemsize * width
    packed = b"".join(each.ljust(length, b"\0") for each in cells)
    return np.frombuffer(packed, dtype=dtype).reshape(len(cells), width)


class Table:
    """All rows of a market. Arrays grow by half when they are full."""

    def __init__(self) -> None:
        self.size = 0
        self._arrays: dict[str, Column] = {
            name: np.zeros(0, dtype=dtype) for name, dtype in DTYPES.items()
        }
        self._arrays["text"] = np.zeros((0, PLACES), dtype=np.uint16)

    def append(self, columns: Columns) -> int:
        """Add the columns' rows; the number of the first of them."""
        first, added = self.size, len(columns["identity"])
        if first + added > len(self._arrays["identity"]):
            self._grow(first + added)
        for name, array in self._arrays.items():
            array[first : first + added] = columns[name]
        self.size += added
        return first

    def take(self, rows: NDArray[np.intp]) -> dict[str, Column]:
        return {name: array[rows] for name, array in self._arrays.items()}

    def _grow(self, rows: int) -> None:
        capacity = max(rows, _ROWS_FIRST, int(len(self._arrays["identity"]) * _GROWTH))
        for name, array in self._arrays.items():
            larger = np.empty((capacity, *array.shape[1:]), dtype=array.dtype)
            larger[: self.size] = array[: self.size]
            self._arrays[name] = larger
