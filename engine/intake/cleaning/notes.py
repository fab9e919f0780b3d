"""A record with some fields changed, and a note of which rule changed them."""

from __future__ import annotations

from typing import Any

import msgspec

from engine.intake.record import FieldNote, SourceRecord
from engine.market.answers import Contact

_CONTACT_FIELDS = frozenset(Contact.__struct_fields__)


def noted(record: SourceRecord, rule: str, confidence: float, /, **values: Any) -> SourceRecord:
    """The record with `values` set and a note under each one's name.

    Names of the contact's fields set the contact's. A value that is there already is
    neither set nor noted again.
    """
    changed = {name: value for name, value in values.items() if value != said(record, name)}
    if not changed:
        return record
    notes = {**record.notes, **{name: FieldNote(rule, confidence) for name in changed}}
    return msgspec.structs.replace(set_fields(record, changed), notes=notes)


def respelled(record: SourceRecord, rule: str, /, **values: Any) -> SourceRecord:
    """The record with `values` that say the same as before, otherwise written: what is noted
    of them already, a doubt above all, stays noted."""
    changed = {name: value for name, value in values.items() if value != said(record, name)}
    if not changed:
        return record
    new = {name: FieldNote(rule, 1.0) for name in changed}
    return msgspec.structs.replace(set_fields(record, changed), notes={**new, **record.notes})


def doubted(record: SourceRecord, rule: str, confidence: float, *names: str) -> SourceRecord:
    """The record with a note that lowers what is believed of `names`, values untouched."""
    notes = dict(record.notes)
    for name in names:
        if name not in notes or notes[name].confidence > confidence:
            notes[name] = FieldNote(rule, confidence)
    if notes == record.notes:
        return record
    return msgspec.structs.replace(record, notes=notes)


def set_fields(record: SourceRecord, values: dict[str, Any]) -> SourceRecord:
    """The record with `values` set, those of the contact there, and nothing noted."""
    contact = {name: value for name, value in values.items() if name in _CONTACT_FIELDS}
    own = {name: value for name, value in values.items() if name not in _CONTACT_FIELDS}
    if contact:
        own["contact"] = msgspec.structs.replace(record.contact, **contact)
    return msgspec.structs.replace(record, **own)


def said(record: SourceRecord, name: str) -> Any:
    return getattr(record.contact if name in _CONTACT_FIELDS else record, name)
