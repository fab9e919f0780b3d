"""Which leads share their demand: by place, kind of property and list-price band.

A thin segment borrows from its neighbours through a chain of parents: its cell's parent cell,
then the kind and band anywhere in the market, then the whole market.
"""

from __future__ import annotations

from bisect import bisect_right

import h3
import numpy as np
import numpy.typing as npt

from engine.market.fair_housing import inputs
from engine.market.listing import Listing

# About 36 km2 a cell, and 253 km2 its parent. A finer cell would hold a handful of leads.
CELL_RESOLUTION = 6
PARENT_RESOLUTION = 5

# What tells segments apart.
KEY = ("cell", "kind", "band")
inputs("price", KEY)

ROOT = 0
NOWHERE = ""
Key = tuple[str, str, int]

_GROUPS = {
    "single family residence": "house",
    "single family": "house",
    "manufactured home": "house",
    "mobile home": "house",
    "condominium": "attached",
    "townhouse": "attached",
    "duplex": "attached",
    "triplex": "attached",
    "quadruplex": "attached",
    "apartment": "attached",
    "stock cooperative": "attached",
    "multi family": "attached",
    "unimproved land": "land",
}
# Upper ends of the bands of list price, USD: of a sale, and of a month's rent.
_SALE_BANDS = (250_000, 400_000, 600_000, 1_000_000)
_LEASE_BANDS = (1_200, 1_800, 2_500, 4_000)
UNPRICED = -1


def kind_of(listing: Listing) -> str:
    """`sale` or `lease` and the group of the property's type."""
    sort = (listing.property_type or "").lower()
    offered = "lease" if sort.endswith("lease") else "sale"
    group = "land" if "land" in sort else _GROUPS.get((listing.property_sub_type or "").lower())
    return f"{offered} {group or 'other'}"


def band_of(listing: Listing) -> int:
    """The band of the list price, from 0; UNPRICED if it isn't stated."""
    if not listing.list_price:
        return UNPRICED
    bands = _LEASE_BANDS if kind_of(listing).startswith("lease") else _SALE_BANDS
    return bisect_right(bands, listing.list_price)


def key_of(listing: Listing) -> Key:
    """(H3 cell, kind, band)"""
    cell = NOWHERE
    if listing.latitude is not None and listing.longitude is not None:
        cell = h3.latlng_to_cell(listing.latitude, listing.longitude, CELL_RESOLUTION)
    return cell, kind_of(listing), band_of(listing)


class Segments:
    """The segments of one market in order of appearance; each after its parent, the root first.

    There are no more than SEGMENTS_MAX: what comes after is counted to its parent.
    """

    SEGMENTS_MAX = 50_000

    def __init__(self, keys: list[Key] | None = None) -> None:
        self._index: dict[Key, int] = {(NOWHERE, "", 0): ROOT}
        self._parents: list[int] = [-1]
        self._grown = np.array(self._parents, np.int32)
        for key in keys or ():
            self.index(key)

    def __len__(self) -> int:
        return len(self._parents)

    @property
    def keys(self) -> list[Key]:
        """All but the root, so that `Segments(keys)` is the same again."""
        return list(self._index)[1:]

    @property
    def parents(self) -> npt.NDArray[np.int32]:
        """The parent of each, -1 of the root. Grows with the segments."""
        if len(self._grown) != len(self._parents):
            self._grown = np.array(self._parents, np.int32)
        return self._grown

    def of(self, listing: Listing) -> int:
        """The listing's segment, made if it is new."""
        return self.index(key_of(listing))

    def index(self, key: Key) -> int:
        found = self._index.get(key)
        if found is not None:
            return found
        parent = self._parent(key)
        if len(self._parents) >= self.SEGMENTS_MAX:
            return parent
        self._index[key] = len(self._parents)
        self._parents.append(parent)
        return self._index[key]

    def _parent(self, key: Key) -> int:
        cell, kind, band = key
        if cell == NOWHERE:
            return ROOT
        if h3.get_resolution(cell) > PARENT_RESOLUTION:
            return self.index((h3.cell_to_parent(cell, PARENT_RESOLUTION), kind, band))
        return self.index((NOWHERE, kind, band))
