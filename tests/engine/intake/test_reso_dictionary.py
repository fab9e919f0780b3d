"""The names and values used anywhere here, against the official Data Dictionary 2.0."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import engine.intake
from engine.adapters.sources.reso_dictionary import official_dictionaries
from engine.intake.document import Document
from engine.intake.listing import GONE_STATUSES, LISTABLE_STATUSES
from engine.intake.record import Rejected, SourceRecord
from engine.intake.reso import parse
from engine.intake.reso.dictionary import (
    Dictionary,
    dictionary_of_edmx,
    differences,
    listing_field_names,
    property_fields,
)

# What records call by the dictionary's names though listings do not tell it.
RECORD_ONLY = ("ListingId", "ParcelNumber", "UnitNumber", "LeaseAmountFrequency", "CloseDate")
LOOKUP_KEYWORDS = {
    "standard_status": "StandardStatus",
    "property_type": "PropertyType",
    "property_sub_type": "PropertySubType",
    "lease_amount_frequency": "FeeFrequency",
}
PROPERTY_KINDS = ("RESIDENTIAL", "RESIDENTIAL_LEASE", "RESIDENTIAL_INCOME", "LAND", "FARM")


@pytest.fixture(scope="module")
def dictionaries(captures: Path) -> dict[str, Dictionary]:
    return dict(official_dictionaries(captures))


def test_nothing_differs_from_the_official_metadata(dictionaries: dict[str, Dictionary]) -> None:
    assert len(dictionaries) == 2
    for dictionary in dictionaries.values():
        assert list(differences(dictionary)) == []
        assert set(RECORD_ONLY) <= set(dictionary.fields)


def test_every_lookup_value_in_the_code_is_the_dictionarys(
    dictionaries: dict[str, Dictionary],
) -> None:
    found = list(_lookup_values(Path(engine.intake.__file__).parent))
    assert {lookup for lookup, _, _ in found} == set(LOOKUP_KEYWORDS.values())
    for dictionary in dictionaries.values():
        assert [each for each in found if each[1] not in dictionary.lookups[each[0]]] == []
        statuses = GONE_STATUSES | (LISTABLE_STATUSES - {None})
        assert statuses <= set(dictionary.lookups["StandardStatus"])


def test_what_ends_in_lease_is_for_rent(dictionaries: dict[str, Dictionary]) -> None:
    """The terms of an offer tell rent from sale by the end of the property type."""
    for dictionary in dictionaries.values():
        leases = {v for v in dictionary.lookups["PropertyType"] if v.endswith("Lease")}
        assert leases == {"Commercial Lease", "Residential Lease"}


def test_a_wrong_name_is_found() -> None:
    empty = Dictionary(fields={"SampleYN": None}, lookups={"StandardStatus": {"Sold": "Sold"}})
    found = "\n".join(differences(empty))
    assert "field ListPrice is not in the Property resource" in found
    assert "field SampleYN is in the Property resource" in found
    assert "StandardStatus has no value 'Active'" in found
    assert "StandardStatus has the value 'Sold', which is not read" in found
    assert "the lookup of PropertyType is None" in found
    assert "ListPrice" in listing_field_names()


def test_every_captured_payload_is_read_or_refused(captures: Path) -> None:
    outcomes = {
        path.name: [type(each) for each in parse(Document(url="x", content=path.read_bytes()))]
        for folder in ("payloads", "odata_pages_synthetic")
        for path in sorted((captures / "reso" / folder).iterdir())
    }
    assert outcomes == {
        "bad-edmx-no-keyfield.xml": [Rejected],
        "bad-edmx-wrong-edm-binding-target.xml": [Rejected],
        "bad-property-payload-all-collection.json": [SourceRecord, SourceRecord],
        "create-fails.json": [Rejected],
        "create-succeeds.json": [Rejected],
        "good-property-payload-count.json": [SourceRecord],
        "good-property-payload-null.json": [Rejected],
        "good-property-payload.json": [SourceRecord],
        "property_deleted.json": [SourceRecord, Rejected],
        "property_page1.json": [SourceRecord, SourceRecord],
        "property_page2.json": [SourceRecord],
    }


def test_metadata_without_a_property_is_refused(captures: Path) -> None:
    for path in sorted((captures / "reso" / "payloads").glob("*.xml")):
        assert "ListingKey" in property_fields(path.read_bytes())
    for content in (b"", b"<a/>", b"{}", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'):
        with pytest.raises(ValueError, match="metadata"):
            property_fields(content)
    with pytest.raises(ValueError, match="no XML"):
        dictionary_of_edmx(b"<a")


def _lookup_values(folder: Path) -> Iterator[tuple[str, str, str]]:
    """(lookup, value, where) of each value written in the code: keywords, tables of words and
    named kinds."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for lookup, value in _values_at(node):
                for text in _texts(value):
                    yield lookup, text, f"{path.relative_to(folder)}:{node.lineno}"  # type: ignore[attr-defined]


def _values_at(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, ast.Call):
        for keyword in node.keywords:
            if keyword.arg in LOOKUP_KEYWORDS:
                yield LOOKUP_KEYWORDS[keyword.arg], keyword.value
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            # Other tables by field names say where a field is found, not what it is.
            if isinstance(key, ast.Constant) and key.value == "lease_amount_frequency":
                yield "FeeFrequency", value
    elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        name = target.id if isinstance(target, ast.Name) else ""
        if name.endswith("_SUB_TYPES"):
            yield "PropertySubType", node.value
        elif name in ("_STATUSES", "GONE_STATUSES", "LISTABLE_STATUSES"):
            yield "StandardStatus", node.value
        elif name in PROPERTY_KINDS:
            yield "PropertyType", node.value


def _texts(value: ast.expr) -> Iterator[str]:
    """The texts that an expression may be: those of a table are its values."""
    if isinstance(value, ast.Constant):
        if isinstance(value.value, str):
            yield value.value
    elif isinstance(value, ast.Dict):
        for each in value.values:
            yield from _texts(each)
    elif isinstance(value, ast.Set | ast.Tuple | ast.List):
        for each in value.elts:
            yield from _texts(each)
    elif isinstance(value, ast.IfExp):
        yield from _texts(value.body)
        yield from _texts(value.orelse)
    elif isinstance(value, ast.Call) and ast.unparse(value.func) == "frozenset":
        yield from _texts(value.args[0])
