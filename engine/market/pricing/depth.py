"""Standing demand by top price, so that no buyer can be told apart."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

# Lower ends of the bands of top price, credits.
BAND_STARTS = (1, 5, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 120, 150, 200, 300, 500)
BUYERS_MIN = 3


class Band(NamedTuple):
    """So many orders buy at up to a price of `price_min` to `price_max` credits; no upper end
    if that is None."""

    price_min: int
    price_max: int | None
    orders: int


def depth_of(orders: Iterable[tuple[str, int]]) -> list[Band]:
    """Bands of the orders (buyer, top price), highest first. Each holds orders of at least
    BUYERS_MIN buyers: a band with fewer is joined with its neighbours. None if there are fewer
    buyers in all."""
    buyers: list[set[str]] = [set() for _ in BAND_STARTS]
    counts = [0] * len(BAND_STARTS)
    for user_id, price_max in orders:
        number = max(0, bisect_right(BAND_STARTS, price_max) - 1)
        buyers[number].add(user_id)
        counts[number] += 1
    bands: list[Band] = []
    seen: set[str] = set()
    count, top = 0, len(BAND_STARTS)
    for number in reversed(range(len(BAND_STARTS))):
        seen |= buyers[number]
        count += counts[number]
        if len(seen) >= BUYERS_MIN:
            bands.append(Band(BAND_STARTS[number], _end(top), count))
            seen, count, top = set(), 0, number
    if bands:
        lowest = bands.pop()
        bands.append(Band(BAND_STARTS[0], lowest.price_max, lowest.orders + count))
    return bands


def _end(number: int) -> int | None:
    return BAND_STARTS[number] - 1 if number < len(BAND_STARTS) else None
