"""What a RESO Web API page says, and nothing that it does not say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.intake.document import Document, Parsed
from engine.intake.record import FieldNote, Rejected, SourceRecord
from engine.intake.reso import parse
from engine.intake.reso.names import FIELDS, LOCAL_FIELDS, LOOKUPS, odata_name

HOME = {
    "ListingKey": "k1",
    "ListingId": "20411",
    "StandardStatus": "Active",
    "ModificationTimestamp": "2026-05-01T10:00:00.25Z",
    "OriginatingSystemName": "Test MLS",
    "PropertyType": "Residential",
    "PropertySubType": "Single Family Residence",
    "ListPrice": 425000.00,
    "BedroomsTotal": 4,
    "BathroomsTotalInteger": 3,
    "LivingArea": 2400,
    "LivingAreaUnits": "Square Feet",
    "LotSizeAcres": 0.25,
    "YearBuilt": 1998,
    "StreetNumber": "123",
    "StreetDirPrefix": "N",
    "StreetName": "Example",
    "StreetSuffix": "St",
    "UnitNumber": "Unit 4",
    "City": "Dallas",
    "StateOrProvince": "TX",
    "PostalCode": "75204-1234",
    "Latitude": 32.8,
    "Longitude": -96.79,
    "ParcelNumber": "00000123",
    "PublicRemarks": "A home.",
    "PrivateRemarks": "Gate code 1234.",
    "ListAgentFullName": "Jo Example",
    "ListAgentPreferredPhone": "214-555-0123",
    "ListAgentEmail": "jo@example.com",
    "OnMarketDate": "2026-04-30",
}


def read(*rows: object) -> list[Parsed]:
    content = json.dumps({"@odata.context": "x", "value": rows}).encode()
    return list(parse(Document(url="https://mls.example/Property", content=content, licence="mls")))


def record_of(**changes: object) -> SourceRecord:
    (record,) = read({**HOME, **changes})
    assert isinstance(record, SourceRecord)
    return record


def rejected_of(**changes: object) -> Rejected:
    (rejected,) = read({**HOME, **changes})
    assert isinstance(rejected, Rejected)
    return rejected


def test_a_listing_is_read_by_its_dictionary_names() -> None:
    record = record_of()
    assert (record.source, record.source_id, record.listing_id) == ("mls", "k1", "20411")
    assert record.standard_status == "Active"
    assert (record.property_type, record.property_sub_type) == (
        "Residential",
        "Single Family Residence",
    )
    assert (record.list_price, record.bedrooms_total, record.year_built) == (425_000, 4, 1998)
    assert (record.bathrooms_total_integer, record.living_area) == (3, 2400)
    assert record.lot_size_square_feet == 10_890
    assert (record.street_address, record.unit_number) == ("123 N Example St", "4")
    assert (record.city, record.state_or_province, record.postal_code) == ("Dallas", "TX", "75204")
    assert record.parcel_number == "00000123"
    assert record.contact.unparsed_address == "123 N Example St Unit 4, Dallas, TX 75204"
    assert (record.contact.latitude, record.contact.longitude) == (32.8, -96.79)
    assert record.contact.name == "Jo Example"
    assert record.contact.phone == "214-555-0123"
    assert record.contact.email == "jo@example.com"
    assert record.modification_timestamp == "2026-05-01T10:00:00Z"
    assert record.posted_at == "2026-04-30T00:00:00Z"
    assert record.licence == "mls"
    assert record.notes == {"lot_size_square_feet": FieldNote("from-acres", 0.98)}


def test_private_remarks_are_read_nowhere() -> None:
    assert "1234" not in repr(record_of(PostalCode="75204"))


@pytest.mark.parametrize("status", LOOKUPS["StandardStatus"])
def test_a_status_is_read_in_both_of_its_writings(status: str) -> None:
    assert record_of(StandardStatus=status).standard_status == status
    assert record_of(StandardStatus=odata_name(status)).standard_status == status


def test_a_status_that_the_dictionary_does_not_have_is_refused() -> None:
    assert rejected_of(StandardStatus="A").reason == "unknown-status"
    assert rejected_of(StandardStatus=["Active"]).reason == "unknown-status"


def test_what_the_server_removed_is_told_as_deleted_without_its_facts() -> None:
    record = record_of(MlgCanView=False)
    assert record.standard_status == "Delete"
    assert record.modification_timestamp == "2026-05-01T10:00:00Z"
    assert record.list_price is None
    assert record.contact.phone is None
    assert record.notes["standard_status"] == FieldNote("removed-by-server", 1.0)


@pytest.mark.parametrize("no", [False, "false", "N", 0])
def test_what_must_not_be_shown_is_refused_and_withdrawn(no: object) -> None:
    gone, rejected = read({**HOME, "InternetEntireListingDisplayYN": no})
    assert isinstance(gone, SourceRecord)
    assert isinstance(rejected, Rejected)
    assert (gone.source_id, gone.standard_status) == ("k1", "Delete")
    assert gone.street_address is None
    assert (rejected.source_id, rejected.reason) == ("k1", "not-displayable")


def test_a_hidden_address_stays_out() -> None:
    record = record_of(InternetAddressDisplayYN=False, UnparsedAddress="123 N Example St")
    assert "Example St" not in repr(record)
    assert (record.contact.latitude, record.contact.longitude) == (None, None)
    assert (record.city, record.postal_code) == ("Dallas", "75204")
    assert record.notes["street_address"].rule == "address-not-displayed"


@pytest.mark.parametrize(
    ("field", "name", "value", "rule"),
    [
        ("bedrooms_total", "BedroomsTotal", True, "wrong-type"),
        ("bedrooms_total", "BedroomsTotal", [3], "wrong-type"),
        ("bedrooms_total", "BedroomsTotal", "three", "wrong-type"),
        ("bedrooms_total", "BedroomsTotal", -1, "out-of-range"),
        ("bathrooms_total_integer", "BathroomsTotalInteger", -1, "out-of-range"),
        ("list_price", "ListPrice", {"amount": 1}, "wrong-type"),
        ("list_price", "ListPrice", 0, "out-of-range"),
        ("year_built", "YearBuilt", 19, "out-of-range"),
        ("city", "City", ["Dallas"], "wrong-type"),
        ("property_type", "PropertyType", "Resi", "unknown-lookup"),
        ("property_sub_type", "PropertySubType", "SFR", "unknown-lookup"),
        ("living_area", "LivingAreaUnits", "Tatami", "unknown-lookup"),
        ("modification_timestamp", "ModificationTimestamp", "yesterday", "wrong-type"),
    ],
)
def test_a_value_of_the_wrong_kind_is_left_out_with_a_note(
    field: str, name: str, value: object, rule: str
) -> None:
    record = record_of(**{name: value})
    assert getattr(record, field) is None
    assert record.notes[field] == FieldNote(rule, 0.0)


def test_decimals_in_quotes_are_numbers() -> None:
    record = record_of(ListPrice="425000.00")
    assert record.list_price == 425_000
    assert record.notes["list_price"].rule == "text-for-number"


def test_areas_come_in_square_feet() -> None:
    assert record_of(LivingArea=100, LivingAreaUnits="SquareMeters").living_area == 1076
    lot = {"LotSizeAcres": None, "LotSizeArea": 2, "LotSizeUnits": "Acres"}
    assert record_of(**lot).lot_size_square_feet == 87_120
    # Without its units an area of a lot may be anything.
    assert record_of(**{**lot, "LotSizeUnits": None}).lot_size_square_feet is None
    assert record_of(LotSizeSquareFeet=9000).lot_size_square_feet == 9000


def test_the_total_of_bathrooms_is_the_sum_of_their_kinds() -> None:
    kinds = {"BathroomsTotalInteger": None, "BathroomsFull": 2, "BathroomsHalf": 1}
    record = record_of(**kinds)
    assert (record.bathrooms_total_integer, record.extra["bathrooms_stated"]) == (3, 2.5)
    assert record.notes["bathrooms_total_integer"].rule == "sum-of-bathrooms"
    assert record_of(**{**kinds, "BathroomsHalf": None}).bathrooms_total_integer is None
    stated = record_of(BathroomsTotalInteger=None, BathroomsTotalDecimal=2.5)
    assert stated.bathrooms_total_integer == 3


def test_the_unparsed_address_stands_in_for_its_parts() -> None:
    parts = {"StreetNumber": None, "StreetName": None, "StreetSuffix": None, "UnitNumber": None}
    record = record_of(**parts, UnparsedAddress="4034 Rawlins St APT 207, Dallas, TX 75219")
    assert (record.street_address, record.unit_number) == ("4034 Rawlins St", "207")
    assert record.contact.unparsed_address == "4034 Rawlins St APT 207, Dallas, TX 75219"


def test_a_listing_on_offer_without_any_place_is_refused() -> None:
    bare = {name: HOME[name] for name in ("ListingKey", "StandardStatus", "ListPrice")}
    (rejected,) = read(bare)
    assert isinstance(rejected, Rejected)
    assert rejected.reason == "no-place"
    (closed,) = read({**bare, "StandardStatus": "Closed"})
    assert isinstance(closed, SourceRecord)


def test_one_listing_by_its_key_stands_at_the_top() -> None:
    content = json.dumps({"@odata.context": "x", **HOME}).encode()
    (record,) = parse(Document(url="x", content=content))
    assert isinstance(record, SourceRecord)
    assert record.source_id == "k1"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "broken-json"),
        (b'{"value": [', "broken-json"),
        (b"\xff\xfe", "broken-json"),
        (b'{"value": [{"ListingKey": "\\ud800"}]}', "broken-json"),
        (b"[" * 100_000, "broken-json"),
        (b"<edmx:Edmx/>", "not-json"),
        (b"[]", "unknown-document"),
        (b"null", "unknown-document"),
        (b'{"value": null}', "unknown-document"),
        (b'{"BedroomsTotal": 3}', "unknown-document"),
        (b'{"error": {"code": "501", "message": "no $skip"}}', "odata-error"),
        (b'{"value": [7]}', "not-a-row"),
        (b'{"value": [{}]}', "no-key"),
        (b'{"value": [{"ListingKey": " "}]}', "no-key"),
    ],
)
def test_what_is_no_page_of_listings_is_refused_with_a_reason(content: bytes, reason: str) -> None:
    (rejected,) = parse(Document(url="x", content=content))
    assert isinstance(rejected, Rejected)
    assert rejected.reason == reason


def test_a_control_character_does_not_reach_the_database() -> None:
    assert record_of(PublicRemarks="a\x00b").remarks == "ab"


JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    | st.sampled_from(["Active", "Closed", "2026-01-01", "-1", "1e309", "false", "Acres"]),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from([*FIELDS, *LOCAL_FIELDS]), JSON_VALUES, max_size=12))
def test_no_row_raises_and_each_is_read_or_refused(values: dict[str, Any]) -> None:
    parsed = read({"ListingKey": "k", **values})
    assert parsed
    for each in parsed:
        assert isinstance(each, SourceRecord | Rejected)


@given(st.binary(max_size=200))
def test_no_bytes_raise(content: bytes) -> None:
    for each in parse(Document(url="x", content=content)):
        assert isinstance(each, SourceRecord | Rejected)
