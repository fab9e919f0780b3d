"""The names and values used anywhere here, against the official Data Dictionary 2.0."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

import engine.intake
from engine.adapters.sources.captures import captured_files
from engine.adapters.sources.parsers import open_parsers
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
from engine.intake.reso.names import LOOKUPS
from engine.settings import Settings
from engine.source_directory import load_sources

# What records call by the dictionary's names though listings do not tell it.
RECORD_ONLY = ("ListingId", "ParcelNumber", "UnitNumber", "LeaseAmountFrequency", "CloseDate")
LOOKUP_KEYWORDS = {
    "status": "StandardStatus",
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


def test_every_lookup_value_in_the_code_is_the_dictionarys() -> None:
    """By the values in `names`, which are all of the dictionary's: see above."""
    found = list(_lookup_values(Path(engine.intake.__file__).parent))
    assert {lookup for lookup, _, _ in found} == set(LOOKUP_KEYWORDS.values())
    assert [each for each in found if each[1] not in LOOKUPS[each[0]]] == []
    assert set(LOOKUPS["StandardStatus"]) >= GONE_STATUSES | (LISTABLE_STATUSES - {None})


def test_every_record_of_the_captures_keeps_to_the_dictionary(captures: Path) -> None:
    """The first records of each captured document, through every parser."""
    parsers = open_parsers(Settings(_env_file=None))
    read, strange = 0, []
    for source in load_sources().values():
        for each in captured_files(captures, source.name):
            content = each.path.read_bytes()
            document = Document(url=each.name, content=content, source=source.name)
            for record in islice(parsers[source.parser](document), 300):
                if isinstance(record, SourceRecord):
                    read += 1
                    strange += [(each.name, *value) for value in _strange(record)]
    assert read > 10_000
    assert strange == []


def test_every_value_of_a_mapping_is_the_dictionarys() -> None:
    folder = Path(engine.intake.__file__).parent / "mappings"
    found = []
    for path in sorted(folder.glob("*.toml")):
        fields = tomllib.loads(path.read_text(encoding="utf-8")).get("fields", {})
        for field, lookup in LOOKUP_KEYWORDS.items():
            rule = fields.get(field, fields.get(f"extra.{field}"))
            if isinstance(rule, dict) and "constant" in rule:
                found.append((path.name, lookup, rule["constant"]))
    assert found
    assert [each for each in found if each[2] not in LOOKUPS[each[1]]] == []


def test_what_ends_in_lease_is_for_rent() -> None:
    """The terms of an offer tell rent from sale by the end of the property type."""
    leases = {value for value in LOOKUPS["PropertyType"] if value.endswith("Lease")}
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


def _strange(record: SourceRecord) -> Iterator[tuple[str, object]]:
    """(lookup, value) of each value that its lookup does not have."""
    for field, lookup in LOOKUP_KEYWORDS.items():
        value = getattr(record, field, None) or record.extra.get(field)
        if value is not None and value not in LOOKUPS[lookup]:
            yield lookup, value


def _lookup_values(folder: Path) -> Iterator[tuple[str, str, str]]:
    """(lookup, value, where) of each value written in the code: keywords, tables of words and
    named kinds."""
    for path in sorted(folder.rglob("*.py")):
        if "sample_world" in path.parts:
            continue  # Its pages carry the words of their sources.
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
