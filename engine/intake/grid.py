"""The public place of a lead: a fixed grid of about 200 m, so that nobody finds the door."""

from __future__ import annotations

import math

# 0.0018 degrees of latitude are 200 m; a degree of longitude shrinks with the latitude.
_STEP_DEGREES = 0.0018
_LEAST_COSINE = 0.01


def round_point(latitude: float, longitude: float) -> tuple[float, float]:
    """The grid point nearest to a place, at most about 142 m from it.

    The same place always gives the same point, and a grid point gives itself. Raises
    ValueError when the place is not on the globe.
    """
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise ValueError(f"({latitude}, {longitude}) is no place in degrees latitude, longitude")
    row = round(latitude / _STEP_DEGREES)
    row_latitude = max(-90.0, min(90.0, row * _STEP_DEGREES))
    step = _STEP_DEGREES / max(math.cos(math.radians(row_latitude)), _LEAST_COSINE)
    column = round(longitude / step)
    column_longitude = max(-180.0, min(180.0, column * step))
    return round(row_latitude, 6), round(column_longitude, 6)
