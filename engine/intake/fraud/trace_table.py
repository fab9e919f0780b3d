"""What is kept of each trace, as columns: numpy arrays that grow, one place a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine.intake.fraud.trace_index import KEY_BITS
from engine.intake.resolution import MatchFeatures
from engine.intake.resolution.text_sketch import PLACES

PICTURES_MAX: Final = 24
Rows = NDArray[np.int64]

# `door` is the street address without its unit; all but the times are hashes or whole numbers.
_DTYPES: Final[dict[str, type[np.generic]]] = {
    "identity": np.int64,
    "seen_us": np.int64,
    "lead": np.uint32,
    "market": np.uint16,
    "source": np.uint32,
    "kind": np.uint8,
    "door": np.uint64,
    "unit": np.uint32,
    "postal_code": np.uint32,
    "latitude": np.int32,
    "longitude": np.int32,
    "price": np.int32,
    "phone": np.uint32,
    "email": np.uint32,
    "name": np.uint32,
    "listing": np.uint32,
    "letters": np.uint32,
}
_AS_STATED = (
    *("identity", "source", "kind", "unit", "postal_code", "latitude", "longitude", "price"),
    *("phone", "email", "name", "listing", "letters"),
)
# What is looked up by one value, and what else is looked up.
VALUES: Final = ("phone", "email", "name", "door", "listing", "postal_code", "letters")
FAMILIES: Final = (*VALUES, "text", "picture")
_TEXT, _PICTURE = FAMILIES.index("text"), FAMILIES.index("picture")
# Two texts of which half is alike share one of these triples of minima in two cases of
# three, of which seven tenths are alike in 97 of 100.
_TEXT_BANDS = tuple(range(0, PLACES, 3))
_ROWS_FIRST = 1_024
_GROWTH = 1.5
_64_BITS = (1 << 64) - 1
_MULTIPLIER = 0x9E3779B97F4A7C15


class Columns:
    """Some rows of a table; a column is only taken out when it is asked for."""

    __slots__ = ("_known", "_of", "rows")

    def __init__(self, of: dict[str, NDArray[Any]], rows: Rows) -> None:
        self._of = of
        self._known: dict[str, NDArray[Any]] = {}
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> NDArray[Any]:
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = self._of[name][self.rows]
        return found

    def only(self, which: NDArray[Any]) -> Columns:
        """Those of a mask, or of places among these rows."""
        return Columns(self._of, self.rows[which])


class TraceTable:
    """Rows by number. Pictures are kept beside the columns: few records have any."""

    def __init__(self) -> None:
        self.size = 0
        self._columns: dict[str, NDArray[Any]] = {
            name: np.zeros(0, dtype=dtype) for name, dtype in _DTYPES.items()
        } | {"text": np.zeros((0, PLACES), dtype=np.uint16)}
        self._pictures: list[bytes] = []

    @property
    def size_bytes(self) -> int:
        rows = sum(array.nbytes for array in self._columns.values())
        return rows + sum(len(each) for each in self._pictures)

    def append(self, features: MatchFeatures, *, lead: int, market: int, seen_us: int) -> int:
        """Add a row; its number."""
        row = self.size
        if row == len(self._columns["lead"]):
            self._grow()
        columns = self._columns
        for name in _AS_STATED:
            columns[name][row] = getattr(features, name)
        columns["door"][row] = door_hash(features)
        if features.text:
            columns["text"][row] = np.frombuffer(features.text, dtype="<u2")
        self._pictures.append(features.images[: 4 * PICTURES_MAX])
        self.size += 1
        self.place(row, lead=lead, market=market, seen_us=seen_us)
        return row

    def keys(self, row: int) -> Iterator[tuple[int, int]]:
        """(place in `FAMILIES`, key of 40 bits) of all that the row tells."""
        values = (int(self._columns[name][row]) for name in VALUES)
        sketch: list[int] = self._columns["text"][row].tolist()
        return _keys_of(values, sketch, set(self.pictures(row).tolist()))

    def place(self, row: int, *, lead: int, market: int, seen_us: int) -> None:
        """Say anew to which lead a row belongs, where and when."""
        self._columns["lead"][row] = lead
        self._columns["market"][row] = market
        self._columns["seen_us"][row] = seen_us

    def belong(self, rows: list[int], lead: int) -> None:
        self._columns["lead"][rows] = lead

    def take(self, rows: Rows) -> Columns:
        return Columns(self._columns, rows)

    def lead(self, row: int) -> int:
        return int(self._columns["lead"][row])

    def pictures(self, row: int) -> NDArray[np.uint32]:
        return np.frombuffer(self._pictures[row], dtype="<u4")

    def _grow(self) -> None:
        capacity = max(_ROWS_FIRST, int(self.size * _GROWTH))
        for name, array in self._columns.items():
            larger = np.zeros((capacity, *array.shape[1:]), dtype=array.dtype)
            larger[: self.size] = array
            self._columns[name] = larger


def door_hash(features: MatchFeatures) -> int:
    """64 bits of house number and street, 0 unless both are told."""
    if not features.number or not features.street:
        return 0
    return _mixed(features.number << 32 | features.street)


def _keys_of(
    values: Iterable[int], sketch: Sequence[int], pictures: Iterable[int]
) -> Iterator[tuple[int, int]]:
    """(place in `FAMILIES`, key of 40 bits) of all that a trace tells.

    `values` are of `VALUES` in their order, `sketch` the minima of its text, which may be all 0.
    """
    for family, value in enumerate(values):
        if value:
            yield family, _key(family, value)
    if any(sketch):
        for band in _TEXT_BANDS:
            first, second, third = sketch[band : band + 3]
            yield _TEXT, _key(_TEXT, band << 48 | first << 32 | second << 16 | third)
    for picture in pictures:
        yield _PICTURE, _key(_PICTURE, picture)


def _key(family: int, value: int) -> int:
    return _mixed(_mixed(value) + family + 1) >> (64 - KEY_BITS)


def _mixed(value: int) -> int:
    mixed = ((value ^ (value >> 31)) * _MULTIPLIER) & _64_BITS
    return ((mixed ^ (mixed >> 29)) * _MULTIPLIER) & _64_BITS
