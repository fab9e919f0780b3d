"""Marketplace listings: property becomes a record that says what the listing says."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.intake.document import Document, Parsed
from engine.intake.facebook import parse
from engine.intake.facebook.listing import HOME_SALES, RENTALS
from engine.intake.record import Rejected, SourceRecord

ROW: dict[str, Any] = {
    "id": "853859730610824",
    "title": "2 Beds 1 Bath\nApartment",
    "price": "$1,450 / Month",
    "location": "Austin, TX",
    "is_sold": False,
    "is_pending": False,
    "creation_time": 1_767_225_600,
    "image_url": "https://x.example/a.jpg",
    "delivery_types": ["IN_PERSON"],
    "category_id": RENTALS,
}
LISTING: dict[str, Any] = {
    "__typename": "GroupCommerceProductItem",
    "id": "1111222233334444",
    "marketplace_listing_title": "Bungalow near the lake",
    "marketplace_listing_category_id": HOME_SALES,
    "listing_price": {"formatted_amount": "$410,000", "amount": "410000.00", "currency": "USD"},
    "strikethrough_price": {"formatted_amount": "$425,000"},
    "location": {
        "latitude": 30.2512,
        "longitude": -97.7541,
        "reverse_geocode": {"city": "Austin", "state": "TX"},
        "reverse_geocode_detailed": {"city": "Austin", "state": "TX", "postal_code": "78704"},
    },
    "home_address": {"street": "1204 Kinney Ave Apt 3"},
    "unit_room_info": "3 beds · 2.5 baths",
    "unit_area_info": "1,480 square feet",
    "redacted_description": {"text": "Quiet street.\nMust sell."},
    "marketplace_listing_seller": {"name": "Ada Example"},
    "listing_photos": [{"image": {"uri": "a"}}, {"image": {"uri": "b"}}],
    "creation_time": 1_767_225_600,
    "is_sold": False,
    "is_pending": True,
}


def found(value: object) -> list[Parsed]:
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    document = Document(url="u", content=content, fetched_at="2026-01-15T00:00:00Z", licence="l")
    return list(parse(document))


def one(value: object) -> SourceRecord:
    [record] = found(value)
    assert isinstance(record, SourceRecord), record
    return record


def refusal(value: object) -> str:
    [rejected] = found(value)
    assert isinstance(rejected, Rejected)
    assert rejected.content_hash
    return rejected.reason


def test_a_row_of_a_search_for_homes() -> None:
    record = one([ROW])
    assert (record.source, record.source_id) == ("facebook", "853859730610824")
    assert record.title == "2 Beds 1 Bath Apartment"
    assert (record.list_price, record.extra["lease_amount_frequency"]) == (1450, "Monthly")
    assert (record.property_type, record.property_sub_type) == ("Residential Lease", "Apartment")
    assert (record.bedrooms_total, record.bathrooms_total_integer) == (2, 1)
    assert (record.city, record.state_or_province) == ("Austin", "TX")
    assert record.street_address is None
    assert record.contact.unparsed_address is None
    assert record.standard_status == "Active"
    assert record.posted_at == "2026-01-01T00:00:00Z"
    assert (record.fetched_at, record.licence) == ("2026-01-15T00:00:00Z", "l")
    assert record.contact.source_url == (
        "https://www.facebook.com/marketplace/item/853859730610824/"
    )


def test_a_listing_in_full() -> None:
    record = one({"data": {"viewer": {"target": LISTING}}})
    assert record.title == "Bungalow near the lake"
    assert record.remarks == "Quiet street.\nMust sell."
    assert (record.list_price, record.extra["previous_list_price"]) == (410_000, 425_000)
    assert record.property_type == "Residential"
    assert (record.bedrooms_total, record.bathrooms_total_integer) == (3, 3)
    assert record.extra["bathrooms_stated"] == 2.5
    assert record.living_area == 1480
    assert (record.street_address, record.unit_number) == ("1204 Kinney Ave", "3")
    assert record.postal_code == "78704"
    assert (record.contact.latitude, record.contact.longitude) == (30.2512, -97.7541)
    assert record.contact.name == "Ada Example"
    assert (record.standard_status, record.extra["is_pending"]) == ("Pending", True)
    assert record.extra["images"] == 2


def test_short_facts_beside_the_title() -> None:
    labels = ("Townhouse", "2 baths", "1,100 sq ft")
    section = {
        "section_type": "UNIT_SUBTITLE",
        "pdp_fields": [{"display_label": label} for label in labels],
    }
    bare = LISTING | {"unit_room_info": None, "unit_area_info": None}
    record = one(bare | {"pdp_display_sections": [section]})
    assert (record.property_sub_type, record.bathrooms_total_integer) == ("Townhouse", 2)
    assert record.living_area == 1100
    assert record.bedrooms_total is None


def test_a_page_tells_a_listing_in_parts() -> None:
    part = {key: LISTING[key] for key in ("id", "marketplace_listing_title")}
    rest = {key: value for key, value in LISTING.items() if key != "redacted_description"}
    scripts = [{"require": [[{"x": part}]]}, {"a": rest}, {"b": LISTING}]
    page = "<html>" + "".join(
        f'<script type="application/json" data-sjs>{json.dumps(each)}</script>' for each in scripts
    )
    record = one((page + '<script type="application/json">{broken</script>').encode())
    assert record == one(LISTING)


def test_answers_streamed_line_by_line() -> None:
    lines = "\n".join(json.dumps({"node": {"listing": each}}) for each in (LISTING, ROW))
    assert [type(each) for each in found(lines.encode())] == [SourceRecord, SourceRecord]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"is_sold": True}, "Closed"),
        ({"is_hidden": True}, "Withdrawn"),
        ({"is_live": False}, "Withdrawn"),
        ({"is_pending": True}, "Pending"),
        ({"is_sold": None}, "Active"),
    ],
)
def test_states(change: dict[str, object], status: str) -> None:
    assert one([ROW | change]).standard_status == status


@pytest.mark.parametrize(
    ("price", "dollars", "frequency"),
    [
        ("N/A", None, None),
        ("Free", None, None),
        ("$1,450", 1450, None),
        ("CA$1,450 / Month", None, None),
        ("$65 / Day", 65, "Daily"),
        (None, None, None),
    ],
)
def test_prices(price: str | None, dollars: int | None, frequency: str | None) -> None:
    record = one([ROW | {"price": price}])
    assert record.list_price == dollars
    assert record.extra.get("lease_amount_frequency") == frequency


def test_another_currency_is_no_price() -> None:
    price = {"formatted_amount": "$9,000,000", "amount": "9000000.00", "currency": "MXN"}
    assert one(LISTING | {"listing_price": price}).list_price is None


@pytest.mark.parametrize("moment", [None, "", "soon", -5, 0, 10**30, float("nan"), True])
def test_a_moment_that_is_none_is_left_out(moment: object) -> None:
    assert one([ROW | {"creation_time": moment}]).posted_at is None


def test_a_studio_has_no_bedroom() -> None:
    assert one([ROW | {"title": "Studio 1 Bath Apartment"}]).bedrooms_total == 0


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "empty-document"),
        (b"{", "broken-json"),
        (b"1\n{", "broken-json"),
        ([], "no-listings"),
        (b"<html><form id=login></form>", "no-listings"),
        ([ROW | {"category_id": "1792291877663080"}], "not-property"),
        ([ROW | {"category_id": None, "title": "Bed frame, 2 beds"}], "not-property"),
        ([ROW | {"location": None}], "no-place"),
        ([ROW | {"location": "Guadalajara, JAL"}], "no-place"),
        ([{k: v for k, v in ROW.items() if k != "id"}], "no-id"),
    ],
)
def test_refusals(value: object, reason: str) -> None:
    assert refusal(value) == reason


def test_rooms_make_a_listing_without_category_property() -> None:
    assert one([ROW | {"category_id": None}]).property_sub_type == "Apartment"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*LISTING, *ROW, "amount", "text", "city"]), inner)
    ),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(_JSON, st.sampled_from([ROW, LISTING]), st.sampled_from([*LISTING, *ROW]))
def test_any_json_is_taken(odd: object, whole: dict[str, Any], key: str) -> None:
    for value in (odd, [whole | {key: odd}]):
        for each in found(json.dumps(value).encode()):
            assert isinstance(each, SourceRecord | Rejected)


def test_a_page_of_open_scripts_takes_no_longer_than_its_length() -> None:
    page = b"<html>" + b'<script type="application/ld+json">{' * 200_000
    started = time.process_time()
    assert len(found(page)) == 1
    assert time.process_time() - started < 10


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=100), st.integers(0, 1500), st.integers(0, 1500))
def test_any_bytes_are_taken(noise: bytes, start: int, length: int) -> None:
    whole = json.dumps([ROW, LISTING]).encode()
    for each in found(whole[:start] + noise + whole[start + length :]):
        assert isinstance(each, SourceRecord | Rejected)


def test_captured_searches(captures: Path) -> None:
    paths = sorted((captures / "facebook").glob("*.json"))
    for path in paths:
        rows = json.loads(path.read_bytes())
        parsed = found(path.read_bytes())
        assert len(parsed) == len(rows)
        for each in parsed:
            assert isinstance(each, Rejected)
            assert each.reason == "not-property"
