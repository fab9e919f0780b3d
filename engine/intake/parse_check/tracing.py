"""Whether a value stands in the document that it was read from, or by which rule it came.

A value is traced if its words or its number stand in the record's own row or object. What
a parser derives is allowed by name only; all else counts as invented.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import msgspec

from engine.intake.cleaning.states import state_code
from engine.intake.parse_check.pieces import Piece, words_of
from engine.intake.readings import moment_of
from engine.intake.record import Signal, SourceRecord
from engine.intake.reso.names import LOOKUPS

STATED = "stated"
INVENTED = "invented"
DERIVATIONS = {
    "lookup": "A RESO lookup value for the source's own word.",
    "rounded": "A number rounded to a whole one.",
    "ceiling": "Bathrooms as a whole number of rooms.",
    "acres": "Acres in square feet.",
    "abbreviated": "`1.2M` or `250K` written out.",
    "studio": "A studio has no bedroom.",
    "counted": "A count of what the document shows.",
    "sum": "The sum of two stated counts.",
    "difference": "A stated price less a stated change, or a change with its sign.",
    "written-together": "`B1-3` as B13: a unit without what stands between its parts.",
    "moment": "A stated moment in UTC.",
    "day": "A stated day as its midnight.",
    "ago": "A moment counted back from the capture's own.",
    "joined": "Stated parts put together.",
    "state-name": "A state's two letters for its name, or a place in it.",
    "address-of-document": "The document's own address.",
    "completed-address": "A stated path or id at the source's host.",
    "own-id": "An id made of the row's content where it states none.",
    "note": "A rule noted in the record itself.",
    "mark": "A word of ours for a stated mark.",
}

# Said of the run, not by the document.
_NOT_STATED = frozenset(
    {"source", "market", "content_hash", "licence", "is_sample", "language", "notes", "extra"}
    | {"contact", "originating_system_name", "kind", "facts", "fetched_at"}
)
_LOOKUP_FIELDS = {
    "standard_status": frozenset(LOOKUPS["StandardStatus"]),
    "property_type": frozenset(LOOKUPS["PropertyType"]),
    "property_sub_type": frozenset(LOOKUPS["PropertySubType"]),
    "lease_amount_frequency": frozenset(LOOKUPS["FeeFrequency"]),
}
_MARKS = {
    "listed_by": frozenset({"owner", "agent", "builder"}),
}
_MOMENT = re.compile(
    r"\d{4}-\d{1,2}-\d{1,2}(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
)
_EPOCH = re.compile(r"(?<!\d)1\d{9}(?:\d{3})?(?!\d)")
_AGO = re.compile(r"\b\d+\s*\+?\s*(?:h|hr|hour|d|day|w|wk|week|mo|month|m|min|minute)s?\s+ago\b|"
                  r"days?_?\s?on|\bdom\b|\btime_?on|daysOn", re.I)  # fmt: skip
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ROOM_COUNTS = frozenset({"bedrooms_total", "bathrooms_total_integer", "bathrooms_stated"})
_JOINED = frozenset({"unparsed_address", "street_address", "name", "unit_prices"})
# Fields whose note is kept under another's name.
_NOTED_UNDER = {"bathrooms_stated": "bathrooms_total_integer"}


class Traced(msgspec.Struct, frozen=True):
    """How a field came to its value; `rule` is `stated`, a derivation, or `invented`."""

    field: str
    value: Any
    rule: str


def trace(record: SourceRecord | Signal, piece: Piece, document_url: str) -> list[Traced]:
    """Every string and number of the record with the rule by which it is in the piece."""
    return [
        Traced(name, value, _rule(record, name, value, piece, document_url))
        for name, value in fields_of(record)
    ]


def fields_of(record: SourceRecord | Signal) -> Iterator[tuple[str, str | int | float]]:
    """(name, value) of everything that a document is to state; marks are left out."""
    for name in record.__struct_fields__:
        if name not in _NOT_STATED:
            yield from _stated(name, getattr(record, name))
    if isinstance(record, SourceRecord):
        for name in record.contact.__struct_fields__:
            if name != "is_invented":
                yield from _stated(f"contact.{name}", getattr(record.contact, name))
        for name, value in record.extra.items():
            yield from _stated(f"extra.{name}", value)
    else:
        for name, value in record.facts.items():
            yield from _stated(f"facts.{name}", value)


def _stated(name: str, value: object) -> Iterator[tuple[str, str | int | float]]:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        yield name, value


def _rule(
    record: SourceRecord | Signal, name: str, value: str | int | float, piece: Piece, url: str
) -> str:
    bare = name.rpartition(".")[2]
    for each in (piece, piece.around):
        if each is not None and (_is_count(bare, value, each) or stands_as(bare, value, each)):
            return STATED
    for each in (piece, piece.around):
        derived = _derived(bare, value, each, url) if each is not None else None
        if derived is not None:
            return derived
    if isinstance(record, SourceRecord):
        if _is_difference(bare, value, record, piece):
            return "difference"
        if _NOTED_UNDER.get(bare, bare) in record.notes:
            return "note"
        if bare == "unparsed_address" and _is_joined_of(value, record):
            return "joined"
    return INVENTED


def _is_joined_of(value: str | int | float, record: SourceRecord) -> bool:
    """Whether an address is no more than the record's own parts, which are traced."""
    parts = (
        *(record.street_address, record.unit_number, record.city),
        *(record.state_or_province, record.postal_code),
    )
    known = words_of(" ".join(part for part in parts if part)).split()
    return set(words_of(str(value)).split()) <= set(known)


def stands_as(name: str, value: str | int | float, piece: Piece) -> bool:
    return name not in _ROOM_COUNTS and stands(value, piece)


def _is_count(name: str, value: str | int | float, piece: Piece) -> bool:
    """Rooms are small numbers, which stand everywhere: only those that are counts count."""
    return name in _ROOM_COUNTS and value in piece.counts


def stands(value: str | int | float, piece: Piece) -> bool:
    """Whether the piece states just that: the number, or the words in their order."""
    if not isinstance(value, str):
        return float(value) in piece.numbers
    if value in piece.text:
        return True
    return all(_line_stands(line, piece) for line in value.split("\n"))


def _line_stands(line: str, piece: Piece) -> bool:
    words = words_of(line)
    if words.strip() == "":
        return True
    if words in piece.words:
        return True
    # Markup may split or join words, and a bounded text may end inside one.
    letters = words.replace(" ", "")
    return len(letters) > 3 and letters in piece.letters


def _derived(name: str, value: str | int | float, piece: Piece, url: str) -> str | None:
    if isinstance(value, str):
        return _derived_text(name, value, piece, url)
    return _derived_number(name, value, piece)


def _derived_number(name: str, value: float, piece: Piece) -> str | None:
    numbers = piece.counts if name in _ROOM_COUNTS else piece.numbers
    if name in {"latitude", "longitude"}:
        return "rounded" if any(abs(each - value) < 1e-6 for each in numbers) else None
    if "bathrooms" in name:
        if any(math.ceil(each) == value for each in numbers):
            return "ceiling"
        if _is_sum(value, numbers):
            return "sum"
    if any(math.floor(each + 0.5) == value for each in numbers):
        return "rounded"
    if name == "bedrooms_total" and value == 0 and " studio " in piece.words:
        return "studio"
    if name == "lot_size_square_feet" and any(abs(each * 43_560 - value) <= 1 for each in numbers):
        return "acres"
    if name == "images":
        return "counted"
    if _abbreviated(value, piece):
        return "abbreviated"
    return None


def _is_difference(name: str, value: str | int | float, record: SourceRecord, piece: Piece) -> bool:
    """A price before a change is the price and the stated change; a change has a sign."""
    if not isinstance(value, int | float) or record.list_price is None:
        return False
    if name == "previous_list_price":
        return bool({value - record.list_price, record.list_price - value} & piece.numbers)
    return name == "price_change" and bool({-value, record.list_price - value} & piece.numbers)


def _is_sum(value: float, numbers: frozenset[float]) -> bool:
    """Full and half baths, the half ones whole rooms or halves."""
    counts = [each for each in numbers if 0 <= each <= value]
    return any(a + b == value or a + b / 2 == value for a in counts for b in counts)


def _abbreviated(value: float, piece: Piece) -> bool:
    return any(
        round(float(digits) * (1_000 if unit in "kK" else 1_000_000)) == value
        for digits, unit in re.findall(r"(\d+(?:\.\d+)?)\s?([kKmM])\b", piece.text)
    )


def _derived_text(name: str, value: str, piece: Piece, url: str) -> str | None:
    if value in _LOOKUP_FIELDS.get(name, ()):
        return "lookup"
    if value in _MARKS.get(name, ()):
        return "mark"
    if name in {"posted_at", "modification_timestamp", "seen_at"} or _MOMENT.fullmatch(value):
        return _derived_moment(value, piece)
    if name in {"source_url", "url"}:
        return _derived_address(value, piece, url)
    if name == "state_or_province":
        return "state-name" if _state_name(value, piece) else None
    if name == "source_id":
        return _derived_id(value, piece)
    if name == "unit_number" and _is_written_together(value, piece):
        return "written-together"
    parts = [part for part in re.split(r"[,\s]+", value) if part]
    if name in _JOINED and len(parts) > 1 and all(stands(part, piece) for part in parts):
        return "joined"
    return None


def _derived_address(value: str, piece: Piece, url: str) -> str | None:
    if value == url:
        return "address-of-document"
    path = value.partition("://")[2].partition("/")[2].strip("/")
    parts = [part for part in re.split(r"[/?=&]+", path) if part]
    return "completed-address" if parts and stands(parts[-1], piece) else None


def _derived_id(value: str, piece: Piece) -> str | None:
    parts = [part for part in re.split(r"[^0-9A-Za-z.]+", value) if part]
    if len(parts) > 1 and all(stands(part, piece) for part in parts):
        return "joined"
    return "own-id" if re.search(r"[0-9a-f]{12,64}$", value) else None


def _derived_moment(value: str, piece: Piece) -> str | None:
    moment = moment_of(value)
    if moment is None:
        return None
    at_midnight = (moment.hour, moment.minute, moment.second) == (0, 0, 0)
    for text in _MOMENT.findall(piece.text):
        stated = moment_of(text)
        if stated is None:
            continue
        if stated.replace(microsecond=0) == moment:
            return "moment"
        if _has_clock(text) and not _has_zone(text) and _is_zone(stated - moment):
            return "moment"
        if not _has_clock(text) and _is_zone(stated - moment):
            return "day"
    if any(int(digits[:10]) == int(moment.timestamp()) for digits in _EPOCH.findall(piece.text)):
        return "moment"
    if _day_in_words(moment, piece) and (at_midnight or f":{moment.minute:02d}" in piece.text):
        return "day" if at_midnight else "moment"
    return "ago" if _AGO.search(piece.text) else None


def _has_clock(text: str) -> bool:
    return ":" in text


def _has_zone(text: str) -> bool:
    return text.endswith("Z") or re.search(r"[+-]\d{2}:?\d{2}$", text) is not None


def _is_zone(difference: timedelta) -> bool:
    """Whether two clocks can differ so much by their zones alone."""
    quarter = timedelta(minutes=15)
    return abs(difference) <= timedelta(hours=14) and difference % quarter < timedelta(seconds=60)


def _day_in_words(moment: datetime, piece: Piece) -> bool:
    """`May-27-2026`, `5/27/2026`, `27 May 2026`; a clock may be a zone behind."""
    is_day = (moment.hour, moment.minute) == (0, 0)
    for day in (moment,) if is_day else (moment, moment - timedelta(days=1)):
        month = f"(?:0?{day.month}|{_MONTHS[day.month - 1]}[a-z]*)"
        number, year = f"0?{day.day}", str(day.year)
        orders = (
            f"{month} {number} {year}",
            f"{year} {month} {number}",
            f"{number} {month} {year}",
        )
        if re.search(f"(?<= )(?:{'|'.join(orders)})(?= )", piece.words):
            return True
    return False


def _is_written_together(value: str, piece: Piece) -> bool:
    spread = " ?".join(map(re.escape, value.casefold()))
    return re.search(f"(?<= ){spread}(?= )", piece.words) is not None


def _state_name(value: str, piece: Piece) -> bool:
    return any(state_code(part) == value for part in re.split(r"[,\n|]+", piece.text))
