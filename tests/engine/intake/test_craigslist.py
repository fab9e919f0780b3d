"""Post pages become records that say what the page says, or are refused with a reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.intake.craigslist import PAGE_BYTES_MAX, parse_post
from engine.intake.record import Rejected, SourceRecord

PAGE = """<html><head><link rel="canonical" href="https://x.example/apa/7000000001.html">
<script id="ld_posting_data">{facts}</script></head><body>
<ul><li class="crumb category"><a href="/search/{section}">c</a></li></ul>
<h1 class="postingtitle"><span class="postingtitletext"><span class="price">$1,500</span>
<span class="housing">/ 2br - 900ft<sup>2</sup> - </span>
<span id="titletextonly"> Nice <b>place</b></span></span></h1>
<div id="map" data-latitude="30.22" data-longitude="-97.72"></div>
<div class="mapaddress">2900 Sunridge Dr near Oak</div>
<p class="attrgroup"><span class="shared-line-bubble"><b>2BR</b> / <b>1.5Ba</b></span></p>
<p class="attrgroup"><span>townhouse</span><span>rent period: <b>weekly</b></span></p>
<section id="postingbody"><div class="print-information">QR</div>One<br>two
<script>alert(1)</script></section>
<div class="postinginfos"><p class="postinginfo">post id: 7000000001</p>
<p class="postinginfo">posted: <time datetime="2022-07-01T15:31:46-0500">x</time></p>
<p class="postinginfo">updated: <time datetime="2022-07-02T15:31:46-0500">x</time></p></div>
</body></html>"""


def page(section: str = "apa", facts: str = "{}") -> bytes:
    return PAGE.format(section=section, facts=facts).encode()


def parsed(content: bytes) -> SourceRecord:
    record = parse_post(content, url="http://127.0.0.1/austin/posts/7000000001.html")
    assert isinstance(record, SourceRecord)
    return record


def test_a_page_in_full() -> None:
    record = parsed(page())
    assert record.source_id == "7000000001"
    assert record.title == "Nice place"
    assert record.remarks == "One\ntwo"
    assert record.list_price == 1500
    assert (record.property_type, record.property_sub_type) == ("Residential Lease", "Townhouse")
    assert (record.bedrooms_total, record.bathrooms_total_integer) == (2, 2)
    assert record.living_area == 900
    assert record.street_address == "2900 Sunridge Dr"
    assert record.posted_at == "2022-07-01T20:31:46Z"
    assert record.modification_timestamp == "2022-07-02T20:31:46Z"
    assert record.contact.source_url == "https://x.example/apa/7000000001.html"
    assert record.extra["lease_amount_frequency"] == "Weekly"
    assert not record.is_sample


def test_sales_by_owner() -> None:
    record = parsed(page(section="reo"))
    assert record.property_type == "Residential"
    assert record.extra["listed_by"] == "owner"


@pytest.mark.parametrize("facts", ["{", "[]", '{"address": []}', "[" * 5000, '"x"', "null"])
def test_broken_linked_data_is_left_out(facts: str) -> None:
    assert parsed(page(facts=facts)).city is None


def test_an_address_in_linked_data() -> None:
    facts = json.dumps(
        {
            "address": {
                "streetAddress": "1 A St",
                "addressLocality": "Austin",
                "addressRegion": "TX",
                "postalCode": "78741",
            }
        }
    )
    record = parsed(page(facts=facts))
    assert record.contact.unparsed_address == "1 A St, Austin, TX 78741"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty-page"),
        (b" \n", "empty-page"),
        (b"<h2>This posting has expired.</h2>", "expired"),
        (b"<h2>This posting has been <b>deleted</b> by its author.</h2>", "deleted"),
        (b"<h2>This posting has been flagged for removal.</h2>", "flagged"),
        (b"<p>hello", "unknown-layout"),
        (b"x" * (PAGE_BYTES_MAX + 1), "page-too-large"),
        (b"<p id=titletextonly> </p><p id=postingbody>x</p>", "no-title"),
    ],
)
def test_what_is_no_post_is_refused_with_a_reason(content: bytes, reason: str) -> None:
    rejected = parse_post(content, url="http://x.example/1234567.html")
    assert isinstance(rejected, Rejected)
    assert (rejected.reason, rejected.source_id) == (reason, "1234567")
    assert rejected.content_hash


def test_a_post_without_id_is_refused() -> None:
    rejected = parse_post(b"<p id=titletextonly>a</p><p id=postingbody>x</p>", url="x")
    assert isinstance(rejected, Rejected)
    assert rejected.reason == "no-post-id"


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 1500), st.integers(0, 1500))
def test_any_bytes_are_taken(noise: bytes, start: int, length: int) -> None:
    whole = page()
    for content in (noise, whole[:start] + noise + whole[start + length :]):
        assert isinstance(parse_post(content, url="x"), SourceRecord | Rejected)


def test_captured_pages_agree_with_their_parsed_records(captures: Path) -> None:
    folder = captures / "craigslist"
    known = {
        str(row["post_id"]): row
        for path in (folder / "posts_parsed").glob("*.jsonl")
        for row in map(json.loads, path.read_text().splitlines())
    }
    compared, different = 0, []
    for path in (folder / "posts_html").glob("*/*.html"):
        record = parsed(path.read_bytes())
        assert record.source_id == path.stem
        row = known.get(path.stem)
        if row is None:
            continue
        compared += 1
        said = {
            "title": (record.title, " ".join(str(row["title"]).split())),
            "price": (record.list_price, _number(row["price"])),
            "latitude": (record.contact.latitude, _number(row["latitude"])),
            "longitude": (record.contact.longitude, _number(row["longitude"])),
            "bedrooms": (record.bedrooms_total, _number(row["bedrooms"])),
            "bathrooms": (record.extra.get("bathrooms_stated"), _number(row["bathrooms"])),
            "sqft": (record.living_area, _number(row["sqft"])),
        }
        different += [
            (path.stem, field, *pair) for field, pair in said.items() if pair[0] != pair[1]
        ]
    assert compared
    assert len(different) <= 0.005 * compared, different


def test_old_and_foreign_pages_are_refused(captures: Path) -> None:
    for folder in ("craigslist/legacy_html_2009_2013", "zillow/search_html"):
        for path in (captures / folder).iterdir():
            assert isinstance(parse_post(path.read_bytes(), url=path.name), Rejected)


def _number(cell: object) -> float | None:
    try:
        return float(str(cell))
    except ValueError:
        return None
