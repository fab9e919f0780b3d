"""Which records are worth comparing: those that share a blocking key.

Keys are 32-bit hashes of a family and a few parts. Doors, parcels, listing numbers and
source ids find each other everywhere. Place, contact and text find only those pairs of
which at least one names no door: two named doors that differ are two leads anyway, and an
agent's phone or a complex's text stand on hundreds of them.

Bands are whole steps of a logarithm. A row is kept under its own band and looked up under
its own and both next to it, and likewise with H3 cells, so whether two rows meet does not
depend on which came first.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from engine.intake.resolution.columns import CELLS, Column, Columns, Flags, has_text, is_house

Keys = tuple[NDArray[np.uint32], NDArray[np.int64]]
"""(keys, the row of each)."""

_PRICE_STEP = np.log(1.06)
_FINE_PRICE_STEP = np.log(1.03)
_AREA_STEP = np.log(1.04)
_TEXT_BANDS = tuple(range(0, 15, 3))
_HERE = np.array([0])
_AROUND = np.array([-1, 0, 1])
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_ODD = np.uint64(0xD6E8FEB86659FD93)


def kept_keys(columns: Columns) -> Keys:
    """Under which keys the rows are kept, each of them once."""
    named = _names_a_door(columns)
    flavour = (~named).astype(np.uint64)
    everyone = np.ones(len(named), dtype=np.bool_)
    near = _near(columns, flavour, everyone, cells=1, steps=_HERE)
    return _joined([*_exact(columns, named), *near])


def sought_keys(columns: Columns) -> Keys:
    """Under which keys the rows must look for others: all for rows without a door, and rows
    without one also for those that name a door."""
    named = _names_a_door(columns)
    everyone = np.ones(len(named), dtype=np.bool_)
    doorless = everyone.astype(np.uint64)
    return _joined(
        [
            *_exact(columns, named),
            *_near(columns, doorless, everyone, cells=CELLS, steps=_AROUND),
            *_near(columns, doorless - np.uint64(1), ~named, cells=CELLS, steps=_AROUND),
        ]
    )


def _names_a_door(columns: Columns) -> Flags:
    return (columns["number"] > 0) & (columns["street"] > 0)


def _exact(columns: Columns, named: Flags) -> Iterator[tuple[NDArray[np.uint32], Flags]]:
    """(keys, which rows have them) of what needs no neighbours."""
    number, street, price = columns["number"], columns["street"], columns["price"]
    bedrooms = columns["bedrooms"]
    half = _band(price, _PRICE_STEP * 2)
    yield _key(1, columns["identity"]), np.ones(len(named), dtype=np.bool_)
    yield _key(2, columns["parcel"]), columns["parcel"] > 0
    yield _key(3, columns["listing"]), columns["listing"] > 0
    yield _key(4, number, street, bedrooms), named & (bedrooms >= 0)
    yield _key(5, number, street, columns["unit"]), named & (columns["unit"] > 0)
    yield _key(6, number, street), named & is_house(columns) & (columns["unit"] == 0)
    # Two grids, shifted by half a step: prices within one step share one of them.
    yield _key(7, number, street, half), named & (price > 0)
    shifted = _band(price, _PRICE_STEP * 2, shift=0.5)
    yield _key(8, number, street, shifted), named & (price > 0)
    # A slip of the pen in the street's name: the number and the facts still agree.
    known = named & (bedrooms >= 0)
    yield _key(9, number, columns["postal_code"], bedrooms), known & (columns["postal_code"] > 0)
    yield _key(10, number, bedrooms, half), known & (price > 0)
    yield _key(11, number, bedrooms, shifted), known & (price > 0)


def _near(
    columns: Columns,
    flavour: NDArray[np.uint64],
    asking: Flags,
    *,
    cells: int,
    steps: NDArray[np.int64],
) -> Iterator[tuple[NDArray[np.uint32], Flags]]:
    """Keys of place, contact and text of the `asking` rows, one axis for the steps and, of
    places, one for the cells. `flavour` is 0 for rows that name a door, else 1."""
    price = _band(columns["price"], _PRICE_STEP)[:, None] + steps
    has_price = (asking & (columns["price"] > 0))[:, None]
    yield from _near_places(columns, flavour, asking, cells=cells, steps=steps)
    for family, name in ((19, "street"), (22, "phone"), (23, "email")):
        value = columns[name][:, None]
        yield _key(family, flavour[:, None], value, price), has_price & (value > 0)
    told = has_price & has_text(columns["text"])[:, None]
    for band in _TEXT_BANDS:
        three = (columns["text"][:, band + place, None] for place in range(3))
        yield _key(24 + band, flavour[:, None], *three, price), told


def _near_places(
    columns: Columns,
    flavour: NDArray[np.uint64],
    asking: Flags,
    *,
    cells: int,
    steps: NDArray[np.int64],
) -> Iterator[tuple[NDArray[np.uint32], Flags]]:
    cell = columns["cells"][:, :cells, None]
    for family, name, step in ((20, "area", _AREA_STEP), (21, "price", _FINE_PRICE_STEP)):
        band = _band(columns[name], step)[:, None, None] + steps
        told = (asking & (columns[name] > 0))[:, None, None] & (cell > 0)
        yield _key(family, flavour[:, None, None], cell, band), told


def _band(values: Column, step: float, shift: float = 0.0) -> NDArray[np.int64]:
    return np.floor(np.log(np.maximum(values, 1)) / step + shift).astype(np.int64)


def _key(family: int, *parts: Column) -> NDArray[np.uint32]:
    """One key for each place of the parts' common shape."""
    start = np.array([family], dtype=np.uint64) * _ODD
    return (reduce(_mixed, parts, start) >> np.uint64(32)).astype(np.uint32)


def _mixed(sofar: NDArray[np.uint64], part: Column) -> NDArray[np.uint64]:
    mixed = (sofar ^ part.astype(np.int64).view(np.uint64)) * _MULTIPLIER
    return mixed ^ (mixed >> np.uint64(29))


def _joined(families: list[tuple[NDArray[np.uint32], Flags]]) -> Keys:
    """The keys that rows have, whatever their shape; the first axis is the rows'."""
    shown = [(keys, np.broadcast_to(has, keys.shape)) for keys, has in families]
    return (
        np.concatenate([keys[has] for keys, has in shown]),
        np.concatenate([np.nonzero(has)[0] for _, has in shown]),
    )
