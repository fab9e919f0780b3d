"""Post pages become records that say what the page says, or are refused with a reason."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.intake.craigslist import PAGE_BYTES_MAX, parse, parse_post
from engine.intake.document import Document
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
<p class="attrgroup"><span>townhouse</span><span>rent period: <b>weekly</b></span>{more}</p>
<section id="postingbody"><div class="print-information">QR</div>One<br>two
<a class="show-contact">show contact info</a>
<script>alert(1)</script></section>
<div class="postinginfos"><p class="postinginfo">post id: 7000000001</p>
<p class="postinginfo">posted: <time datetime="2022-07-01T15:31:46-0500">x</time></p>
<p class="postinginfo">updated: <time datetime="2022-07-02T15:31:46-0500">x</time></p></div>
</body></html>"""


def page(section: str = "apa", facts: str = "{}", more: str = "") -> bytes:
    return PAGE.format(section=section, facts=facts, more=more).encode()


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


def test_ticked_boxes_and_named_details() -> None:
    boxes = (
        "w/d in unit", "off-street parking", "cats are OK - purrr", "dogs are OK - wooof",
        "no smoking", "furnished", "wheelchair accessible", "air conditioning", "EV charging",
        "application fee details: $50 per house", "broker fee details: none",
        "listed by: Keller &amp; Co",
    )  # fmt: skip
    record = parsed(page(more="".join(f"<span>{box}</span>" for box in boxes)))
    assert record.extra == {
        "section": "apa",
        "housing_type": "townhouse",
        "bathrooms_stated": 1.5,
        "images": 0,
        "lease_amount_frequency": "Weekly",
        "laundry": "w/d in unit",
        "parking": "off-street parking",
        **dict.fromkeys(("cats_ok", "dogs_ok", "no_smoking", "furnished"), True),
        **dict.fromkeys(("wheelchair_accessible", "air_conditioning", "ev_charging"), True),
        "application_fee": "$50 per house",
        "broker_fee": "none",
    }
    assert record.contact.name == "Keller & Co"


def test_no_box_is_read_out_of_an_advertisers_words() -> None:
    record = parsed(page(more="<span>listed by: Fairfield house cats</span>"))
    assert record.extra["housing_type"] == "townhouse"
    assert not {"cats_ok", "air_conditioning"} & set(record.extra)


@pytest.mark.parametrize(
    ("rooms", "stated", "total", "marks"),
    [
        ("2BR / sharedBa", None, None, {"bathrooms_shared": True}),
        ("2BR / splitBa", None, None, {"bathrooms_split": True}),
        ("2BR / 9+Ba", 9, 9, {}),
        ("2BR / 3.5Ba", 3.5, 4, {}),
        ("2BR", None, None, {}),
        ("2BR / 200Ba", None, None, {}),
    ],
)
def test_bathrooms(
    rooms: str, stated: float | None, total: int | None, marks: dict[str, bool]
) -> None:
    content = page().replace(b"<b>2BR</b> / <b>1.5Ba</b>", rooms.encode())
    record = parsed(content)
    assert (record.extra.get("bathrooms_stated"), record.bathrooms_total_integer) == (stated, total)
    assert {key: record.extra.get(key) for key in marks} == marks
    assert ("bathrooms_total_integer" in record.notes) == ("+" in rooms)


def test_a_repost_names_what_it_repeats_but_no_advertiser_can() -> None:
    script = b"<script>\npID: 7000000001,\nrepost_of: 6900000001\n</script></head>"
    assert parsed(page().replace(b"</head>", script)).extra["repost_of"] == "6900000001"
    claimed = page().replace(b"One<br>", b"\nrepost_of: 6900000001<br>")
    assert "repost_of" not in parsed(claimed).extra


def test_beside_the_title_and_the_map() -> None:
    content = page().replace(b"</span></span></h1>", b"</span><small> (Hyde  Park) </small></h1>")
    content = content.replace(b'id="map"', b'id="map" data-accuracy="22"')
    content = content.replace(
        b"/ <b>1.5Ba</b></span>",
        b"/ <b>1.5Ba</b></span><span class="
        b'"property_date" data-date="2022-9-1">available sep 1</span>',
    )
    extra = parsed(content).extra
    assert extra["neighborhood"] == "Hyde Park"
    assert extra["map_accuracy"] == "22"
    assert extra["availability_date"] == "2022-09-01"


@pytest.mark.parametrize(
    ("section", "reason"), [("cta", "not-property"), ("hou", "wanted"), ("x", "unknown-section")]
)
def test_sections_without_property_are_refused(section: str, reason: str) -> None:
    content = page(section=section).replace(b"/apa/7000000001.html", b"/7000000001")
    rejected = parse_post(content, url="x")
    assert isinstance(rejected, Rejected)
    assert (rejected.reason, rejected.source_id) == (reason, "7000000001")


def test_a_document_hands_on_where_it_is_from() -> None:
    document = Document(url="x", content=page(), fetched_at="2022-08-01T00:00:00Z", licence="l")
    [record] = parse(document)
    assert isinstance(record, SourceRecord)
    assert (record.fetched_at, record.licence) == ("2022-08-01T00:00:00Z", "l")


def test_the_declared_character_set_is_used() -> None:
    content = page().replace(b"Nice", "Ni\u00e7e".encode("latin-1"))
    [declared] = parse(Document(url="x", content=content, charset="iso-8859-1"))
    [undeclared] = parse(Document(url="x", content=content))
    assert isinstance(declared, SourceRecord)
    assert isinstance(undeclared, SourceRecord)
    assert declared.title == undeclared.title == "Ni\u00e7e place"
    assert not declared.notes
    assert undeclared.notes["title"].rule == "charset-not-declared"


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


@pytest.mark.parametrize(
    "piece",
    [
        b'<div class="cl-search-result"><a href="/apa/d/x/7000000001.html">',
        b'<li class="result-row"><div>',
        b'<p class="postinginfo"><object>',
        b'<span class="attrgroup"><span>x',
        b"<p><object>",
        b"<br><h2>(",
    ],
)
def test_nested_pages_end_soon(piece: bytes) -> None:
    started = time.process_time()
    for content in (piece * 5_000, page().replace(b"One<br>", piece * 5_000)):
        list(parse(Document(url="x", content=content)))
    assert time.process_time() - started < 10
