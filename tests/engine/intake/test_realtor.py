"""Realtor.com's results and details through the years, and a table of Texas."""

from __future__ import annotations

import json

import pytest

from engine.intake.realtor import parse
from engine.intake.realtor.words import slug_of
from engine.intake.record import SourceRecord
from tests.engine.intake.portal_rows import (
    REALTOR_RESULT,
    as_document,
    changed,
    the_record,
    the_refusal,
)

COMPACT = {
    "property_id": "2858795656",
    "permalink": "1416-Example-Ave_Austin_TX_78704_M28587-95656",
    "list_price": 498000,
    "description": {"beds": 4, "baths": 25, "sqft": 503, "lot_size": 2997,
                    "type": "SingleFamilyResidence"},
    "location": {"address": {"city": "Austin", "state": "TX", "postal_code": "78704",
                             "line": "1416 Example Ave"}},
}  # fmt: skip


def test_a_result() -> None:
    record = the_record(parse, [REALTOR_RESULT])
    assert (record.source_id, record.listing_id) == ("2544776377", "426102503")
    assert (record.list_price, record.extra["previous_list_price"]) == (1_298_000, 1_348_000)
    assert (record.street_address, record.unit_number) == ("759 Example Ave", "2")
    assert (record.bathrooms_total_integer, record.extra["bathrooms_stated"]) == (4, 3.5)
    assert record.notes["bathrooms_total_integer"].rule == "at-least"
    assert record.standard_status == "Active"
    assert record.posted_at == "2026-02-26T21:26:02Z"
    # The masked line gives way to the next; the masked address is none.
    assert (record.contact.name, record.contact.phone) == ("Di Example", "5125550142")
    assert record.contact.email is None
    assert record.contact.source_url == (
        "https://www.realtor.com/realestateandhomes-detail/"
        "759-Example-Ave_Austin_TX_78704_M25447-76377"
    )
    # The sale of 2005 is not this listing's.
    assert "close_date" not in record.extra


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"flags.is_pending": True}, "Pending"),
        ({"flags.is_contingent": True}, "Active Under Contract"),
        ({"flags.is_coming_soon": True}, "Coming Soon"),
        ({"status": "ready_to_build"}, "Active"),
        ({"status": "sold"}, "Closed"),
        ({"status": "off_market"}, "Withdrawn"),
    ],
)
def test_where_a_result_stands(changes: dict[str, object], status: str) -> None:
    record = the_record(parse, [changed(REALTOR_RESULT, changes)])
    assert record.standard_status == status
    if status == "Closed":
        assert record.extra["close_price"] == 845_000


def test_an_office_is_called_where_no_agent_is_named() -> None:
    record = the_record(parse, [changed(REALTOR_RESULT, {"advertisers": None})])
    assert (record.contact.name, record.contact.phone) == ("Example Realty", None)


def test_a_rental() -> None:
    record = the_record(
        parse, [changed(REALTOR_RESULT, {"status": "for_rent", "list_price": 2100})]
    )
    assert record.property_type == "Residential Lease"
    assert record.extra["lease_amount_frequency"] == "Monthly"


@pytest.mark.parametrize(
    ("baths", "beds", "read", "rule"),
    [(25, 4, 3, "lost-decimal-point"), (65, 6, 7, "lost-decimal-point"), (15, 19, 15, None),
     (2, 4, 2, None), (25, None, None, None), (20, 4, 20, None)],
)  # fmt: skip
def test_baths_that_lost_their_point(
    baths: int, beds: int | None, read: int | None, rule: str | None
) -> None:
    row = changed(COMPACT, {"description.baths": baths, "description.beds": beds})
    record = the_record(parse, [row])
    assert record.bathrooms_total_integer == read
    found = record.notes.get("bathrooms_total_integer")
    assert (found.rule if found else None) == rule
    assert record.notes["property_sub_type"].rule == "coarse-type"
    assert record.standard_status is None


def test_a_plan_is_known_by_its_page() -> None:
    link = "Plan-A_Lofts_52-Example-Ave-225_Austin_TX_78704_P417000824059"
    record = the_record(parse, [changed(COMPACT, {"property_id": "", "permalink": link})])
    assert record.source_id == "417000824059"


def test_a_property_has_the_facts_of_its_result() -> None:
    detail = {
        "id": "2544776377",
        "slug": "759-Example-Ave_Austin_TX_78704_M25447-76377",
        "url": "https://www.realtor.com/realestateandhomes-detail/"
        "759-Example-Ave_Austin_TX_78704_M25447-76377",
        "status": "for_sale",
        "list_price": 1298000,
        "list_price_last_change": -50000,
        "list_date": REALTOR_RESULT["list_date"],
        "details": REALTOR_RESULT["description"] | {"text": "A sample.", "baths": 4},
        "location": REALTOR_RESULT["location"],
        "agent": [{"type": "buyer", "agent_name": "No One"},
                  {"type": "seller", "agent_name": "Di Example"}],
        "features": {"Other Property Info": ["Parcel Number: 101-010", "Subdivision: Oaks"]},
    }  # fmt: skip
    record, result = the_record(parse, detail), the_record(parse, [REALTOR_RESULT])
    for field in (
        "source_id", "list_price", "bathrooms_total_integer", "living_area",
        "lot_size_square_feet", "year_built", "posted_at", "property_sub_type",
    ):  # fmt: skip
        assert getattr(record, field) == getattr(result, field)
    assert record.extra["previous_list_price"] == 1_348_000
    assert record.contact.name == "Di Example"
    assert (record.remarks, record.parcel_number) == ("A sample.", "101-010")
    assert record.extra["subdivision"] == "Oaks"


@pytest.mark.parametrize(
    "state",
    [
        {"data": {"home_search": {"results": [REALTOR_RESULT]}}},
        {"props": {"pageProps": {"properties": [REALTOR_RESULT]}}},
        {"props": {"pageProps": {"initialReduxState": {"propertyDetails": REALTOR_RESULT}}}},
    ],
)
def test_where_the_site_keeps_its_rows(state: dict[str, object]) -> None:
    page = f'<html><script id="__NEXT_DATA__">{json.dumps(state)}</script></html>'.encode()
    for content in (state, page):
        assert the_record(parse, content).source_id == "2544776377"


TEXAS = "url,status,id,listPrice,baths,beds,sqft,sub_type,text,type,year_built\n"
DETAIL = "https://www.realtor.com/realestateandhomes-detail/"


def test_a_table_with_the_place_in_the_url() -> None:
    row = (
        f"{DETAIL}1288-Howard-St-Apt-108_San-Antonio_TX_78247_M94053-95105,for_sale,9405395105,"
        '345578,2,3,1512,condo,"It??s a sample, in two\n""lines""",condos,2007\n'
    )
    record = the_record(parse, (TEXAS + row).encode())
    assert (record.source_id, record.list_price) == ("9405395105", 345_578)
    assert (record.street_address, record.unit_number) == ("1288 Howard St", "108")
    assert (record.city, record.postal_code) == ("San Antonio", "78247")
    assert record.notes["street_address"].rule == "from-url"
    assert record.remarks == 'It??s a sample, in two\n"lines"'
    assert record.notes["remarks"].rule == "lost-characters"
    assert record.property_sub_type == "Condominium"


@pytest.mark.parametrize(("word", "kind"), [("land", "Land"), ("farm", "Farm")])
def test_land_has_no_rooms(word: str, kind: str) -> None:
    row = f"{DETAIL}San-Elizario_TX_79849_M93189-98668,for_sale,9318998668,,0,,,,,{word},\n"
    record = the_record(parse, (TEXAS + row).encode())
    assert (record.property_type, record.property_sub_type) == (kind, None)
    assert (record.list_price, record.bedrooms_total, record.bathrooms_total_integer) == (None,) * 3
    assert (record.street_address, record.city) == (None, "San Elizario")
    assert "street_address" not in record.notes


def test_slugs() -> None:
    slug = slug_of("/realestateandhomes-detail/Ace-King-Rd_Kilgore_TX_75662_M12345-67890?x=1")
    assert slug is not None
    assert (slug.street, slug.city, slug.home_id) == ("Ace King Rd", "Kilgore", "1234567890")
    assert slug_of("https://x.example/") is None
    assert slug_of(7) is None


def test_a_feed_of_addresses_is_refused_once() -> None:
    feed = {f"{DETAIL}x": "2023-06-03T08:42:56", f"{DETAIL}y": "2023-06-03T08:42:57"}
    rejected = the_refusal(parse, feed)
    assert rejected.reason == "addresses-only"
    assert "2 addresses" in rejected.detail


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty-page"),
        (b"<html></html>", "unknown-layout"),
        (b"<html>" + b" " * (16 * 1024 * 1024), "page-too-large"),
        ({"a": 1}, "unknown-shape"),
        ([{"a": 1}], "unknown-shape"),
        ([None], "not-a-row"),
        ([{"permalink": "x", "location": {"address": {"line": "1 A St"}}}], "no-id"),
        ([{"property_id": "1", "location": {}}], "no-place"),
    ],
)
def test_what_is_refused(content: object, reason: str) -> None:
    assert the_refusal(parse, content).reason == reason


def test_a_broken_row_costs_only_itself() -> None:
    found = list(parse(as_document([REALTOR_RESULT, 7, REALTOR_RESULT])))
    assert [isinstance(each, SourceRecord) for each in found] == [True, False, True]
