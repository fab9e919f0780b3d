"""Where a record says its home stands: ZIP, city, state and coordinates made to agree.

What the others determine is filled in; of a contradiction the claim that stands alone is
dropped; where no side has more for it nothing is decided and both are doubted.
"""

from __future__ import annotations

from collections.abc import Mapping

from rapidfuzz import fuzz

from engine.intake.cleaning.notes import doubted, noted, respelled
from engine.intake.cleaning.postal import (
    Point,
    PostalArea,
    cities_of,
    city_key,
    postal_area,
    reaches,
)
from engine.intake.cleaning.states import state_code
from engine.intake.record import SourceRecord
from engine.market_directory import Market

_DOUBT = 0.3
_CITY_LIKENESS_LEAST = 88.0
# Rules whose value comes from the ZIP: it does not speak for the ZIP, and goes with it.
_FROM_POSTAL = {"state_or_province": "state-of-zip", "city": "city-of-zip"}

Markets = Mapping[str, Market]


def clean_whereabouts(record: SourceRecord, markets: Markets) -> SourceRecord:
    """The record with its places in agreement, as far as they determine one another."""
    record = _with_usable_point(record, markets)
    area = _area_of(record)
    if area is not None:
        record = _with_state_of(record, area, markets)
        if record.postal_code is not None and record.state_or_province == area.state:
            record = _with_city_of(record, area)
        if record.postal_code is not None and record.state_or_province == area.state:
            record = _with_point_near(record, area, markets)
    elif record.postal_code is not None:
        record = doubted(record, "unknown-zip", _DOUBT, "postal_code")
    if record.postal_code is None:
        record = _with_state_of_market(record, markets)
        record = _with_postal_code_of_city(record)
    return _with_city_name(record)


def point_of(record: SourceRecord) -> Point | None:
    latitude, longitude = record.contact.latitude, record.contact.longitude
    return None if latitude is None or longitude is None else (latitude, longitude)


def _area_of(record: SourceRecord) -> PostalArea | None:
    return postal_area(record.postal_code) if record.postal_code is not None else None


def clean_state(record: SourceRecord) -> SourceRecord:
    """The state by its two letters; none that there isn't."""
    stated = record.state_or_province
    if stated is None:
        return record
    code = state_code(stated)
    if code is None:
        return noted(record, "unknown-state", _DOUBT, state_or_province=None)
    return respelled(record, "state-code", state_or_province=code)


def _with_usable_point(record: SourceRecord, markets: Markets) -> SourceRecord:
    """Coordinates with their sign lost or in the wrong order, where the place confirms it."""
    point = point_of(record)
    if point is None or _is_plausible(point, record, markets):
        return record
    latitude, longitude = point
    for candidate in ((latitude, -longitude), (longitude, latitude), (-longitude, latitude),
                      (longitude, -latitude)):  # fmt: skip
        if _is_plausible(candidate, record, markets):
            return noted(
                record, "coordinates-turned", 0.8, latitude=candidate[0], longitude=candidate[1]
            )
    return record


def _is_plausible(point: Point, record: SourceRecord, markets: Markets) -> bool:
    area = _area_of(record)
    if area is not None and reaches(area, point):
        return True
    return any(market.contains(*point) for market in markets.values())


def _with_state_of(record: SourceRecord, area: PostalArea, markets: Markets) -> SourceRecord:
    state = record.state_or_province
    if state is None:
        return noted(record, "state-of-zip", 0.95, state_or_province=area.state)
    if state == area.state:
        return record
    for_postal, for_state = _votes(record, area, state, markets)
    if for_postal > for_state:
        return noted(record, "state-of-zip", 0.8, state_or_province=area.state)
    if for_state > for_postal:
        return _without_postal_code(record, "zip-of-another-state")
    return doubted(record, "zip-contradicts-state", _DOUBT, "postal_code", "state_or_province")


def _votes(record: SourceRecord, area: PostalArea, state: str, markets: Markets) -> tuple[int, int]:
    """How many of city, coordinates and market speak for the ZIP's state, and for `state`."""
    for_postal = for_state = 0
    name = city_key(record.city) if record.city and not _is_from_postal(record, "city") else None
    for_postal += name in area.names
    for_state += name is not None and name not in area.names and name in cities_of(state)
    point = point_of(record)
    if point is not None:
        for_postal += reaches(area, point)
        for_state += any(m.state == state and m.contains(*point) for m in markets.values())
    hint = markets.get(record.market or "")
    if hint is not None:
        for_postal += hint.state == area.state
        for_state += hint.state == state
    return for_postal, for_state


def _with_city_of(record: SourceRecord, area: PostalArea) -> SourceRecord:
    if record.city is None:
        return noted(record, "city-of-zip", 0.85, city=area.city)
    name = city_key(record.city)
    if name in area.names:
        return record
    elsewhere = cities_of(area.state).get(name)
    if elsewhere is None:
        return _with_city_spelled(record, area, name)
    # Neighbours answer to each other's names: only a city far away contradicts.
    if any(reaches(area, each.point) for each in elsewhere):
        return record
    point = point_of(record)
    if point is not None and reaches(area, point):
        return noted(record, "city-of-zip", 0.7, city=area.city)
    if point is not None and any(reaches(each, point) for each in elsewhere):
        return _without_postal_code(record, "zip-of-another-city")
    return doubted(record, "zip-contradicts-city", _DOUBT, "postal_code", "city")


def _with_city_spelled(record: SourceRecord, area: PostalArea, name: str) -> SourceRecord:
    """`Las Vegsa` is Las Vegas; a name unlike the ZIP's is a neighbourhood's, and stays."""
    if fuzz.ratio(name, city_key(area.city)) < _CITY_LIKENESS_LEAST:
        return record
    return noted(record, "city-spelling", 0.9, city=area.city)


def _with_point_near(record: SourceRecord, area: PostalArea, markets: Markets) -> SourceRecord:
    point = point_of(record)
    if point is None or reaches(area, point):
        return record
    named = record.city is not None and not _is_from_postal(record, "city")
    if named and city_key(record.city or "") in cities_of(area.state):
        return noted(record, "coordinates-far-from-zip", _DOUBT, latitude=None, longitude=None)
    hint = markets.get(record.market or "")
    if hint is not None and hint.contains(*area.point) and not hint.contains(*point):
        return noted(record, "coordinates-far-from-zip", _DOUBT, latitude=None, longitude=None)
    if hint is not None and hint.contains(*point) and not hint.contains(*area.point):
        return _without_postal_code(record, "zip-far-from-coordinates")
    return doubted(
        record, "coordinates-far-from-zip", _DOUBT, "postal_code", "latitude", "longitude"
    )


def _without_postal_code(record: SourceRecord, rule: str) -> SourceRecord:
    """Without the ZIP and without what was only known from it."""
    for name in _FROM_POSTAL:
        if _is_from_postal(record, name):
            record = noted(record, rule, _DOUBT, **{name: None})
    return noted(record, rule, _DOUBT, postal_code=None)


def _is_from_postal(record: SourceRecord, name: str) -> bool:
    note = record.notes.get(name)
    return note is not None and note.rule == _FROM_POSTAL[name]


def _with_state_of_market(record: SourceRecord, markets: Markets) -> SourceRecord:
    """The state of the market in which the point lies, or of the one named after the city."""
    if record.state_or_province is not None:
        return record
    point = point_of(record)
    if point is not None:
        states = {market.state for market in markets.values() if market.contains(*point)}
        if len(states) == 1:
            return noted(record, "state-of-coordinates", 0.85, state_or_province=states.pop())
        return record
    hint = markets.get(record.market or "")
    if hint is None or record.city is None:
        return record
    areas = cities_of(hint.state).get(city_key(record.city), ())
    if not any(hint.contains(*area.point) for area in areas):
        return record
    return noted(record, "state-of-market", 0.7, state_or_province=hint.state)


def _with_postal_code_of_city(record: SourceRecord) -> SourceRecord:
    """The ZIP of a city that has one, unless the point says that it is another city."""
    if record.city is None or record.state_or_province is None or "postal_code" in record.notes:
        return record
    areas = cities_of(record.state_or_province).get(city_key(record.city), ())
    point = point_of(record)
    if len(areas) != 1 or (point is not None and not reaches(areas[0], point)):
        return record
    return noted(record, "zip-of-city", 0.6, postal_code=areas[0].postal_code)


def _with_city_name(record: SourceRecord) -> SourceRecord:
    """`LAS VEGAS` and `las vegas` as Las Vegas, `Ft Worth` as Fort Worth."""
    city, state = record.city, record.state_or_province
    if city is None or state is None:
        return record
    name = city_key(city)
    if not (city.isupper() or city.islower() or name != city.upper()):
        return record
    areas = cities_of(state).get(name, ())
    proper = next((area.city for area in areas if city_key(area.city) == name), None)
    if proper is None or proper == city:
        return record
    return respelled(record, "city-spelling", city=proper)
