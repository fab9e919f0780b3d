"""Reading one cell of a feed by its rule: a value, or nothing; no value is invented."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import NamedTuple

from engine.intake.address import normal_unit
from engine.intake.feed.mapping import Mapping, Reading, Rule, Scalar
from engine.intake.feed.moments import moment_of_cell
from engine.intake.property_kinds import is_known_sub_type_word
from engine.intake.readings import (
    number_of,
    postal_code_of,
    price_of,
    rfc3339,
    state_of,
    text_of,
    whole_of,
    year_of,
)

TEXT_LENGTH_MAX = 20_000
SQUARE_FEET = {"square_feet": 1.0, "acres": 43_560.0, "square_metres": 10.763910416709722}

_ABSENT_TOO = frozenset({"?", "tbd", "not available", "not stated", "call", "none given"})
_MONEY = re.compile(
    r"(?:USD|US\$|\$)?\s{0,3}(?P<number>\d[\d,]{0,15}(?:\.\d{1,2})?)\s?(?P<factor>[KkMm])?\+?"
    r"(?:\s?(?:/|per)\s?(?:mo|month)\.?|\s?(?:a month|monthly|USD))?",
)
_COUNT = re.compile(r"(?P<number>\d{1,3}(?:\.\d)?)\s{0,2}(?:-\s?)?(?:bed|bd|br|bath|ba)[a-z.]{0,8}")
_STUDIO = re.compile(r"studio(?: apartment)?|efficiency")
_AREA = re.compile(
    r"(?P<number>\d[\d,]{0,11}(?:\.\d{1,6})?)\s?"
    r"(?P<unit>sq\.? ?ft\.?|sqft|ft2|ft²|square feet|sf|acres?|ac|sq\.? ?m\.?|m2|m²)"
)
_ZEROS = re.compile(r"0+(?:\s|$)")
_URL = re.compile(r"https?://[^\s/]{1,200}/\S{1,1800}")
_YES = frozenset({"true", "t", "1", "yes", "y"})
_NO = frozenset({"false", "f", "0", "no", "n"})
_STATUSES = {
    "active": "Active",
    "for sale": "Active",
    "for rent": "Active",
    "available": "Active",
    "new": "Active",
    "price cut": "Active",
    "coming soon": "Coming Soon",
    "pre on-market": "Coming Soon",
    "contingent": "Active Under Contract",
    "active under contract": "Active Under Contract",
    "under contract": "Pending",
    "pending": "Pending",
    "sold": "Closed",
    "closed": "Closed",
    "rented": "Closed",
    "leased": "Closed",
    "withdrawn": "Withdrawn",
    "off market": "Withdrawn",
    "canceled": "Canceled",
    "cancelled": "Canceled",
    "expired": "Expired",
    "hold": "Hold",
    "delete": "Delete",
    "deleted": "Delete",
}


class Moment(NamedTuple):
    """Against what dates are read: the zone of local ones, and when the feed was fetched."""

    zone: tzinfo
    fetched_at: datetime | None


class Read(NamedTuple):
    """A value, None for nothing; `rule` when it is not simply what the cell states."""

    value: Scalar | None
    rule: str | None = None
    confidence: float = 1.0


NOTHING = Read(None)
IMPLAUSIBLE = "implausible"


def text_cell(cell: object) -> str | None:
    """Plain text that can be stored: no NUL, no half characters, bounded."""
    if isinstance(cell, dict | list):
        return None
    text = text_of(cell)
    if text is None or text.lower() in _ABSENT_TOO:
        return None
    plain = text[:TEXT_LENGTH_MAX].replace("\x00", "").encode("utf-8", "replace").decode()
    return plain.strip() or None


def read_cell(cell: object, rule: Rule, reading: Reading, mapping: Mapping, at: Moment) -> Read:
    """The cell as the rule reads it, looked up first where the rule names a table."""
    if rule.lookup is not None:
        cell = _looked_up(cell, mapping.lookups[rule.lookup])
    if isinstance(cell, str):
        cell = text_cell(cell)
    if cell is None or isinstance(cell, dict | list):
        return NOTHING
    if reading == "moment":
        return _moment(cell, rule, at)
    if reading == "area":
        return _area(cell, rule)
    return _bounded(_READERS[reading](cell), rule)


def _looked_up(cell: object, table: dict[str, Scalar]) -> Scalar | None:
    key = text_cell(cell)
    if key is None:
        return None
    folded = key.casefold()
    return next((value for word, value in table.items() if word.casefold() == folded), None)


def _bounded(value: Scalar | None, rule: Rule) -> Read:
    if isinstance(value, int | float) and not isinstance(value, bool):
        below = rule.least is not None and value < rule.least
        above = rule.most is not None and value > rule.most
        if below or above:
            return Read(None, IMPLAUSIBLE, 0.0)
    return Read(value)


def _moment(cell: object, rule: Rule, at: Moment) -> Read:
    moment = moment_of_cell(cell, rule.date, at.zone, at.fetched_at)
    relative = rule.date == "ago" and moment is not None
    return Read(rfc3339(moment), "relative-date" if relative else None, 0.9 if relative else 1.0)


def _area(cell: object, rule: Rule) -> Read:
    """Whole square feet. A unit in the cell itself wins over the rule's."""
    number, unit = number_of(cell), str(rule.unit)
    if number is None and isinstance(cell, str):
        match = _AREA.fullmatch(cell.strip().lower())
        if match is None:
            return NOTHING
        number, unit = number_of(match["number"]), _unit_of(match["unit"])
    if number is None or number <= 0:
        return NOTHING
    feet = whole_of(number * SQUARE_FEET[unit], 1, 2_000_000_000)
    read = _bounded(feet, rule)
    converted = unit == "square_metres" and read.value is not None
    return Read(read.value, "square-metres") if converted else read


def _unit_of(words: str) -> str:
    if words.startswith("ac"):
        return "acres"
    return (
        "square_metres"
        if words.replace(".", "").replace(" ", "") in {"sqm", "m2", "m²"}
        else ("square_feet")
    )


def _money(cell: object) -> int | None:
    """Whole USD; a range such as `$1,200 - $1,500` is no price."""
    if not isinstance(cell, str):
        return price_of(cell)
    match = _MONEY.fullmatch(cell.strip())
    if match is None:
        return None
    number = number_of(match["number"])
    factor = {"k": 1_000, "m": 1_000_000}.get((match["factor"] or "").lower(), 1)
    return None if number is None else price_of(number * factor)


def _count(cell: object) -> int | None:
    """Rooms: `2 Beds` is 2, `Studio` is 0; `1-2 Beds` is nothing."""
    number = _rooms(cell)
    return whole_of(number, 0, 100) if number is not None and number == int(number) else None


def _rooms(cell: object) -> float | None:
    if not isinstance(cell, str):
        return number_of(cell)
    words = cell.strip().lower()
    if _STUDIO.fullmatch(words):
        return 0.0
    match = _COUNT.fullmatch(words)
    return number_of(match["number"] if match else words)


def _bathrooms(cell: object) -> float | None:
    number = _rooms(cell)
    return number if number is not None and 0 <= number <= 100 else None


def _number(cell: object) -> float | None:
    return number_of(cell)


def _whole(cell: object) -> int | None:
    return whole_of(cell, -(10**12), 10**12)


def _degrees(cell: object) -> float | None:
    number = number_of(cell)
    return number if number is not None and -180 <= number <= 180 else None


def _flag(cell: object) -> bool | None:
    """True or false; of words, whether they speak of renting."""
    words = str(cell).strip().lower()
    if words in _YES or words in _NO:
        return words in _YES
    if re.search(r"\b(?:rent|rental|rentals|lease)\b", words):
        return True
    return False if re.search(r"\b(?:sale|sell|fsbo)\b", words) else None


def _status(cell: object) -> str | None:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|[\s_]+", " ", str(cell)[:100]).strip().casefold()
    return _STATUSES.get(words)


def _street(cell: object) -> str | None:
    """A street line; one whose house number is nothing but zeros is a stand-in."""
    text = text_cell(cell)
    if text is None or _ZEROS.match(text):
        return None
    return re.sub(r"\s{1,100}", " ", text)[:300]


def _kind(cell: object) -> str | None:
    """Words for a kind of property, of `Residential > Condo` the one that says most."""
    text = text_cell(cell)
    if text is None:
        return None
    words = [part.strip() for part in re.split(r"[>/,|]", text[:200]) if part.strip()]
    return next((word for word in reversed(words) if is_known_sub_type_word(word)), text[:200])


def _url(cell: object) -> str | None:
    text = text_cell(cell)
    return text if text and _URL.fullmatch(text) else None


def _plain(cell: object) -> Scalar | None:
    if isinstance(cell, bool):
        return cell
    if isinstance(cell, int | float):
        # NaN compares with nothing, and no float holds a whole number beyond this.
        return cell if abs(cell) < 2**53 else None
    text = text_cell(cell)
    return text[:1000] if text else None


def _unit(cell: object) -> str | None:
    return normal_unit(text_cell(cell))


def _state(cell: object) -> str | None:
    return state_of(cell)


def _postal_code(cell: object) -> str | None:
    return postal_code_of(cell)


def _year(cell: object) -> int | None:
    return year_of(cell)


_READERS: dict[Reading, Callable[[object], Scalar | None]] = {
    "bathrooms": _bathrooms,
    "count": _count,
    "degrees": _degrees,
    "flag": _flag,
    "kind": _kind,
    "money": _money,
    "number": _number,
    "plain": _plain,
    "postal_code": _postal_code,
    "state": _state,
    "status": _status,
    "street": _street,
    "text": text_cell,
    "unit": _unit,
    "url": _url,
    "whole": _whole,
    "year": _year,
}
