"""The price of a home against homes near by, in an index that takes listings as they come.

Comparables are of the same market (an index is one market's), rent or sale, kind of home and
band of bedrooms. The nearest are taken, and of their prices the median, so that one wrong
price among them moves little. Everything is bounded: a cell of the map keeps its newest
homes, and only so many cells are looked into.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.market.listing import Listing

NEAREST: Final = 15
"""How many homes a price is compared with, at most."""
NEEDED: Final = 4
"""With fewer there is no comparison."""
CELL_HOMES_MAX: Final = 128
# Degrees. About 2.2 km of latitude; of longitude somewhat less.
_CELL_DEGREES = 0.02
# Looked into in this order, cells around that of the home: 5 cells are about 11 km.
_RINGS = (1, 2, 5)

_KINDS = {
    "Single Family Residence": "detached",
    "Manufactured Home": "manufactured",
    "Condominium": "attached",
    "Townhouse": "attached",
    "Stock Cooperative": "attached",
    "Apartment": "flat",
    "Duplex": "income",
    "Triplex": "income",
    "Quadruplex": "income",
    "Multi Family": "income",
}
_BY_TYPE = {"Land": "land", "Farm": "land", "Residential Income": "income"}
_BEDROOMS_BAND_MOST = 5
_Cell = tuple[bool, str, int, int, int]


class Compared(NamedTuple):
    """`price_to` is ln(price / median of the comparables), NaN without enough; `count` how many."""

    price_to: NDArray[np.float64]
    count: NDArray[np.int32]

    @classmethod
    def unknown(cls, size: int) -> Compared:
        """Nothing to compare with."""
        return cls(np.full(size, np.nan), np.zeros(size, dtype=np.int32))


class _Home(NamedTuple):
    """`foot_log` is ln USD per square foot, NaN without an area; `price_log` is ln USD."""

    lead_id: str
    latitude: float
    longitude: float
    price_log: float
    foot_log: float


def is_lease(listing: Listing) -> bool:
    return listing.property_type is not None and listing.property_type.endswith("Lease")


def kind_of(listing: Listing) -> str:
    """The kind of home that is compared with its like; `other` if nothing tells."""
    known = _KINDS.get(listing.property_sub_type or "")
    return known or _BY_TYPE.get(listing.property_type or "", "other")


class ComparablesIndex:
    """One market's homes by kind, bedrooms and place. Homes that left the market stay until
    newer ones of their cell push them out: what was asked last month still says what is usual."""

    def __init__(self) -> None:
        self._cells: dict[_Cell, deque[_Home]] = {}
        self._of: dict[str, tuple[_Cell, _Home]] = {}

    def __len__(self) -> int:
        return len(self._of)

    def put(self, lead_id: str, listing: Listing) -> None:
        """Take a listing, in place of what the lead said before. Without a place or a price
        there is nothing to take."""
        self.drop(lead_id)
        home, cell = _home(lead_id, listing), _cell(listing)
        if home is None or cell is None:
            return
        homes = self._cells.setdefault(cell, deque())
        if len(homes) == CELL_HOMES_MAX:
            del self._of[homes.popleft().lead_id]
        homes.append(home)
        self._of[lead_id] = (cell, home)

    def drop(self, lead_id: str) -> None:
        """Forget a home that should not count, a flagged one for example."""
        found = self._of.pop(lead_id, None)
        if found is not None:
            cell, home = found
            homes = self._cells[cell]
            homes.remove(home)
            if not homes:
                del self._cells[cell]

    def compare(self, lead_ids: Sequence[str], listings: Sequence[Listing]) -> Compared:
        """Each listing against the homes of other leads. Raises ValueError if out of step."""
        found = Compared.unknown(len(listings))
        for row, (lead_id, listing) in enumerate(zip(lead_ids, listings, strict=True)):
            home, cell = _home(lead_id, listing), _cell(listing)
            if home is not None and cell is not None:
                found.price_to[row], found.count[row] = self._compare(home, cell)
        return found

    def _compare(self, home: _Home, cell: _Cell) -> tuple[float, int]:
        others: list[_Home] = []
        for ring in _RINGS:
            others = self._around(home, cell, ring)
            if len(others) >= NEAREST:
                break
        if len(others) < NEEDED:
            return math.nan, len(others)
        columns = np.array([other[1:] for other in others])
        north = columns[:, 0] - home.latitude
        east = (columns[:, 1] - home.longitude) * math.cos(math.radians(home.latitude))
        near = np.argsort(north * north + east * east, kind="stable")[:NEAREST]
        by_foot = not math.isnan(home.foot_log)
        own, column = (home.foot_log, 3) if by_foot else (home.price_log, 2)
        return own - float(np.median(columns[near, column])), len(near)

    def _around(self, home: _Home, cell: _Cell, ring: int) -> list[_Home]:
        """The homes of other leads in the cells up to `ring` away; with an area if it has one."""
        *group, row, column = cell
        by_foot = not math.isnan(home.foot_log)
        return [
            other
            for north in range(row - ring, row + ring + 1)
            for east in range(column - ring, column + ring + 1)
            for other in self._cells.get((*group, north, east), ())  # type: ignore[arg-type]
            if other.lead_id != home.lead_id and (not by_foot or not math.isnan(other.foot_log))
        ]


def _home(lead_id: str, listing: Listing) -> _Home | None:
    if listing.latitude is None or listing.longitude is None or not listing.list_price:
        return None
    price_log = math.log(listing.list_price)
    area = listing.living_area
    foot_log = price_log - math.log(area) if area else math.nan
    return _Home(lead_id, listing.latitude, listing.longitude, price_log, foot_log)


def _cell(listing: Listing) -> _Cell | None:
    if listing.latitude is None or listing.longitude is None:
        return None
    bedrooms = listing.bedrooms_total
    return (
        is_lease(listing),
        kind_of(listing),
        -1 if bedrooms is None else min(bedrooms, _BEDROOMS_BAND_MOST),
        math.floor(listing.latitude / _CELL_DEGREES),
        math.floor(listing.longitude / _CELL_DEGREES),
    )
