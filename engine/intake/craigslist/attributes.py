"""What a post states under its map: rooms, area, kind of home and the ticked boxes."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from engine.intake.craigslist.nodes import first
from engine.intake.readings import area_of, bathrooms_of, bedrooms_of

Fact = str | int | float | bool | None

# The choices of the site's own form, so that no advertiser's text is taken for one.
HOUSING_TYPES = frozenset(
    {
        *("apartment", "condo", "cottage/cabin", "duplex", "flat", "house", "in-law", "loft"),
        *("townhouse", "manufactured", "assisted living", "land"),
    }
)
_LAUNDRY = frozenset(
    {
        *("w/d in unit", "w/d hookups", "laundry in bldg", "laundry on site"),
        "no laundry on site",
    }
)
_PARKING = frozenset(
    {
        *("carport", "attached garage", "detached garage", "off-street parking"),
        *("street parking", "valet parking", "no parking"),
    }
)
_BOXES = {
    "cats are OK - purrr": "cats_ok",
    "dogs are OK - wooof": "dogs_ok",
    "no smoking": "no_smoking",
    "furnished": "furnished",
    "wheelchair accessible": "wheelchair_accessible",
    "air conditioning": "air_conditioning",
    "EV charging": "ev_charging",
}
_NAMED = {
    "application fee details": "application_fee",
    "broker fee details": "broker_fee",
    "flooring": "flooring",
}
_FREQUENCIES = {"daily": "Daily", "weekly": "Weekly", "monthly": "Monthly"}
_ROOMS = re.compile(
    r"(?:(\d{1,2})\s*BR\b)?\s*/?\s*(?:(\d{1,2}(?:\.\d)?\+?|shared|split)\s*Ba)?", re.I
)
_AREA = re.compile(r"(\d[\d,]{0,9})\s*(?:ft2?|ft²|sqft)", re.I)
# In the heading: `/ 2br - 900ft2 -`
_BEDROOMS_BESIDE = re.compile(r"(\d{1,2})\s*br\b", re.I)
_AREA_BESIDE = re.compile(r"(\d[\d,]{0,9})\s*(?:ft2?\b|ft²)", re.I)


class Attributes(msgspec.Struct):
    """`bathrooms_stated` is the number as stated, `bathrooms_total` RESO's whole one;
    `is_at_least` that they are as many or more. `facts` go into the record's extra."""

    bedrooms: int | None = None
    bathrooms_total: int | None = None
    bathrooms_stated: float | None = None
    is_at_least: bool = False
    area: int | None = None
    housing_type: str | None = None
    listed_by: str | None = None
    facts: dict[str, Fact] = msgspec.field(default_factory=dict)


def read_attributes(texts: Iterable[str], beside_price: str | None) -> Attributes:
    """`texts` are the attributes, one line each; `beside_price` the heading's `2br - 900ft2`."""
    said = Attributes()
    for text in texts:
        _read(text, said)
    if beside_price:
        if said.bedrooms is None:
            said.bedrooms = bedrooms_of(first(_BEDROOMS_BESIDE, beside_price))
        if said.area is None:
            said.area = area_of(first(_AREA_BESIDE, beside_price))
    return said


def _read(text: str, said: Attributes) -> None:
    if text in _BOXES:
        said.facts[_BOXES[text]] = True
    elif text in HOUSING_TYPES:
        said.housing_type = said.housing_type or text
    elif text in _LAUNDRY:
        said.facts["laundry"] = text
    elif text in _PARKING:
        said.facts["parking"] = text
    elif ":" in text:
        _read_named(text, said)
    else:
        _read_size(text, said)


def _read_named(text: str, said: Attributes) -> None:
    name, _, value = text.partition(":")
    name, value = name.strip().lower(), value.strip()
    if not value:
        return
    if name == "rent period" and value.lower() in _FREQUENCIES:
        said.facts["lease_amount_frequency"] = _FREQUENCIES[value.lower()]
    elif name == "listed by":
        said.listed_by = value
    elif name in _NAMED:
        said.facts[_NAMED[name]] = value


def _read_size(text: str, said: Attributes) -> None:
    if area := _AREA.fullmatch(text):
        said.area = said.area or area_of(area[1])
        return
    rooms = _ROOMS.fullmatch(text)
    if rooms is None or not text:
        return
    if said.bedrooms is None:
        said.bedrooms = bedrooms_of(rooms[1])
    _read_bathrooms((rooms[2] or "").lower(), said)


def _read_bathrooms(stated: str, said: Attributes) -> None:
    if stated in {"shared", "split"}:
        said.facts[f"bathrooms_{stated}"] = True
    elif stated and said.bathrooms_stated is None:
        said.is_at_least = stated.endswith("+")
        said.bathrooms_total, said.bathrooms_stated = bathrooms_of(stated.rstrip("+"))
