"""The measure itself: differences get the name that the page shows, values stand or do not."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from engine.intake.craigslist import parse_post
from engine.intake.parse_check.comparison import ANOTHER_CAPTURE, NAMED_FIELDS, UNEXPLAINED, compare
from engine.intake.parse_check.misreadings import EXPLANATIONS
from engine.intake.parse_check.pieces import Piece, pieces_of
from engine.intake.parse_check.reference import reference_of
from engine.intake.parse_check.rows import CHANGED_SINCE, compare_row
from engine.intake.parse_check.shown import shown_on
from engine.intake.parse_check.tracer import Tracer
from engine.intake.parse_check.tracing import DERIVATIONS, INVENTED, STATED, fields_of, trace
from engine.intake.record import SourceRecord

PAGE = """<html><head><link rel="canonical" href="https://a.example/apa/d/x/7000000001.html">
</head><body><ul><li class="crumb category"><a href="/search/apa">c</a></li></ul>
<h1><span class="postingtitletext"><span class="price">$1,500</span>
<span id="titletextonly">Nice  place</span><small> (Hyde Park)</small></span></h1>
<div class="mapbox"><div id="map" data-latitude="30.22" data-longitude="-97.72"
data-accuracy="5"></div><div class="mapaddress">2900 Sunridge Dr near Oak</div></div>
<p class="attrgroup"><span class="shared-line-bubble"><b>2BR</b> / <b>1.5Ba</b></span>
<span class="shared-line-bubble"><b>900</b>ft<sup>2</sup></span></p>
<p class="attrgroup"><span>application fee details: $75: per household</span>
<span>townhouse</span><span>wheelchair accessible</span><span>w/d in unit</span></p>
<section id="postingbody">One, <a class="show-contact">show contact info</a> two. See
https://x.example.com/a/b<br>Three</section>
<div class="postinginfos"><p class="postinginfo">post id: 7000000001</p>
<p class="postinginfo">posted: <time datetime="2022-07-01T15:31:46-0500">x</time></p>
<p class="postinginfo">updated: <time datetime="2022-07-02T08:00:10-0500">x</time></p></div>
</body></html>"""
ROW: dict[str, Any] = {
    "post_id": 7000000001,
    "title": "Nice  place",
    "price": 1500,
    "neighborhood": "Hyde Park",
    "map_address": "2900 Sunridge Dr near Oak",
    "street_address": "2900 Sunridge Dr ",
    "latitude": 30.22,
    "longitude": "-97.72",
    "data_accuracy": 5,
    "posted": "2022-07-01 15:31",
    "updated": "2022-07-02 08:00",
    "available": "NA",
    "housing_type": "townhouse",
    "bedrooms": 2,
    "bathrooms": 1.5,
    "laundry": "w/d in unit",
    "sqft": 900,
    "wheelchair_access": True,
    "AC": "NA",
    "app_fee": "$75: per household",
    "posting_body": "['One, show contact info two.', 'See <URL>', 'Three']",
    "images": "NA",
    "url": "https://a.example/apa/d/x/7000000001.html",
}
CHICAGO = ZoneInfo("America/Chicago")


def post(page: str = PAGE) -> SourceRecord:
    record = parse_post(page.encode(), url="x")
    assert isinstance(record, SourceRecord)
    return record


def rules(zone: ZoneInfo | None = CHICAGO, page: str = PAGE, **changes: object) -> dict[str, str]:
    """The rule of each field, blank if it is equal."""
    reference = reference_of(ROW | changes)
    assert reference is not None
    compared = compare(post(page), reference, shown_on(page.encode()), zone)
    return {each.field: each.rule for each in compared}


def differing(**changes: object) -> dict[str, str]:
    return {field: rule for field, rule in rules(**changes).items() if rule}


def test_what_agrees_is_equal() -> None:
    assert differing() == {}
    assert {"price", "title", "latitude", "longitude", "beds", "baths", "area", "type"} <= set(
        rules()
    )
    assert {"posted", "updated", "text", "street", "sub type", "application fee"} <= set(rules())


def test_what_neither_states_is_not_compared() -> None:
    assert not {"available", "air conditioning", "images"} & set(rules())


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"price": 1600}, {"price": UNEXPLAINED}),
        ({"price": "NA"}, {"price": UNEXPLAINED}),
        ({"AC": True}, {"air conditioning": "reference-takes-text-with-keyword"}),
        ({"cats_ok": True}, {"cats": UNEXPLAINED}),
        (
            {"housing_type": "application fee details: $75: per household"},
            {"type": "reference-takes-text-with-keyword"},
        ),
        ({"housing_type": "house"}, {"type": UNEXPLAINED, "sub type": UNEXPLAINED}),
        ({"app_fee": "$75"}, {"application fee": "reference-cuts-at-second-colon"}),
        ({"street_address": "2900 Sunridge"}, {"street": UNEXPLAINED}),
        ({"posting_body": ["One", "two"]}, {"text": UNEXPLAINED}),
        ({"posted": "2022-07-01 15:30"}, {"posted": UNEXPLAINED}),
    ],
)
def test_differences_have_the_name_that_the_page_shows(
    changes: dict[str, object], expected: dict[str, str]
) -> None:
    assert differing(**changes) == expected


def test_another_capture_is_known_by_its_time_of_change() -> None:
    changed = differing(updated="2022-07-05 08:00", price=1600)
    assert changed == {"updated": ANOTHER_CAPTURE, "price": ANOTHER_CAPTURE}


def test_without_a_zone_times_are_not_compared() -> None:
    assert not {"posted", "updated"} & set(rules(zone=None))


@pytest.mark.parametrize(
    ("page", "changes", "expected"),
    [
        (
            PAGE.replace('<div class="mapbox">', "<div>").replace("<html>", "<html><meta "
            'name="geo.position" content="30.22;-97.72">'),
            {"latitude": "NA", "longitude": "NA", "data_accuracy": 5},
            dict.fromkeys(("latitude", "longitude"), "reference-reads-only-the-map"),
        ),
        (
            PAGE.replace("2900 Sunridge Dr near Oak", "12 Lanear St"),
            {"street_address": "12 La"},
            {"street": "reference-cuts-at-letters-near"},
        ),
        (
            PAGE.replace('<div class="mapaddress">2900 Sunridge Dr near Oak</div>', "").replace(
                "(Hyde Park)", "(12 Main St)"
            ),
            {"street_address": "12 Main St", "neighborhood": "12 Main St"},
            {"street": "reference-takes-words-beside-title"},
        ),
        (
            PAGE.replace("2900 Sunridge Dr near Oak", "12 A St Near Oak"),
            {"street_address": "12 A St Near Oak"},
            {"street": "reference-keeps-cross-street"},
        ),
    ],
)  # fmt: skip
def test_misreadings_of_places(
    page: str, changes: dict[str, object], expected: dict[str, str]
) -> None:
    assert {f: r for f, r in rules(page=page, **changes).items() if r} == expected


def test_every_name_has_its_words() -> None:
    assert ANOTHER_CAPTURE in EXPLANATIONS
    assert all(EXPLANATIONS.values())


def test_a_reference_without_a_page_is_none() -> None:
    assert reference_of({"url": "x"}) is None
    assert reference_of([]) is None
    repost = reference_of(ROW | {"post_id": 6, "url": "https://a.example/7000000001.html"})
    assert repost is not None
    assert repost.page_id == "7000000001"


def test_rows_differ_by_a_later_change_or_without_a_name() -> None:
    shown = post()
    row = msgspec.structs.replace(
        shown, list_price=1400, modification_timestamp="2022-07-01T16:00:00"
    )
    found = compare_row(row, shown, CHICAGO)
    assert {each.field: each.rule for each in found if each.rule} == {"price": CHANGED_SINCE}
    # Shown at eight in the evening of the city, twelve hours after the change.
    later = msgspec.structs.replace(row, modification_timestamp="2022-07-02T20:00:00")
    for zone in (CHICAGO, None):
        found = compare_row(later, shown, zone)
        assert {each.field: each.rule for each in found if each.rule} == {"price": UNEXPLAINED}


def traced(record: SourceRecord, content: bytes) -> dict[str, str]:
    tracer = Tracer(pieces_of(content, is_one=True), "https://captures.example/x")
    return {each.field: each.rule for each in tracer.trace(record)}


def test_a_parsed_page_states_all_of_its_values() -> None:
    found = traced(post(), PAGE.encode())
    assert INVENTED not in found.values()
    assert found["list_price"] == found["title"] == found["remarks"] == STATED
    assert set(found.values()) - {STATED, "note"} <= set(DERIVATIONS)


@pytest.mark.parametrize(
    "changes",
    [
        {"list_price": 1501},
        {"title": "Nice house"},
        {"remarks": "One, two. See\nhttps://x.example.com/a/b\nFour"},
        {"bedrooms_total": 7},
        {"bathrooms_total_integer": 31},
        {"living_area": 901},
        {"city": "Austin"},
        {"postal_code": "78741"},
        {"state_or_province": "TX"},
        {"posted_at": "2022-07-03T20:31:46Z"},
        {"year_built": 1987},
        {"property_sub_type": "Castle"},
        {"listing_id": "12345678"},
        {"source_id": "7000000002"},
        {"lot_size_square_feet": 4357},
    ],
)
def test_a_changed_value_is_an_invented_one(changes: dict[str, Any]) -> None:
    found = traced(msgspec.structs.replace(post(), **changes), PAGE.encode())
    assert {field for field, rule in found.items() if rule == INVENTED} == set(changes)


def test_a_value_of_another_row_is_invented() -> None:
    content = b"id,price,city\n1001,250000,Austin\n1002,310000,Dallas\n"
    pieces = pieces_of(content)
    record = SourceRecord(source="s", source_id="1001", list_price=310_000, city="Austin")
    rules_of = {each.field: each.rule for each in Tracer(pieces, "u").trace(record)}
    assert rules_of == {"source_id": STATED, "list_price": INVENTED, "city": STATED}


@pytest.mark.parametrize(
    ("text", "field", "value", "rule"),
    [
        ("0.25 acres", "lot_size_square_feet", 10890, "acres"),
        ("1200.4", "living_area", 1200, "rounded"),
        ("$1.2M", "list_price", 1_200_000, "abbreviated"),
        ("Studio", "bedrooms_total", 0, "studio"),
        ("2 full baths, 1 half bath", "bathrooms_total_integer", 3, "sum"),
        ("1.5Ba", "bathrooms_total_integer", 2, "ceiling"),
        ("house", "property_sub_type", "Single Family Residence", "lookup"),
        ("Texas", "state_or_province", "TX", "state-name"),
        ("May-27-2026", "posted_at", "2026-05-27T00:00:00Z", "day"),
        ("1767225600", "posted_at", "2026-01-01T00:00:00Z", "moment"),
        ("2026-01-01 06:00", "posted_at", "2026-01-01T12:00:00Z", "moment"),
        ("1h ago", "posted_at", "2026-01-01T12:00:00Z", "ago"),
        ("Unit B1-3", "unit_number", "B13", "written-together"),
        ("2026-01-01", "posted_at", "2026-01-01T06:00:00Z", "day"),
        ("500 -20", "extra.previous_list_price", 520, "difference"),
    ],
)
def test_derivations_have_names(text: str, field: str, value: object, rule: str) -> None:
    is_extra = field.startswith("extra.")
    bare = field.removeprefix("extra.")
    said: dict[str, Any] = {"extra": {bare: value}} if is_extra else {bare: value}
    if is_extra:
        said["list_price"] = 500
    record = SourceRecord(source="s", source_id=text, **said)
    assert {each.field: each.rule for each in trace(record, Piece([text]), "u")}[field] == rule


def test_marks_are_no_values() -> None:
    record = SourceRecord(
        source="s", source_id="1", is_sample=True, extra={"section": "apa", "x": True}
    )
    assert dict(fields_of(record)) == {"source_id": "1", "extra.section": "apa"}


@pytest.mark.parametrize(
    ("content", "count"),
    [
        (b"a,b\n1,2\n3,4\n", 3),
        (b'[{"a": 1}, {"a": 2}]', 2),
        (b'{"as_of": "x", "listings": [{"a": 1}, {"a": {"b": [{"c": 1}]}}]}', 2),
        (b'{"a": 1}', 1),
        (b"<p>page</p>", 1),
        (b"{broken", 1),
        (b"", 0),
    ],
)
def test_documents_come_in_pieces(content: bytes, count: int) -> None:
    assert len(pieces_of(content)) == count


def test_the_captured_posts_agree(captures: Path) -> None:
    folder = captures / "craigslist"
    zones = {"austin": "America/Chicago", "dallas": "America/Chicago"}
    known = {}
    for path in (folder / "posts_parsed").glob("*.jsonl"):
        for line in path.read_text().splitlines():
            reference = reference_of(json.loads(line))
            assert reference is not None
            known[reference.page_id] = (reference, zones.get(path.stem, "America/Los_Angeles"))
    equal, compared, names = 0, 0, Counter[str]()
    for path in (folder / "posts_html").glob("*/*.html"):
        if path.stem in known:
            reference, zone = known[path.stem]
            content = path.read_bytes()
            record = parse_post(content, url=path.name)
            assert isinstance(record, SourceRecord)
            for each in compare(record, reference, shown_on(content), ZoneInfo(zone)):
                names[each.rule] += 1
                if each.field in NAMED_FIELDS:
                    compared, equal = compared + 1, equal + (not each.rule)
    assert compared
    assert equal >= 0.995 * compared
    assert names[UNEXPLAINED] == 0
