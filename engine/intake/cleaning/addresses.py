"""Street, unit, city, state and ZIP out of addresses that a source gives in one piece."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

import usaddress

from engine.intake.address import normal_unit, split_unit
from engine.intake.address_words import SUFFIX_SPELLINGS
from engine.intake.cleaning.notes import doubted, noted
from engine.intake.cleaning.states import state_code
from engine.intake.record import SourceRecord

_LENGTH_MAX = 200
# The usual writing, which needs no statistics to be read: `1 Elm St Apt 5, Dallas, TX 75219`.
_USUAL = re.compile(
    r"(?P<street>\d{1,6}[A-Za-z]?(?:-\d{1,6})? [^,]{2,80}(?:,\s*(?:apt|unit|ste|suite|#|bldg|lot)"
    r"[^,]{1,20})?)"
    r",\s*(?P<city>[A-Za-z][A-Za-z .'-]{1,40}),\s*(?P<state>[A-Za-z][A-Za-z. ]{1,20}?)"
    r"(?:[,\s]+(?P<postal>\d{5})(?:-\d{4})?)?(?:,\s*(?:USA?|United States))?\s*",
    re.I,
)
_TAIL = re.compile(
    r",\s*(?P<city>[A-Za-z][A-Za-z .'-]{1,40}),\s*(?P<state>[A-Za-z]{2})\b\.?"
    r"(?:\s+(?P<postal>\d{5})(?:-\d{4})?)?\s*(?:,\s*(?:USA?|United States))?\s*$",
    re.I,
)
_POST_BOX = re.compile(r"\bp\.?\s?o\.?\s?box\b|\bpost office box\b|\b(?:pmb|hc)\s*#?\s*\d", re.I)
_HOUSE_NUMBER = re.compile(r"#?\d")
_LIKELY_HOUSE_NUMBER = re.compile(r"\d{1,5}(?:-?[A-Za-z]|-\d{1,4})?")
_MORE_THAN_AN_ADDRESS = frozenset({"Recipient", "BuildingName", "LandmarkName", "NotAddress"})
_SURE_LEAST = 0.5
_CROSSING = re.compile(r"\S\s*(?:&|@|/|\band\b|\bat\b|\bnear\b|\bcorner of\b|\bx\b)\s*\S", re.I)
_STREET_LABELS = (
    "AddressNumberPrefix",
    "AddressNumber",
    "AddressNumberSuffix",
    "StreetNamePreModifier",
    "StreetNamePreDirectional",
    "StreetNamePreType",
    "StreetName",
    "StreetNamePostType",
    "StreetNamePostDirectional",
)
_UNIT_LABELS = (
    "SubaddressType",
    "SubaddressIdentifier",
    "OccupancyType",
    "OccupancyIdentifier",
)


class AddressParts(NamedTuple):
    street: str | None = None
    unit: str | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None


def clean_address(record: SourceRecord) -> SourceRecord:
    """The record with parts read from its unparsed address and unit from its street.

    A stated part is kept as it is. A post box and a street corner are no home's address.
    """
    if record.street_address is not None:
        record = _with_stated_street(record)
    elif record.contact.unparsed_address is not None and _is_to_be_read(record):
        record = _with_parts(record, record.contact.unparsed_address)
    return record


def _is_to_be_read(record: SourceRecord) -> bool:
    """Whether nobody has found out yet that the unparsed address can't be read."""
    whole = record.notes.get("unparsed_address")
    return "street_address" not in record.notes and (
        whole is None or whole.confidence >= _SURE_LEAST
    )


def _with_stated_street(record: SourceRecord) -> SourceRecord:
    street = record.street_address or ""
    if _is_no_home(street):
        return noted(record, "no-home-address", 0.9, street_address=None)
    record = _with_tail_of(record, street)
    if record.unit_number is None:
        unit = normal_unit(split_unit(street)[1])
        if unit is not None:
            record = noted(record, "unit-of-street", 0.95, unit_number=unit)
    if not _HOUSE_NUMBER.match(street):
        record = doubted(record, "no-house-number", 0.5, "street_address")
    return record


def _with_tail_of(record: SourceRecord, street: str) -> SourceRecord:
    """City, state and ZIP of a street that carries them, where the record has none."""
    if "," not in street:
        return record
    tail = _TAIL.search(street)
    state = state_code(tail["state"]) if tail is not None else None
    if tail is None or state is None:
        return record
    parts = AddressParts(None, None, tail["city"].strip(), state, tail["postal"])
    return _filled(record, parts, "parts-of-street", 0.9)


def _with_parts(record: SourceRecord, unparsed: str) -> SourceRecord:
    parts = usual_parts(unparsed)
    if parts is not None:
        return _filled(record, parts, "usual-address", 0.95)
    return _filled(record, likely_parts(unparsed[:_LENGTH_MAX]), "likely-address", 0.75)


def _filled(
    record: SourceRecord, parts: AddressParts, rule: str, confidence: float
) -> SourceRecord:
    """The record with the parts that it lacks, unless it states another state."""
    if parts.state and record.state_or_province and parts.state != record.state_or_province:
        return doubted(record, "address-of-another-state", 0.3, "street_address")
    found = {
        "street_address": parts.street,
        "unit_number": normal_unit(parts.unit),
        "city": parts.city,
        "state_or_province": parts.state,
        "postal_code": parts.postal_code,
    }
    lacking = {
        name: value
        for name, value in found.items()
        if value is not None and getattr(record, name) is None and name not in record.notes
    }
    return noted(record, rule, confidence, **lacking)


@lru_cache(maxsize=4_096)
def usual_parts(unparsed: str) -> AddressParts | None:
    """The parts of `1 Elm St Apt 5, Dallas, TX 75219`; None of any other writing."""
    match = _USUAL.fullmatch(unparsed.strip()[:_LENGTH_MAX])
    if match is None or _is_no_home(match["street"]):
        return None
    state = state_code(match["state"])
    if state is None:
        return None
    street, unit = split_unit(match["street"])
    return AddressParts(street, unit, match["city"].strip(), state, match["postal"])


@lru_cache(maxsize=4_096)
def likely_parts(unparsed: str) -> AddressParts:
    """The parts as `usaddress` reads them, a statistical parser; all None of what is no
    street address of a house number, a street and its kind or its place."""
    try:
        tags, kind = usaddress.tag(unparsed)
    except usaddress.RepeatedLabelError:
        return AddressParts()
    if kind != "Street Address" or not _begins_like_an_address(tags):
        return AddressParts()
    state = state_code(tags.get("StateName", ""))
    suffix = tags.get("StreetNamePostType", "").strip(".,").upper()
    if suffix not in SUFFIX_SPELLINGS and state is None:
        return AddressParts()
    return AddressParts(
        street=_joined(tags, _STREET_LABELS),
        unit=_joined(tags, _UNIT_LABELS),
        city=tags.get("PlaceName") if state is not None else None,
        state=state,
        postal_code=_postal_code(tags.get("ZipCode")),
    )


def _begins_like_an_address(tags: dict[str, str]) -> bool:
    """Whether it is a house number and a street from the first word on: with a building's
    name before it, or glued to it, the number may be wrong."""
    return (
        next(iter(tags)) == "AddressNumber"
        and _LIKELY_HOUSE_NUMBER.fullmatch(tags["AddressNumber"].strip(",")) is not None
        and "StreetName" in tags
        and not _MORE_THAN_AN_ADDRESS.intersection(tags)
    )


def _joined(tags: dict[str, str], labels: tuple[str, ...]) -> str | None:
    return " ".join(tags[label].strip(",") for label in labels if label in tags) or None


def _postal_code(stated: str | None) -> str | None:
    match = re.fullmatch(r"(\d{5})(?:-\d{4})?", stated or "")
    return match[1] if match else None


def _is_no_home(street: str) -> bool:
    if _POST_BOX.search(street):
        return True
    return not _HOUSE_NUMBER.match(street) and _CROSSING.search(street) is not None
