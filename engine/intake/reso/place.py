"""Where a Property stands, from the dictionary's address fields."""

from __future__ import annotations

from typing import NamedTuple

from engine.intake.address import normal_unit, split_unit
from engine.intake.readings import (
    coordinates_of,
    number_of,
    postal_code_of,
    state_of,
    whole_of,
)
from engine.intake.reso.row import Row
from engine.intake.tables import whole_address

_FIELD = "street_address"


class Place(NamedTuple):
    """`unparsed` is the whole address in one line; degrees come both or not at all."""

    street: str | None
    unit: str | None
    unparsed: str | None
    city: str | None
    state: str | None
    postal_code: str | None
    latitude: float | None
    longitude: float | None

    @property
    def is_known(self) -> bool:
        """Whether anything tells where the home is, be it only its city."""
        return any(
            part is not None for part in (self.street, self.city, self.postal_code, self.latitude)
        )


def place_of(row: Row) -> Place:
    """The place, without the door and the coordinates where the seller does not allow the
    address to be shown (InternetAddressDisplayYN)."""
    city = row.text("City", "city")
    state = state_of(row.text("StateOrProvince", "state_or_province"))
    postal_code = postal_code_of(row.text("PostalCode", "postal_code"))
    if row.denies("InternetAddressDisplayYN"):
        row.note(_FIELD, "address-not-displayed", 0.0)
        return Place(None, None, None, city, state, postal_code, None, None)
    street, unit = _door(row)
    latitude, longitude = _coordinates(row)
    return Place(
        street=street,
        unit=normal_unit(unit),
        unparsed=_one_line(row, street, unit, city, state, postal_code),
        city=city,
        state=state,
        postal_code=postal_code,
        latitude=latitude,
        longitude=longitude,
    )


def _door(row: Row) -> tuple[str | None, str | None]:
    """(street, unit): of the parts if they have a number, else of the unparsed line."""
    unit = row.text("UnitNumber", "unit_number")
    number, street = _street_of_parts(row)
    unparsed = row.text("UnparsedAddress", _FIELD)
    if unparsed and (street is None or (number is None and unparsed[0].isdigit())):
        line, unit_in_line = split_unit(unparsed)
        return line or None, unit or unit_in_line
    return street, unit


def _street_of_parts(row: Row) -> tuple[str | None, str | None]:
    name = row.text("StreetName", _FIELD)
    if name is None:
        return None, None
    number = row.text("StreetNumber", _FIELD) or _numeric(row)
    suffix = row.text("StreetSuffix", _FIELD)
    if suffix and name.lower().split()[-1] == suffix.lower():
        suffix = None
    parts = (
        number,
        row.text("StreetDirPrefix", _FIELD),
        name,
        suffix,
        row.text("StreetSuffixModifier", _FIELD),
        row.text("StreetDirSuffix", _FIELD),
    )
    return number, " ".join(part for part in parts if part)


def _numeric(row: Row) -> str | None:
    number = row.number("StreetNumberNumeric", _FIELD, lambda cell: whole_of(cell, 1, 10_000_000))
    return None if number is None else str(number)


def _one_line(
    row: Row,
    street: str | None,
    unit: str | None,
    city: str | None,
    state: str | None,
    postal_code: str | None,
) -> str | None:
    unparsed = row.text("UnparsedAddress", _FIELD)
    if unparsed and "," in unparsed:
        return unparsed
    door = f"{street} {unit}" if street and unit else street
    return whole_address(unparsed or door, city, state, postal_code)


def _coordinates(row: Row) -> tuple[float | None, float | None]:
    return coordinates_of(
        row.number("Latitude", "latitude", number_of),
        row.number("Longitude", "longitude", number_of),
    )
