"""The markets of the installation as shipped, and records to clean."""

from __future__ import annotations

from typing import Any

from engine.intake.cleaning import clean
from engine.intake.record import SourceRecord
from engine.market.answers import Contact
from engine.market_directory import load_markets

MARKETS = load_markets()
_CONTACT_FIELDS = frozenset(Contact.__struct_fields__)


def record_of(**fields: Any) -> SourceRecord:
    """A record with these fields, those of the contact included."""
    contact = {name: fields.pop(name) for name in list(fields) if name in _CONTACT_FIELDS}
    return SourceRecord(
        source=fields.pop("source", "fsbo"),
        source_id=fields.pop("source_id", "1"),
        contact=Contact(**contact),
        **fields,
    )


def cleaned(**fields: Any) -> SourceRecord:
    return clean(record_of(**fields), MARKETS)


def rules_of(record: SourceRecord) -> dict[str, str]:
    return {name: note.rule for name, note in record.notes.items()}
