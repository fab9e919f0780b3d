"""The kind of property from its title, where the source has no field for it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from engine.intake.cleaning.notes import noted
from engine.intake.property_kinds import LAND, RESIDENTIAL, RESIDENTIAL_LEASE, property_kind
from engine.intake.record import SourceRecord

# In a title alone they name the thing on offer; in remarks they may name the neighbours'.
_KINDS = {
    "apartment": re.compile(r"\b(?:apartment|apt)\b"),
    "condo": re.compile(r"\b(?:condo|condominium)\b"),
    "townhouse": re.compile(r"\b(?:town ?house|town ?home)\b"),
    "duplex": re.compile(r"\bduplex\b"),
    "triplex": re.compile(r"\btriplex\b"),
    "fourplex": re.compile(r"\b(?:fourplex|4-plex|quadplex)\b"),
    "manufactured": re.compile(r"\b(?:mobile home|manufactured home|double ?wide|single ?wide)\b"),
    "single family": re.compile(r"\bsingle[ -]family (?:home|house|residence)\b"),
    "lot": re.compile(r"\b(?:vacant (?:lot|land)|acres? (?:lot|of land)|buildable lot)\b"),
}
_LIKENED = re.compile(r"[- ](?:style|like|feel)\b|\b(?:or|and|near|next to|no|not)\b|[/&+]")
_FOR_RENT = re.compile(r"\bfor (?:rent|lease)\b|\bper month\b|/mo(?:nth)?\b")
_FOR_SALE = re.compile(r"\bfor sale\b")
_LIKELY = 0.6
# On these a shared street address is expected: guessing them joins no two homes.
_SHARED_KINDS = frozenset({"apartment", "condo", "duplex", "triplex", "fourplex"})


def clean_kind(record: SourceRecord) -> SourceRecord:
    """The record with type and sub type from the one kind that its title names."""
    if record.title is None or (
        record.property_type is not None and record.property_sub_type is not None
    ):
        return record
    title = record.title.lower()
    if record.property_type is None:
        record = _with_type(record, title)
    named = _named(title)
    if record.property_type is None or len(named) != 1 or _LIKENED.search(title):
        return record
    for_rent = record.property_type == RESIDENTIAL_LEASE
    if record.property_sub_type is not None or (for_rent and named[0] not in _SHARED_KINDS):
        return record
    property_type, sub_type = property_kind(named[0], for_rent=for_rent)
    if property_type == LAND:
        return record
    return noted(record, "kind-of-title", _LIKELY, property_sub_type=sub_type)


def sub_types_named(text: str) -> Iterator[str]:
    """The sub types whose words stand in a text, which is in lower case."""
    for kind in _named(text):
        sub_type = property_kind(kind, for_rent=False)[1]
        if sub_type is not None:
            yield sub_type


def _named(text: str) -> list[str]:
    return [kind for kind, pattern in _KINDS.items() if pattern.search(text)]


def _with_type(record: SourceRecord, title: str) -> SourceRecord:
    for_rent, for_sale = _FOR_RENT.search(title), _FOR_SALE.search(title)
    if bool(for_rent) == bool(for_sale):
        return record
    property_type = RESIDENTIAL_LEASE if for_rent else RESIDENTIAL
    return noted(record, "type-of-title", _LIKELY, property_type=property_type)
