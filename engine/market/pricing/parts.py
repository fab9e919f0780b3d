"""The named parts of a price, and the whole-number arithmetic that makes the price of them.

One lead's in plain integers, a market's in numpy columns: both to the same credit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

# `base` is in thousandths of a credit, the multipliers in ten-thousandths.
CREDIT = 1_000
ONE = 10_000
# The bounds keep the product of a price within 64 bits.
BASE_MAX = 500_000
DEMAND_MAX = 40_000
AGE_MAX = 20_000
SEATS_MAX = 20_000
_SCALE = CREDIT * ONE**3

# For so long what was committed holds, hours.
COMMIT_HOURS = 24
HOUR_US = 3_600_000_000
RATE_SCALE = 1_000_000


class PriceParts(NamedTuple):
    """What makes a price; credits unless said otherwise.

    `policy` is the number of the policy that decided (0: the intake's listing table). `base`
    (thousandths of a credit) is what the lead is worth fresh, with all seats, in calm demand;
    `demand`, `age` and `seats` (ten-thousandths) multiply it. `previous` is the price before, 0
    for a first price, and `step` the most it may move from there. Since `committed_at` (µs) the
    price won't exceed `committed`, falling by `rate` (millionths an hour, continuously), while
    nobody acts on the lead; `committed_at` 0 commits to nothing.
    """

    policy: int
    base: int
    demand: int = ONE
    age: int = ONE
    seats: int = ONE
    previous: int = 0
    step: int = 0
    floor: int = 1
    ceiling: int = 2**31
    rate: int = 0
    committed: int = 0
    committed_at: int = 0


_DTYPE = np.dtype(
    [
        ("policy", "<u2"),
        ("base", "<u4"),
        ("demand", "<u2"),
        ("age", "<u2"),
        ("seats", "<u2"),
        ("previous", "<u4"),
        ("step", "<u4"),
        ("floor", "<u4"),
        ("ceiling", "<u4"),
        ("rate", "<u4"),
        ("committed", "<u4"),
        ("committed_at", "<i8"),
    ]
)
PACKED_BYTES = _DTYPE.itemsize


def target_of(parts: PriceParts) -> int:
    """The product of base and multipliers, rounded half up to whole credits, unlimited."""
    product = parts.base * parts.demand * parts.age * parts.seats
    return (product + _SCALE // 2) // _SCALE


def price_of(parts: PriceParts) -> int:
    """The price in credits: the target within floor and ceiling, no more than `step` away from
    `previous`. The step goes before: a price outside its bounds comes back step by step."""
    price = max(parts.floor, min(parts.ceiling, target_of(parts)))
    if parts.previous:
        price = max(parts.previous - parts.step, min(parts.previous + parts.step, price))
    return max(1, price)


class PartsColumns(NamedTuple):
    """The parts of many prices, each field of `PriceParts` as a column."""

    policy: Ints
    base: Ints
    demand: Ints
    age: Ints
    seats: Ints
    previous: Ints
    step: Ints
    floor: Ints
    ceiling: Ints
    rate: Ints
    committed: Ints
    committed_at: Ints

    def take(self, rows: npt.NDArray[Any]) -> PartsColumns:
        """The parts at `rows`, indices or a mask."""
        return PartsColumns(*(column[rows] for column in self))


def targets_of(base: Ints, demand: Ints, age: Ints, seats: Ints) -> Ints:
    """`target_of`, column by column."""
    product = base * demand
    product *= age
    product *= seats
    product += _SCALE // 2
    product //= _SCALE
    return product


def exact_targets(parts: PartsColumns) -> npt.NDArray[np.float64]:
    """The products of base and multipliers before they are rounded to credits."""
    product: npt.NDArray[np.float64] = parts.base.astype(np.float64)
    product *= 1.0 / _SCALE
    product *= parts.demand
    product *= parts.age
    product *= parts.seats
    return product


def prices_of(parts: PartsColumns) -> Ints:
    """`price_of`, column by column."""
    price = targets_of(parts.base, parts.demand, parts.age, parts.seats)
    np.minimum(price, parts.ceiling, out=price)
    np.maximum(price, parts.floor, out=price)
    first = parts.previous == 0
    # Without a price before there is nothing to step from.
    low = np.where(first, price, parts.previous - parts.step)
    high = np.where(first, price, parts.previous + parts.step)
    np.minimum(price, high, out=price)
    np.maximum(price, low, out=price)
    np.maximum(price, 1, out=price)
    return price


def pack(parts: PriceParts) -> bytes:
    """As they are kept with the lead: PACKED_BYTES bytes. Raises OverflowError if a part can't be
    kept."""
    return np.array([tuple(parts)], _DTYPE).tobytes()


def pack_columns(parts: PartsColumns) -> list[bytes]:
    """`pack`, one entry a row."""
    rows = np.empty(len(parts.base), _DTYPE)
    for name, column in zip(PartsColumns._fields, parts, strict=True):
        rows[name] = column
    octets = rows.tobytes()
    return [octets[at : at + PACKED_BYTES] for at in range(0, len(octets), PACKED_BYTES)]


def unpack(packed: bytes) -> PriceParts:
    """Raises ValueError if these are no parts."""
    if len(packed) != PACKED_BYTES:
        raise ValueError(f"the parts of a price are {PACKED_BYTES} bytes, not {len(packed)}")
    return PriceParts(*np.frombuffer(packed, _DTYPE)[0].item())


def committed_at_most(parts: PriceParts, at: int) -> int | None:
    """What the price won't exceed at `at` (µs) while nobody acts on the lead, in credits; None
    where nothing is committed. It falls no lower than the floor."""
    hours = (at - parts.committed_at) / HOUR_US
    if not parts.committed_at or not 0 <= hours <= COMMIT_HOURS:
        return None
    falling = math.ceil(parts.committed * math.exp(-parts.rate * hours / RATE_SCALE))
    return max(parts.floor, falling)


def caps_of(committed: Ints, rate: Ints, hours: npt.NDArray[np.float64]) -> Ints:
    """`committed_at_most` without the floor, column by column."""
    return np.ceil(committed * np.exp(-rate * hours / RATE_SCALE)).astype(np.int64)


def listed_parts(price: int) -> PriceParts:
    """The parts of a price that stands for itself: `base` makes it. Raises ValueError below 1."""
    if price < 1:
        raise ValueError(f"a price is at least 1 credit, not {price}")
    return PriceParts(0, price * CREDIT)


def columns_of(parts: Sequence[PriceParts]) -> PartsColumns:
    return PartsColumns(*np.array(parts, np.int64).reshape(-1, len(PriceParts._fields)).T)
