"""Whatever a portal sends, its parser answers with records and refusals, and never raises."""

from __future__ import annotations

import json
from collections.abc import Iterator
from time import process_time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.intake.document import Document, Parser
from engine.intake.parsers import PARSERS
from engine.intake.record import Rejected, SourceRecord
from tests.engine.intake import portal_rows as rows

TEXT_FIELDS = (
    "source_id", "title", "standard_status", "street_address", "unit_number", "city",
    "state_or_province", "postal_code", "parcel_number", "listing_id", "originating_system_name",
    "posted_at", "modification_timestamp",
)  # fmt: skip
PORTALS = ("zillow", "redfin", "realtor", "fsbo")
SHAPES: list[tuple[str, dict[str, Any]]] = [
    ("zillow", rows.ZILLOW_RESULT),
    ("zillow", rows.ZILLOW_BUILDING),
    ("zillow", rows.ZILLOW_BUILDING_PAGE),
    ("zillow", rows.ZILLOW_PROPERTY),
    ("redfin", rows.REDFIN_SEARCH),
    ("redfin", rows.REDFIN_SALE_PAGE),
    ("realtor", rows.REALTOR_RESULT),
    ("fsbo", {"listings": [rows.FSBO_ROW]}),
    ("fsbo", rows.LINKED_DATA),
]
LONG: list[Any] = [
    "1" * 300_000, "from" + " " * 300_000 + "x", "$" * 300_000, "1," * 150_000, ", " * 150_000,
    "Apt 1 " * 50_000, "| " * 150_000, "- " * 150_000, "Price cut: $1" * 30_000, "a. " * 100_000,
    "<" * 300_000, "/home/" * 50_000, "_" * 300_000, "M1-" * 100_000,
]  # fmt: skip
WRONG: list[Any] = [
    None, True, False, 0, -1, 10**40, 1e308, -1e308, "", " ", "\x00", "\ud800",
    "x" * 5_000, "1 " * 20_000,
    "9" * 400, "$" * 50, "-", "NaN", "{", "[1", [], {}, [[]], [None], {"value": {"value": []}},
    ["a"], {"a": 1}, "0001-01-01", "9999-12-31T23:59:59+14:00",
]  # fmt: skip

DEEP = b'[{"a":' * 50_000
BROKEN: list[bytes] = [
    b"", b" \n", b"\xef\xbb\xbf", b"{", b"[", b"[]", b"{}", b"[[]]", b"[1,null,\"x\",[]]", b"null",
    DEEP, b"[" * 100_000, b"{}&&", b"{}&&{", b"\xff\xfe\x00", b"\x00" * 100, b"<", b"<html>",
    b"<!doctype html><p>hello", b"<script" * 5_000, b'<script id="__NEXT_DATA__">',
    b'<script id="__NEXT_DATA__">{</script>', b'<script id="__NEXT_DATA__">[1]</script>',
    b'<script id="__NEXT_DATA__">' + DEEP + b"</script>", b"<article>" * 2_000,
    b'<article data-test="property-card">', b'<script type="application/ld+json">[[[[</script>',
    b'[{"zpid": 1e999, "homeStatus": NaN}]', b'{"listings": {"a": 1}}', b"a,b\n1,2\n",
    b'[{"location": {"address": {"coordinate": 7}}, "id": {}}]',
]  # fmt: skip


MISSING = object()
Path = tuple[str | int, ...]


def paths_of(value: object, path: Path = ()) -> Iterator[Path]:
    keys: Any = value.keys() if isinstance(value, dict) else ()
    keys = range(len(value)) if isinstance(value, list) else keys
    for key in keys:
        yield (*path, key)
        yield from paths_of(value[key], (*path, key))  # type: ignore[index]


def with_value(value: Any, path: Path, new: object) -> Any:
    copy = value.copy()
    if len(path) == 1 and new is MISSING:
        del copy[path[0]]
    else:
        copy[path[0]] = new if len(path) == 1 else with_value(value[path[0]], path[1:], new)
    return copy


def results_of(parser: Parser, content: bytes) -> list[SourceRecord | Rejected]:
    found = list(parser(Document(url="https://x.example/p", content=content)))
    for each in found:
        assert isinstance(each, SourceRecord | Rejected)
        # What can't be written can't be stored: halves of surrogate pairs, for one.
        assert b"\x00" not in msgspec.json.encode(each)
        if isinstance(each, SourceRecord):
            assert_plausible(each)
    return found


def assert_plausible(record: SourceRecord) -> None:
    assert record.source_id
    assert record.list_price is None or 0 < record.list_price <= 2_000_000_000
    assert record.bedrooms_total is None or 0 <= record.bedrooms_total <= 100
    assert record.living_area is None or 0 < record.living_area <= 10_000_000
    assert record.contact.source_url is None or record.contact.source_url.startswith("http")
    assert all(isinstance(value, str | int | float) for value in record.extra.values())
    texts = [value for value in record.extra.values() if isinstance(value, str)]
    texts += [getattr(record, name) or "" for name in TEXT_FIELDS]
    texts += [record.contact.name or "", record.contact.phone or "", record.contact.email or ""]
    assert all(len(text) <= 600 for text in texts)
    assert len(record.remarks or "") <= 20_000


@pytest.mark.parametrize("portal", PORTALS)
@pytest.mark.parametrize("content", BROKEN, ids=lambda content: repr(content[:24]))
def test_broken_documents_are_refused_or_hold_nothing(portal: str, content: bytes) -> None:
    found = results_of(PARSERS[portal], content)
    assert not any(isinstance(each, SourceRecord) for each in found)
    assert found or content == b"[]"


@pytest.mark.parametrize(("portal", "row"), SHAPES)
def test_wrong_types_under_every_key(portal: str, row: dict[str, Any]) -> None:
    for path in paths_of(row):
        for wrong in WRONG:
            content = json.dumps(with_value(row, path, wrong)).encode()
            results_of(PARSERS[portal], content)


@pytest.mark.parametrize(("portal", "row"), SHAPES)
def test_long_texts_take_no_longer_than_their_length(portal: str, row: dict[str, Any]) -> None:
    slowest = 0.0
    for path in paths_of(row):
        for long in LONG:
            content = json.dumps(with_value(row, path, long)).encode()
            started = process_time()
            results_of(PARSERS[portal], content)
            slowest = max(slowest, process_time() - started)
    assert slowest < 0.5


def test_cards_in_cards_and_endless_details_are_read_once() -> None:
    opening = '<article data-test="property-card" id="zpid_1">'
    details = f'<ul data-testid="property-card-details">{"1" * 2_000_000}</ul>'
    started = process_time()
    results_of(PARSERS["zillow"], f"<html>{opening * 3_000}{details}".encode())
    assert process_time() - started < 2


@pytest.mark.parametrize(("portal", "row"), SHAPES)
@pytest.mark.parametrize("depth", [60, 400, 800, 900, 950, 980])
def test_depth_under_every_key(portal: str, row: dict[str, Any], depth: int) -> None:
    mark = "a depth to be put here"
    for path in paths_of(row):
        whole = json.dumps(with_value(row, path, mark))
        for opening, closing in (("[", "]"), ('{"a":', "}")):
            deep = f"{opening * depth}1{closing * depth}"
            content = whole.replace(json.dumps(mark), deep).encode()
            results_of(PARSERS[portal], content)
            search = b'{"cat1": {"searchResults": {"listResults": [%b]}}}' % content
            results_of(PARSERS[portal], search)


@pytest.mark.parametrize(("portal", "row"), SHAPES)
def test_every_key_may_be_missing(portal: str, row: dict[str, Any]) -> None:
    for path in (path for path in paths_of(row) if isinstance(path[-1], str)):
        found = results_of(PARSERS[portal], json.dumps(with_value(row, path, MISSING)).encode())
        assert found


@pytest.mark.parametrize(("portal", "row"), SHAPES)
def test_truncated_json_is_refused(portal: str, row: dict[str, Any]) -> None:
    whole = json.dumps([row]).encode()
    for end in range(1, len(whole) - 1, 37):
        (rejected,) = results_of(PARSERS[portal], whole[:end])
        assert isinstance(rejected, Rejected)
        assert rejected.reason == "broken-json"


@pytest.mark.parametrize("portal", PORTALS)
@given(content=st.binary(max_size=400))
def test_any_bytes(portal: str, content: bytes) -> None:
    results_of(PARSERS[portal], content)


KEYS = st.sampled_from(
    sorted({str(path[-1]) for _portal, row in SHAPES for path in paths_of(row)} | {"@graph"})
)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(), inner),
    max_leaves=25,
)


@pytest.mark.parametrize("portal", PORTALS)
@given(value=JSON)
def test_any_json(portal: str, value: object) -> None:
    content = json.dumps(value).encode()
    results_of(PARSERS[portal], content)
    results_of(PARSERS[portal], b'<script id="__NEXT_DATA__">' + content + b"</script>")
    linked = b'<html><script type="application/ld+json">' + content + b"</script>"
    results_of(PARSERS[portal], linked)
