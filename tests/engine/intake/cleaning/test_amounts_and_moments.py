"""Prices, areas, rooms, years and dates that no home has are set aside."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.intake.cleaning.markets import cleaned, rules_of

LEASE = "Residential Lease"
SALE = "Residential"


@pytest.mark.parametrize(
    ("fields", "price", "rule"),
    [
        ({"property_type": LEASE, "list_price": 1_500}, 1_500, None),
        ({"property_type": LEASE, "list_price": 169_000}, None, "implausible-price"),
        ({"property_type": LEASE, "list_price": 35}, None, "implausible-price"),
        ({"property_type": SALE, "list_price": 1}, None, "implausible-price"),
        ({"property_type": SALE, "list_price": 2_000}, None, "implausible-price"),
        ({"property_type": "Land", "list_price": 2_000}, 2_000, None),
        ({"list_price": 1_500}, 1_500, None),
    ],
)
def test_prices_by_kind(fields: dict[str, Any], price: int | None, rule: str | None) -> None:
    record = cleaned(**fields)
    assert record.list_price == price
    assert rules_of(record).get("list_price") == rule


@pytest.mark.parametrize(
    ("stated", "frequency", "monthly", "rule"),
    [
        (300, "Weekly", 1_300, "weekly-to-monthly"),
        (42, "Daily", 1_278, "daily-to-monthly"),
        (24_000, "Annually", 2_000, "annually-to-monthly"),
        (1_120, "Daily", 1_120, "rent-period-mistaken"),
        (1_189, "Weekly", 1_189, "rent-period-unsure"),
        (1_500, "Monthly", 1_500, None),
        (1_500, None, 1_500, None),
    ],
)
def test_rents_by_the_month(
    stated: int, frequency: str | None, monthly: int, rule: str | None
) -> None:
    record = cleaned(
        property_type=LEASE, list_price=stated, extra={"lease_amount_frequency": frequency}
    )
    assert record.list_price == monthly
    assert rules_of(record).get("list_price") == rule


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        ({"living_area": 3}, "living_area", None),
        ({"living_area": 250_000}, "living_area", None),
        ({"living_area": 250_000, "property_type": "Residential Income"}, "living_area", 250_000),
        ({"lot_size_square_feet": 5}, "lot_size_square_feet", None),
        ({"bedrooms_total": 40, "property_type": SALE}, "bedrooms_total", None),
        ({"bedrooms_total": 40, "property_type": "Residential Income"}, "bedrooms_total", 40),
        ({"bedrooms_total": 0, "property_type": LEASE}, "bedrooms_total", 0),
        ({"year_built": 2090, "fetched_at": "2026-05-01T00:00:00Z"}, "year_built", None),
        ({"year_built": 2027, "fetched_at": "2026-05-01T00:00:00Z"}, "year_built", 2027),
    ],
)
def test_areas_rooms_and_years(fields: dict[str, Any], name: str, value: int | None) -> None:
    record = cleaned(**fields)
    assert getattr(record, name) == value
    assert (name in record.notes) == (value is None)


@pytest.mark.parametrize(
    ("stated", "fields", "moment", "rule"),
    [
        ("2026-05-01T10:00:00Z", {}, "2026-05-01T10:00:00Z", None),
        ("2026-05-01T10:00:00.125Z", {}, "2026-05-01T10:00:00.125Z", None),
        ("2026-05-01T10:00:00-0500", {}, "2026-05-01T15:00:00Z", "to-utc"),
        ("2026-05-01T10:00:00", {"market": "dallas"}, "2026-05-01T15:00:00Z", "market-zone"),
        ("2026-01-01 10:00", {"market": "phoenix"}, "2026-01-01T17:00:00Z", "market-zone"),
        ("2026-05-01", {"latitude": 36.17, "longitude": -115.14}, "2026-05-01T07:00:00Z",
         "market-zone"),
        ("2026-05-01T10:00:00", {}, "2026-05-01T10:00:00Z", "utc-assumed"),
        ("soon", {}, None, "no-moment"),
    ],
)  # fmt: skip
def test_moments_are_utc(
    stated: str, fields: dict[str, Any], moment: str | None, rule: str | None
) -> None:
    record = cleaned(posted_at=stated, **fields)
    assert record.posted_at == moment
    assert rules_of(record).get("posted_at") == rule


def test_nothing_is_posted_in_the_future() -> None:
    fetched = "2026-05-01T00:00:00Z"
    near = cleaned(posted_at="2026-05-01T20:00:00Z", fetched_at=fetched)
    far = cleaned(
        posted_at="2026-05-03T00:00:00Z",
        modification_timestamp="2027-01-01T00:00:00Z",
        fetched_at=fetched,
    )
    assert near.posted_at == "2026-05-01T20:00:00Z"
    assert (far.posted_at, far.modification_timestamp) == (None, None)
    assert rules_of(far)["posted_at"] == "future-moment"


def test_nothing_is_changed_before_it_is_posted() -> None:
    record = cleaned(
        posted_at="2026-05-01T00:00:00Z", modification_timestamp="2026-04-01T00:00:00Z"
    )
    assert record.modification_timestamp == "2026-05-01T00:00:00Z"
    assert rules_of(record) == {"modification_timestamp": "changed-before-posted"}


@pytest.mark.parametrize(
    ("title", "fields", "sub_type"),
    [
        ("Charming townhouse with a view", {"property_type": SALE}, "Townhouse"),
        ("Condo with pool", {"property_type": LEASE}, "Condominium"),
        ("Townhouse with pool", {"property_type": LEASE}, None),
        ("Townhouse style apartment", {"property_type": LEASE}, None),
        ("Home near townhouse", {"property_type": SALE}, None),
        ("Condo or townhouse", {"property_type": SALE}, None),
        ("Condo-like living", {"property_type": SALE}, None),
        ("Nice home", {"property_type": SALE}, None),
        ("Condo", {}, None),
        ("Condo", {"property_type": SALE, "property_sub_type": "Townhouse"}, "Townhouse"),
    ],
)
def test_the_kind_a_title_names(title: str, fields: dict[str, Any], sub_type: str | None) -> None:
    record = cleaned(title=title, **fields)
    assert record.property_sub_type == sub_type
    assert all(note.confidence < 0.7 for note in record.notes.values())


def test_for_rent_or_for_sale() -> None:
    assert cleaned(title="Duplex for rent").property_type == LEASE
    assert cleaned(title="House for sale").property_type == SALE
    assert cleaned(title="For sale or for rent").property_type is None
