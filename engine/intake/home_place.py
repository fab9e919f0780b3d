"""Where a home stands, as a portal states it."""

from __future__ import annotations

import re

import msgspec

from engine.intake.address import normal_unit, split_unit
from engine.intake.address_words import UNIT_DESIGNATORS
from engine.intake.cleaning.states import state_code
from engine.intake.readings import coordinates_of, postal_code_of, state_of, text_of
from engine.intake.tables import whole_address

_STATE_AND_POSTAL_CODE = re.compile(r"([A-Za-z]{2})(?:\s+(\d{5})(?:-\d{4})?)?")
_UNDISCLOSED = re.compile(r"\(?\s*(?:undisclosed|address not disclosed|no address)", re.I)
_LINE_LENGTH_MAX = 400
_CITY_LENGTH_MAX = 100


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """`line` is the address as it is shown, with its unit, None without a street."""

    street: str | None = None
    unit: str | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    line: str | None = None
    latitude: float | None = None
    longitude: float | None = None

    @property
    def is_known(self) -> bool:
        return any((self.street, self.postal_code)) or self.latitude is not None


def place_of(
    *,
    street: object = None,
    unit: object = None,
    city: object = None,
    state: object = None,
    postal_code: object = None,
    latitude: object = None,
    longitude: object = None,
) -> Place:
    """From cells of their own. A unit inside `street` counts when `unit` says nothing."""
    line = _street_line(street)
    name, unit_in_street = split_unit(line) if line else (None, None)
    unit_line = text_of(unit)
    known_city, known_state = _city(city), _state(state)
    known_postal_code = postal_code_of(postal_code)
    lat, lon = coordinates_of(latitude, longitude)
    shown = f"{line} {unit_line}" if line and unit_line and unit_in_street is None else line
    return Place(
        street=name or None,
        unit=normal_unit(unit_in_street) or normal_unit(unit_line),
        city=known_city,
        state=known_state,
        postal_code=known_postal_code,
        line=whole_address(shown, known_city, known_state, known_postal_code),
        latitude=lat,
        longitude=lon,
    )


def place_in_line(
    cell: object, *, latitude: object = None, longitude: object = None
) -> tuple[Place, str | None]:
    """(place, name of the building) of `The Tremont, 1482 Tremont St #301, Boston, MA 02120`.

    The name stands before a bar or before the street. A line that does not end in a state
    is a street alone.
    """
    text = text_of(cell)
    if text is None or len(text) > _LINE_LENGTH_MAX:
        return place_of(latitude=latitude, longitude=longitude), None
    name, _bar, address = text.rpartition("|")
    parts = [part.strip() for part in address.split(",")]
    match = _STATE_AND_POSTAL_CODE.fullmatch(parts[-1])
    if match is None or len(parts) < 2:
        place = place_of(street=address, latitude=latitude, longitude=longitude)
        return place, text_of(name)
    *before, street = _with_units_joined(parts[:-2]) or [""]
    place = place_of(
        street=street,
        city=parts[-2],
        state=match[1],
        postal_code=match[2],
        latitude=latitude,
        longitude=longitude,
    )
    return place, text_of(name) or text_of(", ".join(before))


def with_unit(place: Place, unit: object) -> Place:
    """The same place with a door of its own."""
    text = text_of(unit)
    number = normal_unit(text)
    if place.street is None or text is None or number is None:
        return place
    return msgspec.structs.replace(
        place,
        unit=number,
        line=whole_address(f"{place.street} {text}", place.city, place.state, place.postal_code),
    )


def _street_line(cell: object) -> str | None:
    text = text_of(cell)
    if text is None or len(text) > _LINE_LENGTH_MAX or _UNDISCLOSED.match(text):
        return None
    return " ".join(text.split())


def _city(cell: object) -> str | None:
    text = text_of(cell)
    return " ".join(text.split()) if text and len(text) <= _CITY_LENGTH_MAX else None


def _state(cell: object) -> str | None:
    text = text_of(cell)
    return state_of(text) or state_code(text[:40]) if text else None


def _with_units_joined(parts: list[str]) -> list[str]:
    """`["1 Main St", "Apt 2"]` is one line."""
    joined: list[str] = []
    for part in parts:
        first = part.split()[0].upper().strip(".:") if part.split() else ""
        if joined and (first.startswith("#") or first in UNIT_DESIGNATORS):
            joined[-1] = f"{joined[-1]}, {part}"
        else:
            joined.append(part)
    return joined
