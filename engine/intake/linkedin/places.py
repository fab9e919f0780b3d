"""Which of our markets a stated place is, if any."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from engine.intake.cleaning.states import state_code
from engine.intake.readings import coordinates_of, text_of
from engine.intake.stated_json import cell_in
from engine.market_directory import Market

_NOT_LETTER = re.compile(r"[\W\d_]+")
_LENGTH_MAX = 200


class StatedPlace(msgspec.Struct, frozen=True):
    """City and state as stated, `TX` or `Texas`; `line` is the place in one line."""

    city: str | None = None
    state: str | None = None
    line: str | None = None
    latitude: float | None = None
    longitude: float | None = None


def place_in_line(cell: object) -> StatedPlace:
    """`Las Vegas, NV`, `Dallas, Texas, United States`, `Greater Phoenix Area`."""
    line = _line(cell)
    parts = [part.strip() for part in (line or "").split(",")]
    states = [part for part in parts if state_code(part) is not None]
    # New York is a city too where a state follows.
    is_state = len(states) == 1 and parts[0] == states[0]
    city = None if is_state else parts[0] or None
    return StatedPlace(city, states[-1] if states else None, line)


def place_of_address(address: object, place: object = None) -> StatedPlace:
    """schema.org's PostalAddress, whose locality may be a whole line, and the Place that
    it may stand in, which may have coordinates."""
    locality, region = (
        _line(cell_in(address, "addressLocality")),
        _line(cell_in(address, "addressRegion")),
    )
    latitude, longitude = coordinates_of(cell_in(place, "latitude"), cell_in(place, "longitude"))
    stated = place_in_line(locality)
    line = ", ".join(part for part in (locality, region) if part) or None
    return StatedPlace(stated.city, region or stated.state, line, latitude, longitude)


def market_of(place: StatedPlace, markets: Mapping[str, Market]) -> str | None:
    """The market's slug: by coordinates, else by a name of the market in the city's, if no
    other state is stated."""
    for market in markets.values():
        if place.latitude is not None and place.longitude is not None:
            if market.contains(place.latitude, place.longitude):
                return market.slug
            continue
        state = state_code(place.state) if place.state else None
        if state in {None, market.state} and _names(market, place.city):
            return market.slug
    return None


def _names(market: Market, city: str | None) -> bool:
    """`Dallas/Fort Worth` is named by `Fort Worth` and by `Dallas-Fort Worth Metroplex`."""
    words = f" {_words(city or '')} "
    return any(f" {_words(name)} " in words for name in market.name.split("/"))


def _words(text: str) -> str:
    return _NOT_LETTER.sub(" ", text.casefold()).strip()


def _line(cell: object) -> str | None:
    text = text_of(cell) if isinstance(cell, str) else None
    return " ".join(text.split())[:_LENGTH_MAX] if text else None
