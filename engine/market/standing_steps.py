"""The steps into which what a standing order may limit is cut, each with a row of its own.

A lead lies in one step of everything, an order takes in all the steps that could hold a lead
it wants. Steps are fixed, so that no order can spoil them for the others; finer ones would
leave fewer orders to compare in vain and cost a bit each of every order.
"""

from __future__ import annotations

from bisect import bisect_right
from math import floor
from zlib import crc32

from engine.market.sphere import box_around
from engine.market.standing_rules import NUMBER_RULES, Facts, Wanted
from engine.market.standing_terms import StandingFilter


def _steps(least: int, most: int, ratio: float) -> tuple[int, ...]:
    """Where steps begin that grow by `ratio`, by at least one."""
    edges = [least]
    while edges[-1] < most:
        edges.append(max(edges[-1] + 1, int(edges[-1] * ratio)))
    return tuple(edges)


_CREDITS = _steps(1, 4_000, 1.1)
# By place in NUMBER_RULES. One more step lies below the first edge.
_EDGES = (
    _steps(100, 20_000_000, 1.1),
    _steps(200, 20_000, 1.1),
    _steps(500, 10_000_000, 1.1),
    _steps(1880, 2040, 1),
    _steps(1, 12, 1),
    _CREDITS,
    _CREDITS,
)
# Latitude and longitude, each by itself, in cells of some 350 m. After 1.28 degrees, wider than
# a market, the rows begin anew: who wants something so far off is compared in vain.
_CELLS_A_DEGREE = 300
_CELLS = 384
# Names of types and sources have no bound: they share rows, by a hash. With this many the
# types of RESO and the sources of `sources.toml` have each their own.
_NAMES = 62


def _layout() -> tuple[list[int], int]:
    """The first row of every kind of steps, and how many rows there are.

    The last row of each but the last kind is for leads that do not state it.
    """
    sizes = [*(len(edges) + 2 for edges in _EDGES), *(_CELLS + 1,) * 2, *(_NAMES + 1,) * 2, 2]
    starts = [0]
    for size in sizes:
        starts.append(starts[-1] + size)
    return starts[:-1], starts[-1]


_STARTS, ROWS = _layout()
_NUMBERS = _STARTS[: len(_EDGES)]
_LATITUDE, _LONGITUDE, _TYPE, _SOURCE, _SEATS = _STARTS[len(_EDGES) :]
assert len(_EDGES) == len(NUMBER_RULES)
_PLACES = tuple(zip(_NUMBERS, _EDGES, strict=True))


def rows_of_lead(lead: Facts) -> tuple[list[int], list[int]]:
    """Rows that an order wanting the lead is all in, and rows it is one or more of in, if any."""
    rows = [
        start + (len(edges) + 1 if number is None else bisect_right(edges, number))
        for (start, edges), number in zip(_PLACES, lead.numbers, strict=True)
    ]
    if lead.point is None:
        rows += (_LATITUDE + _CELLS, _LONGITUDE + _CELLS)
    else:
        rows.append(_LATITUDE + floor(lead.point[0] * _CELLS_A_DEGREE) % _CELLS)
        rows.append(_LONGITUDE + floor(lead.point[1] * _CELLS_A_DEGREE) % _CELLS)
    rows.append(_TYPE + (_NAMES if lead.property_type is None else _name(lead.property_type)))
    rows.append(_SEATS + lead.is_exclusive)
    sources = [_SOURCE + _name(source) for source in lead.sources] or [_SOURCE + _NAMES]
    return (rows, sources) if len(sources) > 1 else (rows + sources, [])


def rows_of_order(order: Wanted, asked: StandingFilter) -> int:
    """The rows an order is in, as the bits of a number; `order` is made of `asked`."""
    rows = _EVERY
    for place, least, most in order.ranges:
        start, edges = _PLACES[place]
        first, last = bisect_right(edges, least), bisect_right(edges, most)
        rows ^= _run(start, start + len(edges) + 1) ^ _run(start + first, start + last)
    if asked.near is not None or asked.bbox is not None:
        west, south, east, north = _box(asked)
        rows ^= _run(_LATITUDE, _LATITUDE + _CELLS) ^ _cells(south, north) << _LATITUDE
        rows ^= _run(_LONGITUDE, _LONGITUDE + _CELLS) ^ _cells(west, east) << _LONGITUDE
    if asked.property_type:
        rows ^= _run(_TYPE, _TYPE + _NAMES) ^ _names(asked.property_type) << _TYPE
    if asked.source:
        rows ^= _run(_SOURCE, _SOURCE + _NAMES) ^ _names(asked.source) << _SOURCE
    if order.is_exclusive is not None:
        rows ^= 1 << _SEATS + (not order.is_exclusive)
    return rows


def _box(asked: StandingFilter) -> tuple[float, float, float, float]:
    """(west, south, east, north) outside which the order wants nothing."""
    west, south, east, north = asked.bbox or _EARTH
    if asked.near is None or asked.radius_m is None:
        return west, south, east, north
    box = box_around(*asked.near, asked.radius_m)
    return max(west, box[0]), max(south, box[1]), min(east, box[2]), min(north, box[3])


def _cells(least: float, most: float) -> int:
    """The cells between two degrees, as bits."""
    first, last = floor(least * _CELLS_A_DEGREE), floor(most * _CELLS_A_DEGREE)
    if first > last:
        return 0
    if last - first >= _CELLS:
        return _run(0, _CELLS - 1)
    start, end = first % _CELLS, last % _CELLS
    if start <= end:
        return _run(start, end)
    return _run(start, _CELLS - 1) | _run(0, end)


def _names(names: tuple[str, ...]) -> int:
    bits = 0
    for name in names:
        bits |= 1 << _name(name)
    return bits


class NamesInUse:
    """The names of types and sources that orders ask for, by the row that they share."""

    def __init__(self) -> None:
        self._names: dict[int, dict[str, int]] = {}

    def count(self, asked: StandingFilter, change: int) -> None:
        """Orders more, or fewer, that ask for these names."""
        for start, names in ((_TYPE, asked.property_type), (_SOURCE, asked.source)):
            for name in names:
                in_row = self._names.setdefault(start + _name(name), {})
                in_row[name] = in_row.get(name, 0) + change
                if not in_row[name]:
                    del in_row[name]

    def are_mixed(self, lead: Facts) -> bool:
        """Whether an order in the lead's rows may ask for another name than the lead's."""
        kind = () if lead.property_type is None else (lead.property_type,)
        return any(
            self._names.get(start + _name(name), {}).keys() - {name}
            for start, names in ((_TYPE, kind), (_SOURCE, lead.sources))
            for name in names
        )


def _name(name: str) -> int:
    return crc32(name.encode()) % _NAMES


def _run(first: int, last: int) -> int:
    """Bits `first` to `last`, both among them."""
    return (1 << last + 1) - (1 << first) if first <= last else 0


_EVERY = _run(0, ROWS - 1)
_EARTH = (-180.0, -90.0, 180.0, 90.0)
