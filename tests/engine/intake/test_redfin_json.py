"""Redfin's own JSON, and the table that its pages let one download."""

from __future__ import annotations

import pytest

from engine.intake.redfin import parse
from tests.engine.intake.portal_rows import (
    REDFIN_SALE_PAGE,
    REDFIN_SEARCH,
    as_document,
    changed,
    the_record,
    the_refusal,
)


def test_a_home_of_the_search() -> None:
    record = the_record(parse, [REDFIN_SEARCH])
    assert (record.source_id, record.listing_id) == ("143314", "2178444")
    assert (record.list_price, record.standard_status) == (951_115, "Active")
    assert (record.street_address, record.unit_number) == ("118 27th Ave S", "B")
    assert (record.bathrooms_total_integer, record.extra["bathrooms_stated"]) == (3, 2.5)
    assert (record.living_area, record.lot_size_square_feet, record.year_built) == (
        1570,
        4900,
        1953,
    )
    assert record.property_sub_type == "Townhouse"
    assert record.posted_at == "2026-04-30T12:00:00Z"
    assert record.contact.name == "Cy Example"
    assert (record.contact.latitude, record.contact.longitude) == (47.6, -122.3)
    assert record.contact.source_url == (
        "https://www.redfin.com/WA/Seattle/118-27th-Ave-S-98144/home/143314"
    )
    assert record.extra["subdivision"] == "Judkins"
    # The sale before is not this listing's.
    assert "close_date" not in record.extra


def test_the_sites_answer_is_guarded_and_wrapped() -> None:
    answer = b'{}&&{"payload": {"homes": [{"streetLine": {"value": "1 Oak St"}, "propertyId": 4}]}}'
    record = the_record(parse, answer)
    assert (record.source_id, record.street_address) == ("4", "1 Oak St")


@pytest.mark.parametrize(
    ("changes", "price", "status"),
    [
        ({"mlsStatus": "Pending"}, 951_115, "Pending"),
        ({"mlsStatus": "Closed", "hideSalePrice": True}, None, "Closed"),
        ({"price": {"level": 1}}, None, "Active"),
        ({"mlsStatus": "Contingent"}, 951_115, "Active Under Contract"),
    ],
)
def test_prices_and_standings(changes: dict[str, object], price: int | None, status: str) -> None:
    record = the_record(parse, [changed(REDFIN_SEARCH, changes)])
    assert (record.list_price, record.standard_status) == (price, status)
    if status == "Closed":
        assert record.extra["close_date"] == "2000-08-24T07:00:00Z"


def test_the_details_of_a_home_for_sale() -> None:
    record = the_record(parse, [REDFIN_SALE_PAGE])
    assert (record.source_id, record.list_price) == ("186647", 649_950)
    assert (record.street_address, record.unit_number) == ("10 Example Way S", "4")
    assert (record.city, record.postal_code) == ("Seattle", "98168")
    assert record.standard_status == "Pending"
    assert (record.bedrooms_total, record.living_area) == (4, 1_368)
    # One full and one three-quarter bath: two rooms, and no figure like 1.75 is stated.
    assert record.bathrooms_total_integer == 2
    assert record.notes["bathrooms_total_integer"].rule == "summed-baths"
    assert "bathrooms_stated" not in record.extra
    assert record.year_built == 1960
    assert record.lot_size_square_feet == 21_780
    assert record.posted_at == "2023-11-09T00:00:00Z"
    assert record.extra["association_fee_monthly"] == 628


def test_floor_plans_without_an_address_are_no_home() -> None:
    row = {"rentalId": "r-1", "unitTypesByBedroom": [{"availableUnitTypes": []}]}
    rejected = the_refusal(parse, [row])
    assert (rejected.reason, rejected.source_id) == ("floor-plans-only", "r-1")


def test_a_trackers_status_is_not_left_unsaid() -> None:
    row = {"address": "9 Peninsula Dr", "zip": "75218", "mls_number": "212", "price_usd": 5}
    for word, status in (("Pending", "Pending"), ("Withdrawn", "Withdrawn"), ("Sold", "Closed")):
        record = the_record(parse, {"listings": [row | {"status": word}]})
        assert record.standard_status == status
        assert (record.source_id, record.listing_id) == ("mls-212", "212")


def test_the_sites_download() -> None:
    head = (
        "SALE TYPE,SOLD DATE,PROPERTY TYPE,ADDRESS,CITY,STATE OR PROVINCE,ZIP OR POSTAL CODE,PRICE,"
        "BEDS,BATHS,LOCATION,SQUARE FEET,LOT SIZE,YEAR BUILT,DAYS ON MARKET,HOA/MONTH,STATUS,"
        "URL (SEE https://x.example FOR INFO),SOURCE,MLS#,LATITUDE,LONGITUDE"
    )
    row = (
        "MLS Listing,,Townhouse,3 Example Ct #2,Dallas,TX,75204,450000,2,2.5,Uptown,1400,900,2015,"
        "12,210,Active,https://www.redfin.com/TX/Dallas/3-Example-Ct/home/77,NTREIS,21000000,"
        "32.8,-96.8"
    )
    note = '"In accordance with local MLS rules, some listings are not included"'
    found = list(parse(as_document(f"{head}\n{note}\n{row}\n".encode())))
    assert [type(each).__name__ for each in found] == ["Rejected", "SourceRecord"]
    record = the_record(parse, f"{head}\n{row}\n".encode())
    assert (record.source_id, record.listing_id, record.unit_number) == ("77", "21000000", "2")
    assert (record.list_price, record.property_sub_type) == (450_000, "Townhouse")
    assert record.extra["days_on_market"] == 12


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty-page"),
        (b"<html></html>", "unknown-layout"),
        ({"listings": {}}, "unknown-shape"),
        ([1], "not-a-row"),
        ([{"a": 1}], "no-id"),
        ([{"url": "/x/home/1"}], "no-place"),
    ],
)
def test_what_is_refused(content: object, reason: str) -> None:
    assert the_refusal(parse, content).reason == reason
