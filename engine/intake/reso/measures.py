"""Rooms and areas of a Property, in our units; each derived value is noted with its rule."""

from __future__ import annotations

from engine.intake.readings import area_of, bathrooms_of, number_of, whole_of
from engine.intake.reso.row import Row

SQUARE_FEET_PER_ACRE = 43_560
SQUARE_FEET_PER_SQUARE_METER = 10.763_910_416_7

_FACTORS = {
    "Square Feet": 1.0,
    "Square Meters": SQUARE_FEET_PER_SQUARE_METER,
    "Acres": float(SQUARE_FEET_PER_ACRE),
}
_PARTIAL = ("BathroomsThreeQuarter", "BathroomsHalf", "BathroomsOneQuarter", "BathroomsPartial")
_WORTH = {"BathroomsThreeQuarter": 0.75, "BathroomsOneQuarter": 0.25}


def bathrooms(row: Row) -> tuple[int | None, float | None]:
    """(BathroomsTotalInteger, the number as stated), the sum of the kinds if no total is.

    The dictionary defines the total as the simple sum: two full and a half bath are three.
    """
    field = "bathrooms_total_integer"
    summed, worth = _by_kind(row, field)
    row.forget(field)
    total, _ = row.number("BathroomsTotalInteger", field, _baths) or (None, None)
    if total is not None:
        return total, worth if summed == total else float(total)
    decimal, stated = row.number("BathroomsTotalDecimal", field, _baths) or (None, None)
    if decimal is not None:
        row.note(field, "decimal-bathrooms", 0.9)
        return decimal, stated
    if summed is not None:
        row.note(field, "sum-of-bathrooms", 0.9)
    return summed, worth


def _by_kind(row: Row, field: str) -> tuple[int | None, float | None]:
    """(how many, how many full ones they are worth). Full baths alone leave open whether
    there are half ones."""
    full = row.number("BathroomsFull", field, _count)
    partial = {name: row.number(name, field, _count) for name in _PARTIAL}
    counted = {name: count for name, count in partial.items() if count is not None}
    if full is None or not counted:
        return None, None
    worth = sum(count * _WORTH.get(name, 0.5) for name, count in counted.items())
    return full + sum(counted.values()), full + worth


def living_area(row: Row) -> int | None:
    """Square feet. An area without units is in square feet, as US servers leave them out."""
    units = row.choice("LivingAreaUnits", "living_area")
    if units is None and "living_area" in row.notes:
        return None
    return _area(row, "LivingArea", "living_area", units or "Square Feet")


def lot_size_square_feet(row: Row) -> int | None:
    """Square feet as stated, else from acres, else from the area in its stated units."""
    field = "lot_size_square_feet"
    for name, units in (("LotSizeSquareFeet", "Square Feet"), ("LotSizeAcres", "Acres")):
        row.forget(field)
        stated = _area(row, name, field, units)
        if stated is not None:
            return stated
    stated_units = row.choice("LotSizeUnits", field)
    return _area(row, "LotSizeArea", field, stated_units) if stated_units else None


def _area(row: Row, name: str, field: str, units: str) -> int | None:
    factor = _FACTORS[units]
    area = row.number(name, field, lambda cell: _scaled(cell, factor))
    if area is not None and factor != 1.0:
        row.note(field, f"from-{units.lower().replace(' ', '-')}", 0.98)
    return area


def _scaled(cell: object, factor: float) -> int | None:
    value = number_of(cell)
    return area_of(value * factor) if value is not None else None


def _baths(cell: object) -> tuple[int, float] | None:
    rooms, stated = bathrooms_of(cell)
    return None if rooms is None or stated is None else (rooms, stated)


def _count(cell: object) -> int | None:
    return whole_of(cell, 0, 100)
