"""The official metadata of the Data Dictionary, and whether the names used here agree."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from xml.etree import ElementTree

from engine.intake.reso.names import FIELDS, LOCAL_FIELDS, LOOKUP_OF, LOOKUPS, odata_name
from engine.market.listing import PUBLIC_FACTS

_EDM = "{http://docs.oasis-open.org/odata/ns/edm}"
_DISPLAY_NAME = "RESO.OData.Metadata.StandardName"
# What a Listing tells that is ours, not the dictionary's.
_OWN = frozenset({"quality", "fraud_flag", "sources", "is_sample"})


class Dictionary(NamedTuple):
    """`fields` of Property to the name of their lookup or None; `lookups` to the writings
    of each value, as shown and as OData enumerations write it."""

    fields: Mapping[str, str | None]
    lookups: Mapping[str, Mapping[str, str]]


def dictionary_of_csv(fields: str, lookups: str) -> Dictionary:
    """Of the published tables of fields and lookups. Raises KeyError on other columns."""
    values: dict[str, dict[str, str]] = {}
    for row in csv.DictReader(lookups.splitlines(keepends=True)):
        values.setdefault(row["LookupName"], {})[row["StandardLookupValue"]] = row[
            "LegacyODataValue"
        ]
    return Dictionary(
        fields={
            row["StandardName"]: row["LookupName"] or None
            for row in csv.DictReader(fields.splitlines(keepends=True))
            if row["ResourceName"] == "Property"
        },
        lookups=values,
    )


def dictionary_of_edmx(metadata: bytes) -> Dictionary:
    """Of an OData `$metadata` document. Raises ValueError if it is none."""
    root = _root(metadata)
    return Dictionary(
        fields={
            each.attrib["Name"]: _enumeration(each.attrib.get("Type", ""))
            for each in _property_elements(root)
        },
        lookups={
            each.attrib["Name"]: {
                _display_name(member): member.attrib["Name"]
                for member in each.iter(f"{_EDM}Member")
            }
            for each in root.iter(f"{_EDM}EnumType")
        },
    )


def property_fields(metadata: bytes) -> frozenset[str]:
    """Names of the fields that a server's Property has. Raises ValueError on other bytes."""
    names = frozenset(each.attrib.get("Name", "") for each in _property_elements(_root(metadata)))
    if not names:
        raise ValueError("the metadata has no EntityType called Property with fields")
    return names


def differences(dictionary: Dictionary) -> Iterator[str]:
    """A sentence for each name or value used here that the dictionary does not have."""
    for name in (*FIELDS, *listing_field_names()):
        if name not in dictionary.fields:
            yield f"field {name} is not in the Property resource"
    for name in LOCAL_FIELDS:
        if name in dictionary.fields:
            yield f"field {name} is in the Property resource, though it is read as a local one"
    for name, lookup in LOOKUP_OF.items():
        if dictionary.fields.get(name) != lookup:
            yield f"the lookup of {name} is {dictionary.fields.get(name)}, not {lookup}"
    for lookup, values in LOOKUPS.items():
        yield from _lookup_differences(lookup, values, dictionary.lookups.get(lookup, {}))


def listing_field_names() -> tuple[str, ...]:
    """The dictionary's names of the public facts of a lead."""
    return tuple(
        "".join(word.capitalize() for word in name.split("_"))
        for name in PUBLIC_FACTS
        if name not in _OWN
    )


def _lookup_differences(
    lookup: str, used: tuple[str, ...], official: Mapping[str, str]
) -> Iterator[str]:
    for value in used:
        if value not in official:
            yield f"{lookup} has no value {value!r}"
        elif official[value] != odata_name(value):
            yield f"{lookup} {value!r} is {official[value]!r} in OData, not {odata_name(value)!r}"
    for value in official:
        if value not in used:
            yield f"{lookup} has the value {value!r}, which is not read"


def _root(metadata: bytes) -> ElementTree.Element:
    # Metadata has no use for entities of its own; a server that declares some is up to no good.
    if b"<!DOCTYPE" in metadata or b"<!ENTITY" in metadata:
        raise ValueError("the metadata declares a document type")
    try:
        return ElementTree.fromstring(metadata)
    except (ElementTree.ParseError, LookupError) as error:
        raise ValueError(f"the metadata is no XML: {error}") from error


def _property_elements(root: ElementTree.Element) -> Iterator[ElementTree.Element]:
    for entity in root.iter(f"{_EDM}EntityType"):
        if entity.attrib.get("Name") == "Property":
            yield from entity.iter(f"{_EDM}Property")


def _enumeration(type_name: str) -> str | None:
    plain = type_name.removeprefix("Collection(").removesuffix(")")
    space, _, name = plain.rpartition(".")
    return name if space.endswith("enums") else None


def _display_name(member: ElementTree.Element) -> str:
    for note in member.iter(f"{_EDM}Annotation"):
        if note.attrib.get("Term") == _DISPLAY_NAME:
            return note.attrib.get("String", "")
    return member.attrib["Name"]
