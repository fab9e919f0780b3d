"""One post, field by field: our record beside the reference's, each difference named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, tzinfo
from typing import Any

import msgspec

from engine.intake.parse_check.misreadings import misreading
from engine.intake.parse_check.reference import Reference
from engine.intake.parse_check.shown import Shown
from engine.intake.record import SourceRecord

# What acceptance asks of: these must be equal, the further ones explained.
NAMED_FIELDS = (
    *("price", "title", "latitude", "longitude", "beds", "baths", "area", "type", "sub type"),
    *("posted", "updated", "available"),
)
# The site's words for a home, and the RESO lookup value that each one is.
_SUB_TYPES = {
    "apartment": "Apartment",
    "condo": "Condominium",
    "cottage/cabin": "Cabin",
    "duplex": "Duplex",
    "house": "Single Family Residence",
    "manufactured": "Manufactured Home",
    "townhouse": "Townhouse",
}
_LINK = re.compile(r"(http|www)?[^\s]+\.(com|org|net)(/[^\s]+)*")
_LINK_MARK = "<URL>"
_LINK_END = re.compile(r"com|org|net")
_NOT_LETTER_OR_DIGIT = re.compile(r"[\W_]+")


class Compared(msgspec.Struct, frozen=True):
    """A field that at least one side states. `rule` is empty if they are equal, the
    difference's name if it has one, `unexplained` if not."""

    field: str
    ours: Any
    theirs: Any
    rule: str = ""


UNEXPLAINED = "unexplained"
ANOTHER_CAPTURE = "reference-is-another-capture"


def compare(
    record: SourceRecord, reference: Reference, shown: Shown, zone: tzinfo | None
) -> list[Compared]:
    """Every field that either states, in a fixed order.

    `shown` is the evidence for a misreading; `zone` is that of the page's city, None if it
    is not known, and then times are not compared. Where the reference says another time of
    change, it read another capture of the post, and what no fault explains is of that name.
    """
    pairs = list(_pairs(record, reference, zone))
    other = any(name == "updated" and ours != theirs for name, ours, theirs in pairs)
    compared = []
    for name, ours, theirs in pairs:
        if ours is None and theirs is None:
            continue
        if ours == theirs:
            compared.append(Compared(name, ours, theirs))
            continue
        rule = misreading(name, ours, theirs, shown)
        if rule is None:
            rule = ANOTHER_CAPTURE if other else UNEXPLAINED
        compared.append(Compared(name, ours, theirs, rule))
    return compared


def _pairs(
    record: SourceRecord, reference: Reference, zone: tzinfo | None
) -> Iterator[tuple[str, Any, Any]]:
    extra, contact = record.extra, record.contact
    yield "post id", str(extra.get("repost_of") or record.source_id), _text(reference, "post_id")
    yield "price", record.list_price, _number(reference, "price")
    yield "title", record.title, _text(reference, "title")
    yield "latitude", contact.latitude, _number(reference, "latitude")
    yield "longitude", contact.longitude, _number(reference, "longitude")
    yield "beds", record.bedrooms_total, _number(reference, "bedrooms")
    yield "baths", _bathrooms(record), _number_or_word(reference, "bathrooms")
    yield "area", record.living_area, _number(reference, "sqft")
    yield "type", extra.get("housing_type"), _text(reference, "housing_type")
    if reference.get("housing_type") in _SUB_TYPES:
        sub_type = _SUB_TYPES[str(reference.get("housing_type"))]
        yield "sub type", record.property_sub_type, sub_type
    if zone is not None:
        posted, updated = reference.get("posted"), reference.get("updated")
        yield "posted", _local(record.posted_at, zone), posted
        yield "updated", _local(record.modification_timestamp, zone), updated or posted
    yield "available", extra.get("availability_date"), _day(reference, "available")
    yield "neighborhood", extra.get("neighborhood"), _text(reference, "neighborhood")
    yield "street", record.street_address, _text(reference, "street_address")
    yield "map accuracy", extra.get("map_accuracy"), _text(reference, "data_accuracy")
    frequency = extra.get("lease_amount_frequency")
    yield (
        "rent period",
        str(frequency).lower() if frequency else None,
        _text(reference, "rent_period"),
    )
    for name, ours, theirs in _FURTHER:
        yield name, extra.get(ours), _plain(reference.get(theirs))
    yield "images", extra.get("images") or None, len(reference.listed("images")) or None
    yield "address of the page", contact.source_url, _text(reference, "url")
    yield "text", *_texts(record, reference)


_FURTHER = (
    ("laundry", "laundry", "laundry"),
    ("parking", "parking", "parking"),
    ("flooring", "flooring", "flooring"),
    ("application fee", "application_fee", "app_fee"),
    ("broker fee", "broker_fee", "broker_fee"),
    ("cats", "cats_ok", "cats_ok"),
    ("dogs", "dogs_ok", "dogs_ok"),
    ("no smoking", "no_smoking", "no_smoking"),
    ("furnished", "furnished", "furnished"),
    ("wheelchair", "wheelchair_accessible", "wheelchair_access"),
    ("air conditioning", "air_conditioning", "AC"),
    ("EV charging", "ev_charging", "EV_charging"),
)


def _bathrooms(record: SourceRecord) -> float | str | None:
    """As stated, not RESO's whole number of rooms."""
    stated = record.extra.get("bathrooms_stated")
    if isinstance(stated, int | float):
        return float(stated)
    return next(
        (word for word in ("shared", "split") if record.extra.get(f"bathrooms_{word}")), None
    )


def _text(reference: Reference, name: str) -> str | None:
    value = reference.get(name)
    return " ".join(str(value).split()) or None if value is not None else None


def _plain(value: Any) -> Any:
    return " ".join(value.split()) or None if isinstance(value, str) else value


def _number(reference: Reference, name: str) -> float | None:
    value = reference.get(name)
    try:
        return None if value is None else float(str(value))
    except ValueError:
        return None


def _number_or_word(reference: Reference, name: str) -> float | str | None:
    number = _number(reference, name)
    return _text(reference, name) if number is None else number


def _local(moment: str | None, zone: tzinfo) -> str | None:
    """Our UTC moment as the reference writes it: the city's minute."""
    if moment is None:
        return None
    return datetime.fromisoformat(moment).astimezone(zone).strftime("%Y-%m-%d %H:%M")


def _day(reference: Reference, name: str) -> str | None:
    """A day; `2022-7-21` is `2022-07-21`."""
    text = _text(reference, name)
    parts = (text or "").split("-")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        return text
    try:
        return date(*map(int, parts)).isoformat()
    except ValueError:
        return text


def _texts(record: SourceRecord, reference: Reference) -> tuple[str | None, str | None]:
    """Both texts in letters and digits, ours without what the reference left out as links.

    The reference looks for links between tags, so that a link may end inside a word of
    ours; then its own text tells where links stand.
    """
    body = " ".join(reference.listed("posting_body")).replace("show contact info", " ")
    theirs = _letters(body.replace(_LINK_MARK, " "))
    whole = _letters(record.remarks or "")
    ours = _letters(_LINK.sub(" ", record.remarks or ""))
    if ours != theirs and whole and _stands_between_links(body.split(_LINK_MARK), whole):
        return theirs, theirs
    return ours, theirs


def _stands_between_links(parts: list[str], whole: str) -> bool:
    """Whether the parts stand in order in the whole, and only links between them."""
    at = 0
    for number, part in enumerate(parts):
        letters = _letters(part) or ""
        is_last = number == len(parts) - 1
        found = len(whole) - len(letters) if is_last else whole.find(letters, at)
        if found < at or not whole.startswith(letters, found):
            return False
        between = whole[at:found]
        if (between != "") if number == 0 else not _LINK_END.search(between):
            return False
        at = found + len(letters)
    return True


def _letters(text: str) -> str | None:
    """Letters and digits alone: the reference cut the text into sentences."""
    return _NOT_LETTER_OR_DIGIT.sub("", text.casefold()) or None
