"""How far two records agree, field by field: small whole numbers that weights can judge.

Everything here is symmetric: which record is left and which is right does not matter.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from engine.intake.resolution.columns import Column, Columns, Flags, has_text, is_house
from engine.intake.resolution.features import LEASE, SALE, SHARED_SUB_TYPES

Levels = NDArray[np.uint8]

# How the doors compare decides what the other fields mean, so each has weights of its own.
DOORS = (
    "unknown-house",  # at least one record names no door
    "unknown-flat",  # the same, and at least one is of a home among many
    "same-unit",  # number, street and unit agree
    "same-house",  # number and street agree, and such a home has no units
    "same-building",  # number and street agree, the unit is not told by both
    "other-unit",
    "similar-street",  # the number agrees and the street nearly: a slip of the pen
    "other-door",
)
(
    UNKNOWN_HOUSE, UNKNOWN_FLAT, SAME_UNIT, SAME_HOUSE, SAME_BUILDING, OTHER_UNIT, SIMILAR,
    OTHER_DOOR,
) = range(8)  # fmt: skip

# Level 0 of each field: not told by both. The rest in falling agreement.
LEVELS: dict[str, tuple[str, ...]] = {
    "street": ("unknown", "whole", "core", "similar", "different"),
    "unit": ("none", "one", "both"),
    "postal_code": ("unknown", "equal", "different"),
    "distance": ("unknown", "25m", "80m", "200m", "500m", "2km", "more"),
    "bedrooms": ("unknown", "equal", "one", "more"),
    "bathrooms": ("unknown", "equal", "one", "more"),
    "area": ("unknown", "equal", "2%", "6%", "15%", "more"),
    "lot": ("unknown", "1%", "10%", "more"),
    "year": ("unknown", "equal", "two", "more"),
    "price": ("unknown", "equal", "2%", "8%", "20%", "35%", "more"),
    "sub_type": ("unknown", "equal", "kin", "different"),
    "phone": ("unknown", "equal", "different"),
    "email": ("unknown", "equal", "different"),
    "name": ("unknown", "equal", "different"),
    "text": ("unknown", "equal", "90%", "60%", "30%", "12%", "less"),
    "parcel": ("unknown", "equal", "different"),
    "listing": ("unknown", "equal", "different"),
    "source": ("other", "same"),
    "kind": ("unknown", "lease", "sale"),
}
# Fields that say more together than each for itself: a number for every pair of levels.
CROSSES = (
    ("price", "area"),
    ("price", "distance"),
    ("price", "street"),
    ("price", "text"),
    ("price", "phone"),
    ("area", "distance"),
    ("area", "unit"),
    ("text", "phone"),
)
_PLAIN_FIELDS = tuple(LEVELS)
LEVELS |= {
    f"{one}*{other}": ("unknown", *(f"{a}*{b}" for a in LEVELS[one][1:] for b in LEVELS[other][1:]))
    for one, other in CROSSES
}
FIELDS = tuple(LEVELS)
LEVELS_MOST = max(map(len, LEVELS.values()))

_METRES_PER_STEP = 11.1195
_SIMILAR_STREET = 0.55
_OTHER_SIZE_SHARE = 0.1
_KIN_PAIRS = ((1, 2), (2, 3), (3, 4), (3, 5), (4, 5), (4, 6), (6, 7), (1, 7), (1, 8), (2, 7))
_KIN = np.zeros((16, 16), dtype=np.bool_)
for _one, _other in _KIN_PAIRS:
    _KIN[_one, _other] = _KIN[_other, _one] = True


def is_excluded(left: Columns, right: Columns) -> Flags:
    """Pairs that are never one lead: one for lease and one for sale, two ids of a source at
    which one home has one id, both beds and area plainly different, as the plans of one
    complex are that a single text offers from the office's door, or one text posted for flats
    of different size or rooms."""
    same_source = (left["source"] == right["source"]) & left["stable_ids"] & right["stable_ids"]
    excluded: Flags = same_source & (left["identity"] != right["identity"])
    excluded |= _is_other_size(left, right)
    excluded |= _is_copy_for_another_flat(left, right)
    excluded |= (left["kind"] == LEASE) & (right["kind"] == SALE)
    excluded |= (left["kind"] == SALE) & (right["kind"] == LEASE)
    return excluded


def _is_other_size(left: Columns, right: Columns) -> Flags:
    told = (left["bedrooms"] >= 0) & (right["bedrooms"] >= 0)
    told &= (left["area"] > 0) & (right["area"] > 0)
    larger = np.maximum(left["area"], right["area"])
    apart = np.abs(left["area"] - right["area"]) > larger * _OTHER_SIZE_SHARE
    other: Flags = told & (left["bedrooms"] != right["bedrooms"]) & apart
    return other


def _is_copy_for_another_flat(left: Columns, right: Columns) -> Flags:
    """Who posts a text again for the same flat leaves its size as it was; advertisers with
    many flats change size and rooms, and nothing else."""
    copied = (left["letters"] == right["letters"]) & (left["letters"] > 0)
    copied &= (left["source"] == right["source"]) & (_is_flat(left) | _is_flat(right))
    other = (left["area"] > 0) & (right["area"] > 0) & (left["area"] != right["area"])
    rooms = (left["bedrooms"] >= 0) & (right["bedrooms"] >= 0)
    other |= rooms & (left["bedrooms"] != right["bedrooms"])
    excluded: Flags = copied & other
    return excluded


def doors_of(left: Columns, right: Columns) -> NDArray[np.uint8]:
    """Which of `DOORS` each pair is."""
    named = (left["number"] > 0) & (left["street"] > 0)
    named &= (right["number"] > 0) & (right["street"] > 0)
    number = left["number"] == right["number"]
    street = left["street"] == right["street"]
    units = (left["unit"] > 0) & (right["unit"] > 0)
    unit = left["unit"] == right["unit"]
    at_door = number & street
    return np.select(
        [
            ~named & (_is_flat(left) | _is_flat(right)),
            ~named,
            at_door & units & unit,
            at_door & units & ~unit,
            at_door & (left["unit"] == right["unit"]) & is_house(left) & is_house(right),
            at_door,
            number & (_street_likeness(left, right) >= _SIMILAR_STREET) & ~(units & ~unit),
        ],
        [UNKNOWN_FLAT, UNKNOWN_HOUSE, SAME_UNIT, OTHER_UNIT, SAME_HOUSE, SAME_BUILDING, SIMILAR],
        default=OTHER_DOOR,
    ).astype(np.uint8)


def levels_of(left: Columns, right: Columns) -> Levels:
    """(pairs, fields) levels of agreement, in the order of `FIELDS`."""
    found = (
        _street_level(left, right),
        (left["unit"] > 0).astype(np.uint8) + (right["unit"] > 0),
        _equality(left["postal_code"], right["postal_code"]),
        _distance_level(left, right),
        _count_level(left["bedrooms"], right["bedrooms"], 1),
        _count_level(left["half_bathrooms"], right["half_bathrooms"], 2),
        _ratio_level(left["area"], right["area"], (0.0, 0.02, 0.06, 0.15)),
        _ratio_level(left["lot"], right["lot"], (0.01, 0.10)),
        _count_level(left["year"], right["year"], 2),
        _ratio_level(left["price"], right["price"], (0.0, 0.02, 0.08, 0.20, 0.35)),
        _sub_type_level(left["sub_type"], right["sub_type"]),
        _equality(left["phone"], right["phone"]),
        _equality(left["email"], right["email"]),
        _equality(left["name"], right["name"]),
        _text_level(left, right),
        _equality(left["parcel"], right["parcel"]),
        _equality(left["listing"], right["listing"]),
        left["source"] == right["source"],
        np.maximum(left["kind"], right["kind"]),
    )
    plain = dict(zip(_PLAIN_FIELDS, (each.astype(np.uint8) for each in found), strict=True))
    crossed = (_crossed(plain, one, other) for one, other in CROSSES)
    return np.stack([*plain.values(), *crossed], axis=1)


def _crossed(plain: Mapping[str, Levels], one: str, other: str) -> Levels:
    """0 where either is not told, else the place of the pair of levels among all pairs."""
    first, second = plain[one], plain[other]
    told = (first > 0) & (second > 0)
    place = (first - 1) * (len(LEVELS[other]) - 1) + second
    return np.where(told, place, 0).astype(np.uint8)


def text_likeness(left: Column, right: Column) -> NDArray[np.float64]:
    """Estimated Jaccard likeness in [0, 1] of pairs of sketches, each (pairs, 24)."""
    likeness: NDArray[np.float64] = (left == right).mean(axis=1)
    return likeness


def _is_flat(columns: Columns) -> Flags:
    flat: Flags = (columns["unit"] > 0) | np.isin(columns["sub_type"], SHARED_SUB_TYPES)
    return flat


def _street_likeness(left: Columns, right: Columns) -> NDArray[np.float64]:
    """Dice likeness of the letter pairs of two street names."""
    one, other = left["street_letters"], right["street_letters"]
    total = np.bitwise_count(one).astype(np.int16) + np.bitwise_count(other)
    likeness: NDArray[np.float64] = 2 * np.bitwise_count(one & other) / np.maximum(total, 1)
    return likeness


def _street_level(left: Columns, right: Columns) -> Levels:
    unknown = (left["street"] == 0) | (right["street"] == 0)
    return _first(
        unknown,
        left["whole_street"] == right["whole_street"],
        left["street"] == right["street"],
        _street_likeness(left, right) >= _SIMILAR_STREET,
    )


def _distance_level(left: Columns, right: Columns) -> Levels:
    unknown = (left["latitude"] == 0) | (right["latitude"] == 0)
    north = (left["latitude"] - right["latitude"]) * _METRES_PER_STEP
    shrink = np.cos(np.radians((left["latitude"] + right["latitude"]) * 0.5e-4))
    east = (left["longitude"] - right["longitude"]) * _METRES_PER_STEP * shrink
    metres: Column = np.hypot(north, east)
    return _first(unknown, *(metres <= most for most in (25, 80, 200, 500, 2_000)))


def _count_level(one: Column, other: Column, near: int) -> Levels:
    difference = np.abs(one.astype(np.int32) - other)
    return _first((one < 0) | (other < 0), difference == 0, difference <= near)


def _ratio_level(one: Column, other: Column, shares: tuple[float, ...]) -> Levels:
    """Steps of the difference as a share of the larger; 0 and less is unknown."""
    larger = np.maximum(np.maximum(one, other), 1)
    share = np.abs(one.astype(np.int64) - other) / larger
    return _first((one <= 0) | (other <= 0), *(share <= most for most in shares))


def _sub_type_level(one: Column, other: Column) -> Levels:
    return _first((one == 0) | (other == 0), one == other, _KIN[one, other])


def _equality(one: Column, other: Column) -> Levels:
    return _first((one == 0) | (other == 0), one == other)


def _text_level(left: Columns, right: Columns) -> Levels:
    one, other = left["text"], right["text"]
    unknown = ~(has_text(one) & has_text(other))
    copied = (left["letters"] == right["letters"]) & (left["letters"] > 0)
    likeness: Column = text_likeness(one, other)
    return _first(unknown, copied, *(likeness >= least for least in (0.9, 0.6, 0.3, 0.12)))


def _first(unknown: Column, *steps: Column) -> Levels:
    """0 where unknown, else 1 + the first step that holds, or one past the last."""
    return np.select([unknown, *steps], range(len(steps) + 1), default=len(steps) + 1).astype(
        np.uint8
    )
