"""Where a GeoJSON or ArcGIS shape stands: its point, or the middle of its largest ring."""

from __future__ import annotations

import math
from collections.abc import Sequence

POINTS_MAX = 100_000
WGS84 = frozenset({4326, "4326"})


def point_of(geometry: object) -> tuple[float, float] | None:
    """(latitude, longitude) of a GeoJSON geometry, None if it tells none in degrees.

    A Point or the first of a MultiPoint; the centroid of a Polygon's outer ring, of the
    largest one of a MultiPolygon.
    """
    if not isinstance(geometry, dict):
        return None
    kind, coordinates = geometry.get("type"), geometry.get("coordinates")
    if not isinstance(coordinates, list) or not coordinates:
        return None
    if kind == "Point":
        return _position(coordinates)
    if kind == "MultiPoint":
        return _position(coordinates[0])
    if kind == "Polygon":
        return _middle(coordinates[:1])
    if kind == "MultiPolygon":
        return _middle([part[0] for part in coordinates if isinstance(part, list) and part])
    return None


def arcgis_point_of(geometry: object, is_degrees: bool) -> tuple[float, float] | None:
    """(latitude, longitude) of an ArcGIS geometry; None unless it is in WGS 84 degrees."""
    if not isinstance(geometry, dict) or not is_degrees:
        return None
    if "x" in geometry:
        return _position([geometry.get("x"), geometry.get("y")])
    rings = geometry.get("rings")
    return _middle(rings) if isinstance(rings, list) else None


def _position(pair: object) -> tuple[float, float] | None:
    if not isinstance(pair, list) or len(pair) < 2:
        return None
    longitude, latitude = pair[0], pair[1]
    if type(longitude) not in (int, float) or type(latitude) not in (int, float):
        return None
    if not (-180 <= longitude <= 180 and -90 <= latitude <= 90):
        return None
    return (float(latitude), float(longitude)) if (latitude or longitude) else None


def _middle(rings: Sequence[object]) -> tuple[float, float] | None:
    measured = [_centroid(ring) for ring in rings[:1_000] if isinstance(ring, list)]
    known = [each for each in measured if each is not None]
    return max(known)[1] if known else None


def _centroid(ring: list[object]) -> tuple[float, tuple[float, float]] | None:
    """(area, centroid) of a closed ring; None if a position is no degrees or it has no area."""
    points = [_position(pair) for pair in ring[:POINTS_MAX]]
    known = [point for point in points if point is not None]
    if len(known) < 3 or len(known) != len(points):
        return None
    # Measured from the first point: degrees of large magnitude would cancel badly.
    origin = known[0]
    area = north = east = 0.0
    for one, next_one in zip(known, known[1:] + known[:1], strict=True):
        y0, x0 = one[0] - origin[0], one[1] - origin[1]
        y1, x1 = next_one[0] - origin[0], next_one[1] - origin[1]
        cross = x0 * y1 - x1 * y0
        area += cross
        north += (y0 + y1) * cross
        east += (x0 + x1) * cross
    if area == 0 or not math.isfinite(area):
        return None
    latitude, longitude = origin[0] + north / (3 * area), origin[1] + east / (3 * area)
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        return None
    return abs(area), (latitude, longitude)
