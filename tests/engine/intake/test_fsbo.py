"""Owners' offers: what trackers gather and what owners' sites publish."""

from __future__ import annotations

import json

import pytest

from engine.intake.fsbo import parse
from engine.intake.record import SourceRecord
from tests.engine.intake.portal_rows import (
    FSBO_ROW,
    LINKED_DATA,
    as_document,
    changed,
    the_record,
    the_refusal,
)


def test_a_trackers_row() -> None:
    record = the_record(parse, {"generated_at": "2026-02-19T01:05:41Z", "listings": [FSBO_ROW]})
    assert (record.source, record.source_id) == ("fsbo", "zl-411")
    assert record.originating_system_name == "zillow"
    assert record.extra["listed_by"] == "owner"
    assert record.extra["previous_list_price"] == 460_000
    assert "previous_list_price" not in record.notes
    assert record.fetched_at == "2026-02-19T01:04:34Z"
    assert record.posted_at == "2026-01-14T01:04:34Z"
    assert record.property_sub_type == "Single Family Residence"


def test_badges_are_no_remarks() -> None:
    record = the_record(parse, [FSBO_ROW])
    assert record.remarks is None
    assert record.extra["badges"] == FSBO_ROW["remarks"]
    written = (
        "Price cut: $5,000 (2/1). We raised three children here and planted every tree in the "
        "yard. The roof is of 2021. Non-owner occupied / vacant"
    )
    record = the_record(parse, [changed(FSBO_ROW, {"remarks": written})])
    assert record.remarks == (
        "We raised three children here and planted every tree in the yard. The roof is of 2021"
    )
    assert "badges" not in record.extra


def test_a_cut_known_only_by_its_share_is_noted() -> None:
    record = the_record(parse, [changed(FSBO_ROW, {"remarks": None})])
    assert record.extra["previous_list_price"] == 459_991
    assert record.notes["previous_list_price"].rule == "from-percent"


@pytest.mark.parametrize(
    ("kind", "listed_by", "is_in_mls"),
    [("fsbo", "owner", None), ("mlsfsbo", "owner", True), ("agent", "agent", None),
     ("else", None, None)],
)  # fmt: skip
def test_who_lists(kind: str, listed_by: str | None, is_in_mls: bool | None) -> None:
    record = the_record(parse, [changed(FSBO_ROW, {"listing_type": kind})])
    assert record.extra.get("listed_by") == listed_by
    assert record.extra.get("is_in_mls") is is_in_mls


def test_a_listing_that_is_gone_is_withdrawn() -> None:
    row = FSBO_ROW | {"gone_at": "2026-02-18T00:00:00Z"}
    record = the_record(parse, [row])
    assert record.standard_status == "Withdrawn"
    assert record.notes["standard_status"].rule == "off-market"


def test_the_trackers_score_does_not_change_the_record() -> None:
    again = changed(FSBO_ROW, {"score": 3, "dom": 37, "last_seen_at": "2026-02-20T01:00:00Z"})
    cheaper = changed(FSBO_ROW, {"price": 1})
    first, second, third = parse(as_document([FSBO_ROW, again, cheaper]))
    assert isinstance(first, SourceRecord)
    assert isinstance(second, SourceRecord)
    assert isinstance(third, SourceRecord)
    assert first.content_hash == second.content_hash != third.content_hash


def page(*values: object, head: str = "") -> bytes:
    texts = (value if isinstance(value, str) else json.dumps(value) for value in values)
    scripts = "".join(f'<script type="application/ld+json">{text}</script>' for text in texts)
    return f"<!doctype html><html><head>{head}{scripts}</head><body></body></html>".encode()


def test_an_owners_page() -> None:
    record = the_record(parse, page("{broken", {"@type": "WebSite", "name": "x"}, LINKED_DATA))
    assert (record.source_id, record.title) == ("fs-9", "Bungalow by owner")
    assert record.remarks == "We built the porch ourselves."
    assert (record.list_price, record.standard_status) == (389_000, "Active")
    assert (record.street_address, record.unit_number) == ("5 Example Row", "2")
    assert (record.city, record.state_or_province, record.postal_code) == ("Dallas", "TX", "75214")
    assert (record.bedrooms_total, record.bathrooms_total_integer) == (3, 2)
    assert (record.living_area, record.lot_size_square_feet) == (1_400, 21_780)
    assert (record.contact.name, record.contact.email) == ("Ed Example", "ed@example.com")
    assert record.contact.phone == "+1 214 555 0150"
    assert record.contact.source_url == "https://owners.example/homes/fs-9"
    assert record.extra["listed_by"] == "owner"
    assert record.posted_at == "2026-04-20T00:00:00Z"
    assert not record.is_sample


def test_a_sample_page_says_so() -> None:
    head = '<meta name="x-aiqleads-sample" content="invented home">'
    assert the_record(parse, page(LINKED_DATA, head=head)).is_sample


def test_home_and_offer_may_be_nodes_of_their_own() -> None:
    home = LINKED_DATA["mainEntity"]
    listing = {key: cell for key, cell in LINKED_DATA.items() if key != "mainEntity"}
    offer_in_home = home | {"offers": LINKED_DATA["offers"], "identifier": "fs-9"}
    held = home | {"@type": ["House", "Product"], "offers": [LINKED_DATA["offers"]], "sku": "fs-9"}
    for values in ([listing, home], [{"@graph": [listing, home]}], [offer_in_home], [held]):
        record = the_record(parse, page(*values))
        assert (record.source_id, record.list_price) == ("fs-9", 389_000)
        assert record.postal_code == "75214"


def test_an_agent_on_an_owners_site_is_an_agent() -> None:
    row = changed(LINKED_DATA, {"offers.seller": {"@type": "RealEstateAgent", "name": "Gil"}})
    assert the_record(parse, page(row)).extra["listed_by"] == "agent"


@pytest.mark.parametrize(
    ("offer", "price", "frequency"),
    [
        ({"price": "389000.00", "priceCurrency": "EUR"}, None, None),
        ({"price": 1850, "businessFunction": "http://purl.org/goodrelations/v1#LeaseOut"}, 1_850,
         "Monthly"),
        ({"priceSpecification": {"price": 400, "unitCode": "WEE"}}, 400, "Weekly"),
        ({"price": "on request"}, None, None),
    ],
)  # fmt: skip
def test_offers(offer: dict[str, object], price: int | None, frequency: str | None) -> None:
    record = the_record(parse, page(changed(LINKED_DATA, {"offers": {"@type": "Offer"} | offer})))
    assert record.list_price == price
    assert record.extra.get("lease_amount_frequency") == frequency


@pytest.mark.parametrize(
    ("word", "status"),
    [("https://schema.org/SoldOut", "Closed"), ("Discontinued", "Withdrawn"), ("Odd", None)],
)
def test_availability(word: str, status: str | None) -> None:
    row = changed(LINKED_DATA, {"offers.availability": word})
    assert the_record(parse, page(row)).standard_status == status


def test_an_area_without_a_unit_is_left_out() -> None:
    row = changed(LINKED_DATA, {"mainEntity.floorSize": 1400, "mainEntity.lotSize": {"value": 9}})
    record = the_record(parse, page(row))
    assert (record.living_area, record.lot_size_square_feet) == (None, None)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty-page"),
        (page({"@type": "Organization"}), "unknown-layout"),
        (b"<html>" + b" " * (16 * 1024 * 1024), "page-too-large"),
        (b"id,price\n1,2\n", "broken-json"),
        ({"a": 1}, "unknown-shape"),
        ([7], "not-a-row"),
        ([{"id": "1"}], "no-place"),
        ([{"address": "1 A St"}], "no-id"),
    ],
)
def test_what_is_refused(content: object, reason: str) -> None:
    assert the_refusal(parse, content).reason == reason
