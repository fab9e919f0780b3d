"""What recommending looks at of a lead: columns of public facts, and no more than these."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.market.listing import Listing
from engine.market.sphere import unit_vector
from models_ml.value.comparables import is_lease, kind_of

KINDS_MAX: Final = 1_000
"""Beyond so many kinds of homes, further ones count as unknown."""
UNKNOWN: Final = 0
Floats = NDArray[np.float64]


class Facts(NamedTuple):
    """Leads, as parallel arrays; NaN is unknown.

    `kind` is a code of `Kinds`. `list_price`, `area` and `price` are natural logarithms of USD
    (a month, if `is_lease`), square feet and credits. `place` is (leads, 3), points on the unit
    sphere. `listed_at` is µs since the epoch, `quality` in [0, 1].
    """

    kind: NDArray[np.int32]
    is_lease: NDArray[np.bool_]
    list_price: Floats
    area: Floats
    place: Floats
    price: Floats
    listed_at: NDArray[np.int64]
    quality: Floats

    def take(self, rows: NDArray[np.int64]) -> Facts:
        """These leads, in this order."""
        return Facts(**{name: column[rows] for name, column in self._asdict().items()})


class Kinds:
    """Kinds of homes as numbers, learnt as they come."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], int] = {}

    def code(self, listing: Listing) -> int:
        """The same for homes of one property type and kind; UNKNOWN without a type."""
        if not listing.property_type:
            return UNKNOWN
        kind = (listing.property_type, kind_of(listing))
        code = self._codes.get(kind)
        if code is None:
            if len(self._codes) >= KINDS_MAX:
                return UNKNOWN
            code = self._codes[kind] = len(self._codes) + 1
        return code

    def of_type(self, property_types: Sequence[str]) -> NDArray[np.int32]:
        """All codes of these property types."""
        asked = set(property_types)
        found = [code for (each, _), code in self._codes.items() if each in asked]
        return np.array(found, dtype=np.int32)


def is_any_of(kind: NDArray[np.int32], codes: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which are one of these codes."""
    wanted = np.zeros(KINDS_MAX + 1, dtype=np.bool_)
    wanted[codes] = True
    return np.asarray(wanted[kind])


class Row(NamedTuple):
    """One lead's facts, in the order of `Facts`."""

    kind: int
    is_lease: bool
    list_price: float
    area: float
    place: tuple[float, float, float]
    price: float
    listed_at: int
    quality: float


_NOWHERE = (math.nan, math.nan, math.nan)


def row_of(kinds: Kinds, listing: Listing, price: int, listed_at: int) -> Row:
    """`price` in credits, `listed_at` in µs."""
    place = _NOWHERE
    if listing.latitude is not None and listing.longitude is not None:
        place = unit_vector(listing.latitude, listing.longitude)
    return Row(
        kinds.code(listing),
        is_lease(listing),
        _log(listing.list_price),
        _log(listing.living_area),
        place,
        _log(price),
        listed_at,
        listing.quality,
    )


def facts_of(rows: Sequence[Row]) -> Facts:
    """The rows as columns; none make columns of no length."""
    columns = zip(*rows, strict=True) if rows else ((),) * len(Row._fields)
    kind, lease, list_price, area, place, price, listed_at, quality = columns
    return Facts(
        np.array(kind, dtype=np.int32),
        np.array(lease, dtype=np.bool_),
        np.array(list_price, dtype=np.float64),
        np.array(area, dtype=np.float64),
        np.array(place, dtype=np.float64).reshape(len(rows), 3),
        np.array(price, dtype=np.float64),
        np.array(listed_at, dtype=np.int64),
        np.array(quality, dtype=np.float64),
    )


def _log(value: int | None) -> float:
    return math.log(value) if value is not None and value > 0 else math.nan
