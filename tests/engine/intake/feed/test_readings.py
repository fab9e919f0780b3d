"""What one cell says under a rule: a value, or nothing."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from engine.intake.record import SourceRecord
from tests.engine.intake.feed.feeds import minimal, records


def read(rule: str, cell: Any, field: str = "", tables: str = "") -> SourceRecord:
    """The record of a JSON row whose column `cell` holds this."""
    mapping = minimal(f"{field} = {rule}", head='format = "json"', tables=tables)
    [record] = records([{"id": "7", "street": "1 Main St", "cell": cell}], mapping)
    return record


@pytest.mark.parametrize(
    ("cell", "price"),
    [
        ("$1,345", 1345),
        ("$1,345/mo", 1345),
        ("1345 USD", 1345),
        ("$350K", 350_000),
        ("$1.25M", 1_250_000),
        ("$1,500+", 1500),
        (1345, 1345),
        (1345.4, 1345),
        ("$1,200 - $1,500", None),
        ("Contact for price", None),
        ("0", None),
        ("-5", None),
        (True, None),
        ({"amount": 5}, None),
        (10**400, None),
        ("9" * 10_000, None),
    ],
)
def test_money(cell: Any, price: int | None) -> None:
    assert read('"cell"', cell, "list_price").list_price == price


@pytest.mark.parametrize(
    ("cell", "rooms"),
    [
        ("2 Beds", 2),
        ("1 Bed", 1),
        ("3br", 3),
        ("Studio", 0),
        ("4", 4),
        (3.0, 3),
        ("1-2 Beds", None),
        ("2.5", None),
        ("?", None),
        (198186, None),
    ],
)
def test_rooms(cell: Any, rooms: int | None) -> None:
    assert read('"cell"', cell, "bedrooms_total").bedrooms_total == rooms


@pytest.mark.parametrize(
    ("cell", "baths", "stated"), [("2.5 Baths", 3, 2.5), ("1 Bath", 1, 1.0), ("many", None, None)]
)
def test_bathrooms(cell: str, baths: int | None, stated: float | None) -> None:
    record = read('"cell"', cell, "bathrooms_total_integer")
    assert record.bathrooms_total_integer == baths
    assert record.extra.get("bathrooms_stated") == stated


@pytest.mark.parametrize(
    ("rule", "cell", "square_feet"),
    [
        ('"cell"', "1,250", 1250),
        ('"cell"', "1,250 sq ft", 1250),
        ('"cell"', "0.25 acres", 10_890),
        ('{ from = "cell", unit = "acres" }', 2, 87_120),
        ('{ from = "cell", unit = "acres" }', "7500 sqft", 7500),
        ('{ from = "cell", unit = "square_metres" }', 100, 1076),
        ('"cell"', "100 sq m", 1076),
        ('"cell"', 0, None),
        ('"cell"', "large", None),
    ],
)
def test_areas_and_their_units(rule: str, cell: Any, square_feet: int | None) -> None:
    assert read(rule, cell, "lot_size_square_feet").lot_size_square_feet == square_feet


@pytest.mark.parametrize(
    ("form", "cell", "moment"),
    [
        ("iso", "2026-04-30", "2026-04-30T05:00:00Z"),  # Austin's midnight
        ("iso", "2026-04-30T10:00:00", "2026-04-30T15:00:00Z"),
        ("iso", "2026-04-30T10:00:00Z", "2026-04-30T10:00:00Z"),
        ("%m/%d/%Y", "04/30/2026", "2026-04-30T05:00:00Z"),
        ("%m/%d/%Y", "2026-04-30", None),
        ("epoch_seconds", 1_777_500_000, "2026-04-29T22:00:00Z"),
        ("epoch_milliseconds", "1777500000000", "2026-04-29T22:00:00Z"),
        ("epoch_seconds", 10**15, None),
        ("ago", "1h ago", "2026-05-01T11:00:00Z"),
        ("ago", "2 days ago", "2026-04-29T12:00:00Z"),
        ("ago", "an hour ago", "2026-05-01T11:00:00Z"),
        ("ago", "just now", "2026-05-01T12:00:00Z"),
        ("ago", "5d+ ago", None),
        ("ago", "2mo ago", None),
        ("ago", "9999w ago", "1834-09-12T12:00:00Z"),
        ("iso", "soon", None),
        ("iso", "9999-12-31T23:59:59-12:00", None),
    ],
)
def test_dates(form: str, cell: Any, moment: str | None) -> None:
    record = read(f'{{ from = "cell", date = "{form}" }}', cell, "posted_at")
    assert record.posted_at == moment
    assert ("posted_at" in record.notes) == (form == "ago" and moment is not None)


def test_a_relative_date_of_an_unknown_fetch_is_nothing() -> None:
    mapping = minimal('posted_at = { from = "cell", date = "ago" }', head='format = "json"')
    row = {"id": "7", "street": "1 Main St", "cell": "1h ago"}
    [record] = records([row], mapping, fetched_at=None)
    assert record.posted_at is None


@pytest.mark.parametrize(
    ("cell", "status"),
    [
        ("For Sale", "Active"),
        ("ComingSoon", "Coming Soon"),
        ("SOLD", "Closed"),
        ("off market", "Withdrawn"),
        ("PASS", None),
    ],
)
def test_statuses(cell: str, status: str | None) -> None:
    assert read('"cell"', cell, "standard_status").standard_status == status


def test_a_lookup_comes_first() -> None:
    tables = '[lookups.status]\n"A" = "Active"\n"S" = "sold"'
    rule = '{ from = "cell", lookup = "status" }'
    assert read(rule, "s", "standard_status", tables).standard_status == "Closed"
    assert read(rule, "X", "standard_status", tables).standard_status is None


def test_a_value_that_can_t_be_is_left_out_and_noted() -> None:
    rule = '{ from = "cell", as = "money", least = 100, most = 20000, unlike = "id" }'
    record = read(rule, 169_000, '"extra.rent_estimate"')
    assert "rent_estimate" not in record.extra
    assert record.notes["rent_estimate"].rule == "implausible"
    assert record.notes["rent_estimate"].confidence == 0
    assert read(rule, 1900, '"extra.rent_estimate"').extra["rent_estimate"] == 1900


def test_the_first_column_that_says_something_counts() -> None:
    mapping = minimal('city = ["a", "b", "c"]', head='format = "json"')
    row = {"id": 1, "street": "1 Main St", "a": "N/A", "b": {"x": 1}, "c": "Austin"}
    [record] = records([row], mapping)
    assert record.city == "Austin"
    assert record.source_id == "test:1"


def test_a_dotted_path_reaches_into_a_row() -> None:
    fields = '"contact.latitude" = "at.coordinates.1"\n"contact.longitude" = "at.coordinates.0"'
    row = {"id": 1, "street": "1 Main St", "at": {"coordinates": [-97.7, 30.2]}}
    [record] = records([row], minimal(fields, head='format = "json"'))
    assert (record.contact.latitude, record.contact.longitude) == (30.2, -97.7)


def test_text_that_can_t_be_stored_is_made_storable() -> None:
    record = read('"cell"', "a\x00b\ud800" + "c" * 30_000, "remarks")
    assert record.remarks is not None
    assert record.remarks.startswith("ab")
    assert "\x00" not in record.remarks
    assert record.remarks.encode().endswith(b"ccc")
    assert len(record.remarks) <= 20_000


def test_what_is_for_rent_and_of_what_kind() -> None:
    fields = 'for_rent = "deal"\nkind = "kind"'
    rows = [
        {"id": 1, "street": "1 Main St", "deal": "For Rent", "kind": "Residential > Condo"},
        {"id": 2, "street": "1 Main St", "deal": "For Sale", "kind": "Duplex"},
        {"id": 3, "street": "1 Main St", "kind": "Vacant Land"},
        {"id": 4, "street": "1 Main St", "kind": "Warehouse"},
    ]
    found = records(rows, minimal(fields, head='format = "json"'))
    assert [(record.property_type, record.property_sub_type) for record in found] == [
        ("Residential Lease", "Condominium"),
        ("Residential Income", "Duplex"),
        ("Land", None),
        (None, None),
    ]


def test_the_unit_in_a_street_becomes_the_unit() -> None:
    out = io.StringIO()
    csv.writer(out).writerows([["id", "street"], ["1", "4034 Rawlins St APT 207"]])
    [record] = records(out.getvalue(), minimal())
    assert (record.street_address, record.unit_number) == ("4034 Rawlins St", "207")
    assert record.contact.unparsed_address == "4034 Rawlins St # 207"


@pytest.mark.parametrize("street", ["000 list", "Unknown", "  ", "0 Main St"])
def test_a_stand_in_for_a_street_is_no_street(street: str) -> None:
    assert records([{"id": 1, "street": street}], minimal(head='format = "json"')) == []
