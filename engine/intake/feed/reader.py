"""One row by one mapping: a record, or why there is none."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from engine.intake.address import address_key, normal_unit, split_unit
from engine.intake.feed.cells import (
    IMPLAUSIBLE,
    NOTHING,
    Moment,
    Read,
    read_cell,
    text_cell,
)
from engine.intake.feed.mapping import EXTRA_PREFIX, FIELDS, Pattern, Rule, Scalar
from engine.intake.feed.mapping import Mapping as FeedMapping
from engine.intake.feed.rows import Refusal, Row, plain_name
from engine.intake.property_kinds import property_kind
from engine.intake.readings import content_hash, coordinates_of, number_of
from engine.intake.record import FieldNote, SourceRecord
from engine.intake.tables import whole_address
from engine.market.answers import Contact

SPLIT_LENGTH_MAX = 200
ID_LENGTH_MAX = 120
# A ZIP and a city for addresses that are told apart without.
_ANY_PLACE = (None, "anywhere")

_PROPERTY_TYPES = {
    each.casefold(): each
    for each in (
        "Residential", "Residential Lease", "Residential Income", "Land", "Farm",
        "Manufactured In Park", "Commercial Sale", "Commercial Lease", "Business Opportunity",
    )
}  # fmt: skip


class RowReader:
    """A mapping made ready to read many rows."""

    def __init__(self, mapping: FeedMapping) -> None:
        self.mapping = mapping
        self._patterns = {
            split.column: [(re.compile(each.pattern), each) for each in split.patterns]
            for split in mapping.split
        }
        self._expected = [
            (self._name(column), column, re.compile(pattern))
            for column, pattern in mapping.rows.expect.items()
        ]
        namespace = mapping.id.namespace or mapping.name
        self._id_prefix = "" if mapping.id.whole_source else f"{namespace}:"
        self._hashed = [self._name(column) for column in mapping.column_names()]

    def read(self, row: Row, *, source: str, at: Moment, id_scope: str) -> SourceRecord | Refusal:
        """The row's record, without what only its document knows. Refusals: `unexpected-cell`,
        `no-id`, `no-place`."""
        for name, column, pattern in self._expected:
            if not pattern.fullmatch(_text(row.column(name))[:SPLIT_LENGTH_MAX]):
                return Refusal("unexpected-cell", f"column {column} holds something else")
        parts, patterns = self._parts(row)
        reads = {
            field: self._read(field, rule, row, parts, patterns, at)
            for field, rule in self.mapping.fields.items()
        }
        found = _Found(reads)
        street, unit = _street_and_unit(found)
        latitude, longitude = coordinates_of(
            found.value("contact.latitude"), found.value("contact.longitude")
        )
        unparsed = found.text("contact.unparsed_address")
        parcel_number = found.text("parcel_number")
        if street is None and latitude is None and parcel_number is None and unparsed is None:
            return Refusal("no-place", "no street, no coordinates, no parcel number")
        identity = self._identity(row, street, unit, found)
        if identity is None:
            return Refusal("no-id", "nothing in the columns that make its id")
        city, state = found.text("city"), found.text("state_or_province")
        postal_code = found.text("postal_code")
        property_type, property_sub_type = _kinds(found)
        bathrooms = found.number("bathrooms_total_integer")
        extra = found.extra()
        if bathrooms is not None:
            extra["bathrooms_stated"] = bathrooms
        return SourceRecord(
            source=source,
            source_id=f"{id_scope}{self._id_prefix}{identity}",
            title=found.text("title"),
            remarks=found.text("remarks"),
            list_price=found.whole("list_price"),
            standard_status=found.text("standard_status"),
            property_type=property_type,
            property_sub_type=property_sub_type,
            bedrooms_total=found.whole("bedrooms_total"),
            bathrooms_total_integer=-int(-bathrooms // 1) if bathrooms is not None else None,
            living_area=_at_most(found.whole("living_area"), 10_000_000),
            lot_size_square_feet=found.whole("lot_size_square_feet"),
            year_built=found.whole("year_built"),
            street_address=street,
            unit_number=unit,
            city=city,
            state_or_province=state,
            postal_code=postal_code,
            parcel_number=parcel_number,
            listing_id=found.text("listing_id"),
            language=found.text("language"),
            originating_system_name=self.mapping.name,
            posted_at=found.text("posted_at"),
            modification_timestamp=found.text("modification_timestamp"),
            contact=Contact(
                name=found.text("contact.name"),
                phone=found.text("contact.phone"),
                email=found.text("contact.email"),
                unparsed_address=unparsed or _whole(street, unit, city, state, postal_code),
                latitude=latitude,
                longitude=longitude,
                source_url=found.text("contact.source_url"),
            ),
            content_hash=self.row_hash(row),
            fetched_at=found.text("fetched_at"),
            is_sample=found.value("is_sample") is True,
            notes=found.notes(self.mapping.fields),
            extra=extra,
        )

    def _name(self, column: str) -> str:
        return plain_name(column) if self.mapping.loose_names else column

    def _parts(self, row: Row) -> tuple[dict[str, str], dict[str, Pattern]]:
        """What splits and joins made of cells: (part -> text, part -> the pattern used)."""
        parts = self._joined(row)
        used: dict[str, Pattern] = {}
        for column, patterns in self._patterns.items():
            text = text_cell(row.column(self._name(column)))
            if text is None or len(text) > SPLIT_LENGTH_MAX:
                continue
            for compiled, pattern in patterns:
                if match := compiled.fullmatch(text):
                    found = {f"part.{k}": v for k, v in match.groupdict().items() if v}
                    parts |= found
                    used |= dict.fromkeys(found, pattern)
                    break
        return parts, used

    def _joined(self, row: Row) -> dict[str, str]:
        parts: dict[str, str] = {}
        for join in self.mapping.join:
            texts = [text_cell(row.column(self._name(name))) for name in join.columns]
            known = [text for text in texts if text is not None]
            if texts[0] is not None and len(known) > 1:
                parts[f"part.{join.part}"] = " ".join(known)
        return parts

    def _read(
        self,
        field: str,
        rule: Rule,
        row: Row,
        parts: Mapping[str, str],
        patterns: Mapping[str, Pattern],
        at: Moment,
    ) -> Read:
        reading = rule.reading or FIELDS.get(field, "plain")
        if rule.constant is not None:
            return _noted(read_cell(rule.constant, rule, reading, self.mapping, at), rule, None)
        implausible = NOTHING
        for name in rule.names:
            cell = parts.get(name) if name.startswith("part.") else row.column(self._name(name))
            read = read_cell(cell, rule, reading, self.mapping, at)
            if read.value is not None and rule.unlike and self._repeats(read, rule.unlike, row):
                read = Read(None, IMPLAUSIBLE, 0.0)
            if read.value is not None:
                return _noted(read, rule, patterns.get(name))
            implausible = read if read.rule else implausible
        return implausible

    def _repeats(self, read: Read, column: str, row: Row) -> bool:
        """Whether the value only repeats another column's: a fault of the feed's."""
        other = number_of(row.column(self._name(column)))
        return other is not None and number_of(read.value) == other

    def _identity(
        self, row: Row, street: str | None, unit: str | None, found: _Found
    ) -> str | None:
        identity = self.mapping.id
        for column in identity.columns:
            if text := text_cell(row.column(self._name(column))):
                return text if len(text) <= ID_LENGTH_MAX else _digest(text)
        if identity.address:
            place = found.text("postal_code"), found.text("city")
            key = address_key(street, unit, *(place if identity.place else _ANY_PLACE))
            if key is not None:
                return _digest(key, *(_text(row.column(self._name(c))) for c in identity.also))
        stable = [_text(row.column(self._name(column))) for column in identity.stable]
        return _digest(*stable) if any(stable) else None

    def row_hash(self, row: Row) -> str:
        """Of the cells that the mapping reads: what else a feed carries changes no record."""
        cells = [_flat(row.column(name)) for name in self._hashed]
        return content_hash(json.dumps(cells).encode())


class _Found:
    """The fields of one row as read."""

    def __init__(self, reads: Mapping[str, Read]) -> None:
        self._reads = reads

    def value(self, field: str) -> Scalar | None:
        return self._reads.get(field, NOTHING).value

    def text(self, field: str) -> str | None:
        value = self.value(field)
        return value if isinstance(value, str) else None

    def whole(self, field: str) -> int | None:
        value = self.value(field)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def number(self, field: str) -> float | None:
        value = self.value(field)
        return None if isinstance(value, bool | str) or value is None else float(value)

    def extra(self) -> dict[str, str | int | float | bool | None]:
        return {
            field.removeprefix(EXTRA_PREFIX): read.value
            for field, read in self._reads.items()
            if field.startswith(EXTRA_PREFIX) and read.value is not None
        }

    def notes(self, fields: Iterable[str]) -> dict[str, FieldNote]:
        """A note per field that is not simply as stated, under the field's own name."""
        notes = {}
        for field in fields:
            read = self._reads[field]
            if read.rule is not None:
                notes[_note_name(field)] = FieldNote(read.rule, read.confidence)
        return notes


def _note_name(field: str) -> str:
    """What a field is called in a record's notes: the bare name of what it became."""
    bare = field.removeprefix("contact.").removeprefix(EXTRA_PREFIX)
    return {"kind": "property_sub_type", "for_rent": "property_type"}.get(bare, bare)


def _noted(read: Read, rule: Rule, pattern: Pattern | None) -> Read:
    if read.value is None:
        return read
    if pattern is not None and (pattern.confidence < 1 or pattern.rule != "split"):
        return Read(read.value, pattern.rule, min(pattern.confidence, read.confidence))
    if rule.rule is not None or rule.confidence < 1:
        confidence = min(rule.confidence, read.confidence)
        return Read(read.value, rule.rule or "mapped", confidence)
    return read


def _street_and_unit(found: _Found) -> tuple[str | None, str | None]:
    street = found.text("street_address")
    stated = found.text("unit_number")
    if street is None:
        return None, stated
    line, unit = split_unit(street)
    return line or None, stated or normal_unit(unit)


def _kinds(found: _Found) -> tuple[str | None, str | None]:
    """(property_type, property_sub_type): of the words for it, and of what is stated."""
    for_rent = found.value("for_rent")
    words = found.text("kind")
    property_type: str | None = None
    property_sub_type: str | None = None
    if isinstance(for_rent, bool):
        property_type, property_sub_type = property_kind(words, for_rent=for_rent)
    elif words is not None:
        kind, property_sub_type = property_kind(words, for_rent=False)
        property_type = None if kind == "Residential" and property_sub_type is None else kind
    stated = _PROPERTY_TYPES.get((found.text("property_type") or "").casefold())
    if sub_words := found.text("property_sub_type"):
        property_sub_type = property_kind(sub_words, for_rent=False)[1] or property_sub_type
    return stated or property_type, property_sub_type


def _whole(
    street: str | None, unit: str | None, city: str | None, state: str | None, code: str | None
) -> str | None:
    line = f"{street} # {unit}" if street and unit else street
    return whole_address(line, city, state, code)


def _at_most(value: int | None, most: int) -> int | None:
    return value if value is not None and value <= most else None


def _text(cell: Any) -> str:
    """A cell as text for comparing: one spelling of blanks; lists and objects are nothing."""
    flat = _flat(cell)
    return " ".join(str(flat).split()) if flat is not None else ""


def _flat(cell: Any) -> Any:
    return None if isinstance(cell, dict | list) else cell


def _digest(*texts: str) -> str:
    joined = "\x1f".join(" ".join(text.casefold().split()) for text in texts)
    return hashlib.sha256(joined.encode("utf-8", "replace")).hexdigest()[:24]
