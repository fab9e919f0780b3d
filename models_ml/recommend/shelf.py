"""The leads of one market that can be recommended now: facts, popularity and vectors, by row."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.market.sphere import Vector, chord_squared, chord_squared_of, unit_vector
from models_ml.recommend.facts import Facts, Floats, Kinds, Row, facts_of, is_any_of
from models_ml.recommend.greatest import greatest
from models_ml.vector_index import VectorIndex

Rows = NDArray[np.int64]
_GROWTH: Final = 1.5
_FIRST_ROWS: Final = 1_024
PARTED_MAX: Final = 20_000
# Of what counted towards a lead's popularity, half is left after a day.
POPULARITY_HALF_LIFE_US: Final = 86_400_000_000


class Asked(NamedTuple):
    """Bounds of what may be recommended: metres around (latitude, longitude) in degrees, property
    types, and leads that are not to be shown to this buyer."""

    near: tuple[float, float] | None = None
    radius_m: float | None = None
    property_types: tuple[str, ...] = ()
    without: frozenset[str] = frozenset()


class Shelf:
    """One market's available leads. A lead without a vector is recommended by its facts."""

    def __init__(self, market: str, kinds: Kinds, dimensions: int) -> None:
        self.market = market
        self.dimensions = dimensions
        self.index = index_of(dimensions)
        self._kinds = kinds
        self._row_of: dict[str, int] = {}
        self._ids: list[str | None] = []
        self._free: list[int] = []
        self._columns = facts_of([])
        self._there = np.zeros(0, dtype=np.bool_)
        # Popularity as it was at `_wanted_at` (µs).
        self._wanted = np.zeros(0)
        self._wanted_at = np.zeros(0, dtype=np.int64)
        # What orders leads by popularity at any time: the logarithm of it, were it to grow
        # with age and not to fade; minus infinity for those that nobody wanted.
        self._fame = np.zeros(0)
        # The same of leads that went a while ago: one that was held comes back wanted.
        self._parted: dict[str, tuple[float, int]] = {}
        # Of each row of the index, the row here; -1 for one that is free.
        self._of_index = np.zeros(0, dtype=np.int64)
        # And of each row here, the row of the index; -1 without a vector.
        self._in_index = np.zeros(0, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._row_of)

    def __contains__(self, lead_id: str) -> bool:
        return lead_id in self._row_of

    def __iter__(self) -> Iterator[str]:
        return iter(self._row_of)

    def put(self, lead_id: str, row: Row) -> None:
        """Take a lead, or what is new of it; its vector and popularity stay."""
        place = self._row_of.get(lead_id)
        if place is None:
            place = self._row_for(lead_id)
        columns: list[NDArray[Any]] = list(self._columns)
        for column, value in zip(columns, row, strict=True):
            column[place] = value

    def set_price(self, lead_id: str, price_log: float) -> None:
        place = self._row_of.get(lead_id)
        if place is not None:
            self._columns.price[place] = price_log

    def drop(self, lead_id: str) -> None:
        """It can't be recommended any more. Unknown ones are passed over."""
        place = self._row_of.pop(lead_id, None)
        if place is None:
            return
        self._ids[place] = None
        self._there[place] = False
        self._free.append(place)
        if self._wanted[place] > 0:
            self._parted[lead_id] = (float(self._wanted[place]), int(self._wanted_at[place]))
            if len(self._parted) > PARTED_MAX:
                del self._parted[next(iter(self._parted))]
        self._of_index[self.index.drop([lead_id])] = -1
        self._in_index[place] = -1

    def put_vectors(self, lead_ids: Sequence[str], vectors: NDArray[np.float32]) -> int:
        """Take the vectors of those leads that are here; how many that are."""
        kept = [place for place, lead_id in enumerate(lead_ids) if lead_id in self._row_of]
        if not kept:
            return 0
        here = [lead_ids[place] for place in kept]
        rows = self.index.put(here, vectors[kept])
        if self.index.size > len(self._of_index):
            more = max(self.index.size, int(len(self._of_index) * _GROWTH))
            self._of_index = _longer(self._of_index, more, -1)
        ours = np.array([self._row_of[lead_id] for lead_id in here], dtype=np.int64)
        self._of_index[rows] = ours
        self._in_index[ours] = rows
        return len(kept)

    def adopt(self, index: VectorIndex) -> None:
        """Use another version's vectors from now on; of leads that are not here they go."""
        ids = index.lead_ids(np.arange(index.size))
        index.drop([each for each in ids if each is not None and each not in self._row_of])
        self.index, self.dimensions = index, index.dimensions
        rows = [-1 if each is None else self._row_of.get(each, -1) for each in ids]
        self._of_index = np.array(rows, dtype=np.int64)
        self._in_index[:] = -1
        there = np.flatnonzero(self._of_index >= 0)
        self._in_index[self._of_index[there]] = there

    def want(self, lead_id: str, weight: float, at: int) -> None:
        """Somebody wanted the lead at `at` (µs)."""
        place = self._row_of.get(lead_id)
        if place is None:
            return
        self._wanted[place] = _decayed(self._wanted[place], self._wanted_at[place], at) + weight
        self._wanted_at[place] = max(at, self._wanted_at[place])
        self._fame[place] = _fame(self._wanted[place], self._wanted_at[place])

    def row(self, lead_id: str) -> int | None:
        return self._row_of.get(lead_id)

    def lead_ids(self, rows: Rows) -> list[str]:
        """Raises LookupError for a row that holds no lead."""
        found = [self._ids[row] for row in rows]
        if None in found:
            raise LookupError("a row holds no lead")
        return [each for each in found if each is not None]

    def facts(self, rows: Rows) -> Facts:
        return self._columns.take(rows)

    def popularity(self, rows: Rows, now: int) -> Floats:
        """How much wanted they are at `now` (µs); 0 for one that nobody wanted."""
        return np.asarray(_decayed(self._wanted[rows], self._wanted_at[rows], now))

    def vectors(self, rows: Rows) -> NDArray[np.float32]:
        """(rows, dimensions), zero for a lead that has none."""
        found = np.zeros((len(rows), self.dimensions), dtype=np.float32)
        indexed = self._in_index[rows]
        there = np.flatnonzero(indexed >= 0)
        if len(there):
            found[there] = self.index.vectors(indexed[there])
        return found

    def allowed(self, asked: Asked) -> NDArray[np.bool_]:
        """Of every row, whether it may be recommended."""
        size = len(self._ids)
        found = self._there[:size].copy()
        if asked.property_types:
            codes = self._kinds.of_type(asked.property_types)
            found &= is_any_of(self._columns.kind[:size], codes)
        if asked.near is not None and asked.radius_m is not None:
            found &= self._within(unit_vector(*asked.near), asked.radius_m, size)
        for lead_id in asked.without:
            place = self._row_of.get(lead_id)
            if place is not None:
                found[place] = False
        return found

    def nearest(
        self, vectors: NDArray[np.float32], k: int, allowed: NDArray[np.bool_]
    ) -> tuple[Rows, NDArray[np.float32]]:
        """(queries, k) rows, -1 where there are no more, and their cosines, nearest first."""
        if not len(self.index):
            shape = (len(vectors), k)
            return np.full(shape, -1, dtype=np.int64), np.full(shape, -np.inf, dtype=np.float32)
        ours = self._of_index[: self.index.size]
        mask = (ours >= 0) & allowed[np.maximum(ours, 0)]
        found = self.index.search(vectors, k, mask)
        rows = np.where(found.rows >= 0, ours[np.maximum(found.rows, 0)], -1)
        return rows, found.similarities

    def newest(self, k: int, rows: Rows) -> Rows:
        """Of these rows."""
        return rows[greatest(self._columns.listed_at[rows], k)]

    def most_wanted(self, k: int, rows: Rows) -> Rows:
        """Of these rows those that anybody wanted at all, most wanted first."""
        found = rows[greatest(self._fame[rows], k)]
        return found[self._fame[found] > -np.inf]

    def columns(self, size: int) -> Facts:
        """The first `size` rows, to be read."""
        return Facts(**{name: each[:size] for name, each in self._columns._asdict().items()})

    def _within(self, centre: Vector, radius_m: float, size: int) -> NDArray[np.bool_]:
        x, y, z = self._columns.place[:size].T
        return np.asarray(chord_squared((x, y, z), centre) <= chord_squared_of(radius_m))

    def _row_for(self, lead_id: str) -> int:
        if self._free:
            place = self._free.pop()
            self._ids[place] = lead_id
        else:
            place = len(self._ids)
            self._ids.append(lead_id)
            if place == len(self._there):
                self._grow()
        self._row_of[lead_id] = place
        self._there[place] = True
        wanted, at = self._parted.pop(lead_id, (0.0, 0))
        self._wanted[place], self._wanted_at[place] = wanted, at
        self._fame[place] = _fame(wanted, at)
        return place

    def _grow(self) -> None:
        size = max(_FIRST_ROWS, int(len(self._there) * _GROWTH))
        longer = {name: _longer(each, size, 0) for name, each in self._columns._asdict().items()}
        self._columns = Facts(**longer)
        self._there = _longer(self._there, size, False)
        self._in_index = _longer(self._in_index, size, -1)
        self._wanted = _longer(self._wanted, size, 0)
        self._wanted_at = _longer(self._wanted_at, size, 0)
        self._fame = _longer(self._fame, size, -np.inf)


def index_of(dimensions: int) -> VectorIndex:
    """An empty index, as shelves have theirs: a buyer's interests are searched by two threads."""
    return VectorIndex(dimensions, threads=2)


def _longer(column: NDArray[Any], size: int, fill: object) -> NDArray[Any]:
    found: NDArray[Any] = np.full((size, *column.shape[1:]), fill, dtype=column.dtype)
    found[: len(column)] = column
    return found


def _decayed(wanted: Floats, since: NDArray[np.int64], at: int) -> Floats:
    passed = np.maximum(at - since, 0) / POPULARITY_HALF_LIFE_US
    return np.asarray(wanted * 0.5**passed)


def _fame(wanted: float, at: int) -> float:
    return math.log2(wanted) + at / POPULARITY_HALF_LIFE_US if wanted > 0 else -math.inf
