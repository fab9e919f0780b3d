"""Reading single cells of foreign tables and pages: a number, a moment, a state, or nothing.

Sources write the same absence as a blank, `NA`, `NaN`, `null` or `None`, and integers
as `3.0`. A reading is None when the cell says nothing usable: no value is invented.
"""

from __future__ import annotations

import hashlib
import math
import re
from datetime import UTC, datetime

ABSENT = frozenset({"", "na", "n/a", "nan", "none", "null", "-", "--", "unknown"})
_NUMBER = re.compile(r"-?\d{1,15}(?:\.\d{1,20})?(?:[eE][-+]?\d{1,3})?")
_STATE = re.compile(r"[A-Z]{2}")
# What no database keeps as text: NUL and halves of a surrogate pair.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_POSTAL = re.compile(r"(\d{5})(?:-?\d{4})?")
_MOMENT_FORMS = ("%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d %H:%M:%S%z", "%B-%d-%Y")


def text_of(cell: object) -> str | None:
    """The cell as trimmed text, None if it says nothing, or is a list or an object."""
    if cell is None or isinstance(cell, bool | dict | list):
        return None
    if isinstance(cell, float) and not math.isfinite(cell):
        return None
    text = str(cell)
    if "\x00" in text or not text.isascii():
        text = _UNSTORABLE.sub("", text)
    text = text.strip()
    return None if text.lower() in ABSENT else text


def number_of(cell: object) -> float | None:
    """A finite number from `1,295,000`, `$1,295,000`, `3.0`, 3; None from anything else."""
    if isinstance(cell, bool):
        return None
    text = text_of(cell)
    if text is None:
        return None
    plain = text.replace(",", "").lstrip("$").strip()
    if not _NUMBER.fullmatch(plain):
        return None
    value = float(plain)
    return value if math.isfinite(value) else None


def whole_of(cell: object, least: int, most: int) -> int | None:
    """A number rounded to a whole one, None outside `least..most`."""
    value = number_of(cell)
    if value is None:
        return None
    whole = math.floor(value + 0.5)
    return whole if least <= whole <= most else None


def price_of(cell: object) -> int | None:
    """Whole USD, 1 to 2,000,000,000."""
    return whole_of(cell, 1, 2_000_000_000)


def bedrooms_of(cell: object) -> int | None:
    return whole_of(cell, 0, 100)


def bathrooms_of(cell: object) -> tuple[int | None, float | None]:
    """(RESO BathroomsTotalInteger, the number as stated): 2.5 baths are three rooms."""
    value = number_of(cell)
    if value is None or not 0 <= value <= 100:
        return None, None
    return math.ceil(value), value


def area_of(cell: object) -> int | None:
    """Square feet, 1 to 10,000,000; zero means that the source does not know."""
    return whole_of(cell, 1, 10_000_000)


def year_of(cell: object) -> int | None:
    return whole_of(cell, 1700, 2100)


def coordinates_of(latitude: object, longitude: object) -> tuple[float | None, float | None]:
    """Both coordinates in degrees, or neither. (0, 0) is a source's way to say nothing."""
    lat, lon = number_of(latitude), number_of(longitude)
    if lat is None or lon is None or not (-90 <= lat <= 90 and -180 <= lon <= 180):
        return None, None
    return (None, None) if lat == 0 and lon == 0 else (lat, lon)


def postal_code_of(cell: object) -> str | None:
    """Five digits; a spreadsheet's `75252.0` and ZIP+4 are read, `7525` is not."""
    text = text_of(cell)
    if text is None:
        return None
    match = _POSTAL.fullmatch(text.removesuffix(".0"))
    return match[1] if match else None


def state_of(cell: object) -> str | None:
    text = text_of(cell)
    return text.upper() if text and _STATE.fullmatch(text.upper()) else None


def moment_of(cell: object) -> datetime | None:
    """An aware UTC moment. Times without a zone are read as UTC, days as their midnight."""
    text = text_of(cell)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        parsed = _moment_in_other_forms(text)
        if parsed is None:
            return None
        moment = parsed
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return None


def _moment_in_other_forms(text: str) -> datetime | None:
    for form in _MOMENT_FORMS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None


def rfc3339(moment: datetime | None) -> str | None:
    """`2026-05-05T17:13:00Z`, whole seconds."""
    if moment is None:
        return None
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def content_hash(content: bytes) -> str:
    """SHA-256 in hex of what was fetched: equal content, equal hash."""
    return hashlib.sha256(content).hexdigest()
