"""What the United States' ZIP codes tell: their state, their cities' names, their middle.

The table is the `zipcodes` package's, compiled in: nothing is fetched. The first look-up
takes a quarter of a second and 40 MB; every ZIP and state is looked up once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import zipcodes

# How far from the middle of its ZIP a home may stand: in and around cities areas measure a few
# kilometres; in the desert the next ZIP is far, and the area reaches most of the way to it.
NEAR_KM = 40.0
_REACH_OF_NEXT = 1.5
_KM_PER_DEGREE = 111.2
_POSTAL = re.compile(r"\d{5}")
_NOT_PLAIN = re.compile(r"[^A-Z0-9]+")
_SPELLED_OUT = {
    **{"FT": "FORT", "MT": "MOUNT", "ST": "SAINT", "STE": "SAINTE", "SPGS": "SPRINGS"},
    **{"N": "NORTH", "S": "SOUTH", "E": "EAST", "W": "WEST", "HTS": "HEIGHTS", "VLG": "VILLAGE"},
}

Point = tuple[float, float]


class PostalArea(NamedTuple):
    """One ZIP. `city` is the name the post prefers; `names` are the keys of all it knows;
    `point` is (latitude, longitude); `has_homes` is false of post boxes and single firms."""

    postal_code: str
    state: str
    city: str
    names: frozenset[str]
    point: Point
    has_homes: bool


@lru_cache(maxsize=8_192)
def postal_area(postal_code: str) -> PostalArea | None:
    """The area of a five-digit ZIP, None if there is none of that number."""
    if not _POSTAL.fullmatch(postal_code):
        return None
    rows = zipcodes.matching(postal_code)  # type: ignore[no-untyped-call]
    return next(map(_area, rows), None)


@lru_cache(maxsize=64)
def cities_of(state: str) -> Mapping[str, tuple[PostalArea, ...]]:
    """The areas of each city of a state by `city_key`, those with homes only."""
    found: dict[str, list[PostalArea]] = {}
    for area in _areas_of(state):
        for name in area.names:
            found.setdefault(name, []).append(area)
    return {name: tuple(areas) for name, areas in found.items()}


@lru_cache(maxsize=64)
def _areas_of(state: str) -> tuple[PostalArea, ...]:
    rows = zipcodes.filter_by_state(state)  # type: ignore[no-untyped-call]
    return tuple(area for area in map(_area, rows) if area.has_homes)


@lru_cache(maxsize=16_384)
def city_key(city: str) -> str:
    """One spelling per city: `FORT WORTH` of `Ft. Worth`."""
    words = _NOT_PLAIN.sub(" ", city.upper().replace(".", "").replace("'", "")).split()
    return " ".join(_SPELLED_OUT.get(word, word) for word in words)


def reaches(area: PostalArea, point: Point) -> bool:
    """Whether a home of the area may stand at the point."""
    distance = distance_km(area.point, point)
    return distance <= NEAR_KM or distance <= _reach_km(area)


@lru_cache(maxsize=8_192)
def _reach_km(area: PostalArea) -> float:
    others = (each for each in _areas_of(area.state) if each.postal_code != area.postal_code)
    nearest = min((distance_km(area.point, each.point) for each in others), default=0.0)
    return nearest * _REACH_OF_NEXT


def distance_km(one: Point, other: Point) -> float:
    """Along a flat map of the region: right to a percent over a few hundred kilometres."""
    north = one[0] - other[0]
    east = (one[1] - other[1]) * math.cos(math.radians((one[0] + other[0]) / 2))
    return _KM_PER_DEGREE * math.hypot(north, east)


def _area(row: Mapping[str, Any]) -> PostalArea:
    names = (row["city"], *row["acceptable_cities"], *row["unacceptable_cities"])
    return PostalArea(
        postal_code=row["zip_code"],
        state=row["state"],
        city=row["city"],
        names=frozenset(map(city_key, names)),
        point=(float(row["lat"]), float(row["long"])),
        has_homes=row["zip_code_type"] == "STANDARD" and row["active"],
    )
