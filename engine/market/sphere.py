"""Distances on a sphere of the mean Earth radius: up to 0.6 % off those on the ellipsoid.

They are compared by their chords: the square of the chord through the unit sphere is four
times the haversine of the angle, and needs no trigonometry once points are vectors.
"""

from __future__ import annotations

from math import asin, cos, degrees, pi, radians, sin
from typing import TypeVar

import numpy as np
import numpy.typing as npt

EARTH_RADIUS_M = 6_371_008.8

Vector = tuple[float, float, float]
Number = TypeVar("Number", float, npt.NDArray[np.float64])
# A circle's box is widened by this, about a centimetre, against rounding.
_MARGIN_DEGREES = 1e-7


def unit_vector(latitude: float, longitude: float) -> Vector:
    """Where a point in degrees lies on the unit sphere."""
    north, east = radians(latitude), radians(longitude)
    return cos(north) * cos(east), cos(north) * sin(east), sin(north)


def chord_squared(one: tuple[Number, Number, Number], other: Vector) -> Number:
    """Of one point or of many to `other`, the same to the last bit."""
    x, y, z = one[0] - other[0], one[1] - other[1], one[2] - other[2]
    return x * x + y * y + z * z


def chord_squared_of(distance_m: float) -> float:
    """What `chord_squared` is at a great-circle distance; beyond all from half round the Earth."""
    angle = distance_m / EARTH_RADIUS_M
    return 5.0 if angle >= pi else 4 * sin(angle / 2) ** 2


def box_around(
    latitude: float, longitude: float, radius_m: float
) -> tuple[float, float, float, float]:
    """(west, south, east, north) of a box that holds the circle, in degrees.

    A circle over a pole or the 180th meridian gets the whole round.
    """
    angle = radius_m / EARTH_RADIUS_M
    reach = degrees(angle) + _MARGIN_DEGREES
    south, north = latitude - reach, latitude + reach
    if south <= -90 or north >= 90:
        return -180.0, south, 180.0, north
    # Half the width of the circle, whose widest parallel lies poleward of its centre.
    width = degrees(asin(sin(angle) / cos(radians(latitude)))) + _MARGIN_DEGREES
    west, east = longitude - width, longitude + width
    if west < -180 or east > 180:
        return -180.0, south, 180.0, north
    return west, south, east, north
