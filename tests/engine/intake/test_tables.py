"""Tables of the portals: mixed units, hashes for units, shared centre points, ragged rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.intake.document import Document, Parsed
from engine.intake.record import Rejected, SourceRecord
from engine.intake.redfin import parse as parse_redfin
from engine.intake.tables import CELL_CHARACTERS_MAX
from engine.intake.zillow import parse as parse_zillow
from engine.intake.zillow.tables import lot_in_acres_or_square_feet

TRACKER = (
    "zpid,address,zipcode,city,state,latitude,longitude,price,bedrooms,bathrooms,sqft,year_built,"
    "lot_size_acres,property_type,days_on_market,listing_url,fetched_at,listing_type\n"
)
RENTALS = (
    "id,address,zip_code,latitude,longitude,bedrooms,bathrooms,rent,sqft,listing_url,"
    "property_type,scraped_at,geocoded_lat,geocoded_lon\n"
)


def zillow_records(url: str, content: bytes) -> Iterator[Parsed]:
    return parse_zillow(Document(url=url, content=content))


def redfin_records(url: str, content: bytes) -> Iterator[Parsed]:
    return parse_redfin(Document(url=url, content=content))


def only(records: object) -> SourceRecord:
    (record,) = list(records)  # type: ignore[call-overload]
    assert isinstance(record, SourceRecord)
    return record


def test_a_home_for_sale() -> None:
    row = (
        "2667,17905 Windflower Way Unit 107,75252,Dallas,TX,32.99,-96.80,400000,3.0,2.5,1934.0,"
        "1985.0,0.62,townhome,11,https://www.zillow.com,2026-05-05 17:13,For Sale\n"
    )
    record = only(zillow_records("dallas_listings.csv", (TRACKER + row).encode()))
    assert (record.source_id, record.list_price) == ("2667", 400_000)
    assert (record.street_address, record.unit_number) == ("17905 Windflower Way", "107")
    assert (record.property_type, record.property_sub_type) == ("Residential", "Townhouse")
    assert (record.bedrooms_total, record.bathrooms_total_integer) == (3, 3)
    assert record.lot_size_square_feet == 27_007
    assert record.posted_at == "2026-04-24T17:13:00Z"
    assert record.contact.source_url is None  # only the root of the site


def test_a_rental_whose_unit_is_a_hash() -> None:
    row = (
        "46,3504 Fawn Valley Dr #28bbe9026,75224,Dallas,TX,32.7,-96.8,,1,1.0,,,,apartment,,,,"
        "For Rent\n"
    )
    record = only(zillow_records("x.csv", (TRACKER + row).encode()))
    assert record.property_type == "Residential Lease"
    assert record.unit_number is None
    assert record.list_price is None
    assert record.living_area is None


@pytest.mark.parametrize(
    ("cell", "square_feet"),
    [("0.62", 27_007), ("7056.72", 7057), ("19.864", 865_276), ("0", None), ("", None),
     ("200", None), ("nan", None), ("-1", None)],
)  # fmt: skip
def test_lots_in_acres_or_square_feet(cell: str, square_feet: int | None) -> None:
    assert lot_in_acres_or_square_feet(cell) == square_feet


def test_homes_known_only_by_coordinates_keep_their_id_when_repriced() -> None:
    head = (
        "price,bedrooms,bathrooms,livingarea,propertytype,listingstatus,latitude,longitude,"
        "snapshot_date\n"
    )
    one = only(
        zillow_records("a.csv", f"{head}5,3,2.0,9.0,CONDO,FOR_SALE,36.1,-115.1,2026-02-09".encode())
    )
    two = only(
        zillow_records("b.csv", f"{head}4,3,2.0,9.0,CONDO,FOR_SALE,36.1,-115.1,2026-02-16".encode())
    )
    assert one.source_id == two.source_id
    assert one.property_sub_type == "Condominium"
    other = only(
        zillow_records("a.csv", f"{head}5,4,2.0,9.0,CONDO,FOR_SALE,36.1,-115.1,x".encode())
    )
    assert other.source_id != one.source_id


def test_yield_studies_carry_the_id_in_the_url() -> None:
    text = (
        "address,yield,price,rent,url\n"
        '"4644 N 22nd St UNIT 1008, Phoenix, AZ",3.8,225000,1097.57,'
        "https://www.zillow.com/homedetails/4644-N-22nd-St-UNIT-1008-Phoenix-AZ-85016/68535622_zpid/\n"
        '"A Plan, Wickenburg, AZ",3.8,225000,1097.57,https://x.example/\n'
    )
    first, second = zillow_records("m.csv", text.encode())
    assert isinstance(first, SourceRecord)
    assert (first.source_id, first.postal_code, first.unit_number) == ("68535622", "85016", "1008")
    assert isinstance(second, Rejected)
    assert second.reason == "no-id"


def test_rentals_stand_where_they_were_geocoded() -> None:
    row = (
        'redfin-1,"81 Rainey St Unit B7-9, Austin, TX 78701",78701,30.2672,-97.7431,0.0,1.0,2525,,'
        "https://x.example/apartment/3,,2025-09-22T01:03:00.6,30.2590,-97.7384\n"
    )
    record = only(redfin_records("r.csv", (RENTALS + row).encode()))
    assert (record.contact.latitude, record.contact.longitude) == (30.259, -97.7384)
    assert (record.street_address, record.unit_number) == ("81 Rainey St", "B7-9")
    assert (record.city, record.state_or_province) == ("Austin", "TX")
    assert record.bedrooms_total == 0
    assert record.property_sub_type == "Apartment"


def test_daily_json() -> None:
    listing = {
        "address": "9412 Peninsula Dr", "city": "Dallas", "state": "TX", "zip": "75218",
        "price_usd": 795000, "beds": 3.0, "baths": 2.5, "sqft": 1800, "lot_size_sqft": None,
        "year_built": 1941, "days_on_market": 24, "property_type": "Single Family Residential",
        "status": "Sold", "url": "https://www.redfin.com/TX/Dallas/x/home/30866590",
        "lat": 32.84, "lng": -96.7, "mls_number": "21221404", "sold_date": "March-18-2026",
    }  # fmt: skip
    document = {"as_of": "2026-05-03T23:14:52Z", "listings": [listing, 7, {}]}
    first, second, third = redfin_records("d.json", json.dumps(document).encode())
    assert isinstance(first, SourceRecord)
    assert (first.source_id, first.standard_status) == ("30866590", "Closed")
    assert first.extra["close_date"] == "2026-03-18T00:00:00Z"
    assert isinstance(second, Rejected)
    assert second.reason == "not-a-row"
    assert isinstance(third, Rejected)
    assert third.reason == "no-id"


@pytest.mark.parametrize(
    ("filename", "content", "reason"),
    [
        ("a.csv", b"a,b\n1,2\n", "unknown-table"),
        ("a.csv", TRACKER.encode() + b"1,2\n", "ragged-row"),
        ("a.json", b"{", "broken-json"),
        ("a.json", b"{}", "unknown-shape"),
    ],
)
def test_what_is_no_table_is_refused(filename: str, content: bytes, reason: str) -> None:
    (rejected,) = (
        redfin_records(filename, content)
        if filename == "a.json"
        else zillow_records(filename, content)
    )
    assert isinstance(rejected, Rejected)
    assert rejected.reason == reason


def test_a_cell_beyond_all_bounds_ends_the_file() -> None:
    cell = b"x" * (CELL_CHARACTERS_MAX + 1)
    (rejected,) = zillow_records("a.csv", TRACKER.encode() + b'"' + cell + b'"\n')
    assert isinstance(rejected, Rejected)
    assert rejected.reason == "broken-csv"


@given(st.binary(max_size=300))
def test_any_bytes_are_taken(noise: bytes) -> None:
    for content in (noise, TRACKER.encode() + noise, RENTALS.encode() + noise):
        for records in (zillow_records("a.csv", content), redfin_records("a.csv", content)):
            assert all(isinstance(r, SourceRecord | Rejected) for r in records)


def test_captured_tables_read_whole(captures: Path) -> None:
    for path in (captures / "zillow" / "dallas_2026").glob("*.csv"):
        records = list(zillow_records(path.name, path.read_bytes()))
        assert records
        assert all(isinstance(record, SourceRecord) for record in records)
