"""What a listing's text says of a field, candidate by candidate: the only values that a
model's answer may take."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from engine.intake.cleaning.kinds import sub_types_named
from engine.intake.cleaning.postal import postal_area

_SQUARE_FEET_PER_SQUARE_METRE = 10.7639
_SQUARE_FEET_PER_ACRE = 43_560
_WORDS = {
    **{"zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7},
    **{"eight": 8, "nine": 9, "ten": 10},
}
_WORD = "|".join(_WORDS)
_NUMBER = r"\d{1,3}(?:,\d{3}){1,3}(?:\.\d{1,2})?|\d{1,9}(?:\.\d{1,2})?"
_PRICE = re.compile(
    rf"\$\s?(?P<after>{_NUMBER})\s?(?P<scale>k|m|mm|million|thousand)?\b"
    rf"|\b(?P<before>{_NUMBER})\s?(?P<scale2>k|m|million|thousand)?\s?(?:usd|dollars)\b"
)
_SCALES = {"k": 1_000, "thousand": 1_000, "m": 1_000_000, "mm": 1_000_000, "million": 1_000_000}
_BEDROOMS = re.compile(
    rf"\b(?P<number>\d{{1,2}}|{_WORD})[\s-]{{0,2}}(?:bed(?:room)?s?|brs?|bds?)\b"
)
_STUDIO = re.compile(r"\bstudio\b")
_BATHROOMS = re.compile(
    rf"\b(?P<number>\d{{1,2}}(?:\.\d{{1,2}})?|{_WORD})[\s-]{{0,2}}(?:bath(?:room)?s?|bas?)\b"
)
_SQUARE_FEET = re.compile(
    rf"(?<![\d.,])(?P<number>{_NUMBER})[\s-]{{0,2}}(?:sq\.?[\s-]?(?:ft|feet)|sqft|sf\b|square[\s-]f(?:ee|oo)t|ft2|ft²)"
)  # fmt: skip
_SQUARE_METRES = re.compile(rf"(?<![\d.,])(?P<number>{_NUMBER})\s?(?:m2\b|m²|sqm\b|square met)")
_ACRES = re.compile(rf"(?<![\d.,])(?P<number>{_NUMBER}|\.\d{{1,3}})[\s-]{{0,2}}acres?\b")
_YEAR = re.compile(r"\b(?:built|constructed|circa|vintage)\D{0,12}(?P<number>1[789]\d\d|20\d\d)\b")
_POSTAL_CODE = re.compile(r"(?<![\d$.,-])\d{5}(?!,?\d)")


def prices(text: str) -> Iterator[int]:
    for found in _PRICE.finditer(text):
        number = found["after"] or found["before"]
        scale = _SCALES.get(found["scale"] or found["scale2"] or "", 1)
        yield _whole(number, scale)


def bedrooms(text: str) -> Iterator[int]:
    yield from (_count(found["number"]) for found in _BEDROOMS.finditer(text))
    if _STUDIO.search(text):
        yield 0


def bathrooms(text: str) -> Iterator[int]:
    """Rooms: 2.5 baths are three."""
    for found in _BATHROOMS.finditer(text):
        number = found["number"]
        yield _WORDS[number] if number in _WORDS else -int(-float(number) // 1)


def living_areas(text: str) -> Iterator[int]:
    yield from (_whole(found["number"]) for found in _SQUARE_FEET.finditer(text))
    for found in _SQUARE_METRES.finditer(text):
        yield _whole(found["number"], _SQUARE_FEET_PER_SQUARE_METRE)


def lot_areas(text: str) -> Iterator[int]:
    yield from living_areas(text)
    yield from (_whole(found["number"], _SQUARE_FEET_PER_ACRE) for found in _ACRES.finditer(text))


def years(text: str) -> Iterator[int]:
    return (int(found["number"]) for found in _YEAR.finditer(text))


def postal_codes(text: str) -> Iterator[str]:
    return (found[0] for found in _POSTAL_CODE.finditer(text) if postal_area(found[0]))


CANDIDATES: dict[str, Callable[[str], Iterator[int | str]]] = {
    "list_price": prices,
    "bedrooms_total": bedrooms,
    "bathrooms_total_integer": bathrooms,
    "living_area": living_areas,
    "lot_size_square_feet": lot_areas,
    "year_built": years,
    "property_sub_type": sub_types_named,
    "postal_code": postal_codes,
}


def candidates(field: str, text: str) -> frozenset[int | str]:
    """The values that the text, in lower case, has for a field; empty if it is silent."""
    return frozenset(CANDIDATES[field](text))


def _count(number: str) -> int:
    return _WORDS[number] if number in _WORDS else int(number)


def _whole(number: str, scale: float = 1) -> int:
    return int(float(number.replace(",", "")) * scale + 0.5)
