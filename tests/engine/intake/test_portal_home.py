"""Cells of portals' homes: what a zero, a mask, a unit or an odd address says."""

from __future__ import annotations

import pytest

from engine.intake.document import Document
from engine.intake.home_place import place_in_line, place_of
from engine.intake.listing_status import OFF_MARKET, standing
from engine.intake.portal_document import in_utf8, shape_of
from engine.intake.portal_home import (
    PortalHome,
    lot_square_feet,
    moment_of_milliseconds,
    real_email,
    real_name,
    real_phone,
    record_of,
)
from engine.intake.readings import rfc3339
from engine.intake.record import Rejected, SourceRecord
from engine.intake.stated_json import BrokenJsonError, read_json, row_hash
from tests.engine.intake.portal_rows import as_document

DOCUMENT = as_document(b"x")


def home(**stated: object) -> SourceRecord:
    cells = {"source": "zillow", "raw": {}, "source_id": 7, "place": place_of(street="1 Main St")}
    record = record_of(PortalHome(**(cells | stated)), DOCUMENT)  # type: ignore[arg-type]
    assert isinstance(record, SourceRecord)
    return record


def test_a_masked_value_is_no_contact() -> None:
    assert real_phone("(555) 555-0100") is None
    assert real_phone("+1 555 555 0100") is None
    assert real_phone("911") is None
    assert real_phone("(555) 555-0101") == "(555) 555-0101"
    assert real_email("masked@example.com") is None
    assert real_email("no address") is None
    assert real_email("a@b.example") == "a@b.example"
    assert real_name("Osi███Per███s") is None
    assert real_name(" Wong  Real Estate ") == "Wong Real Estate"


@pytest.mark.parametrize(
    ("value", "unit", "square_feet"),
    [(0.25, "acres", 10_890), (5568, "sqft", 5568), ("1.05", "Acres", 45_738),
     ("6098.4", "Square Feet", 6098), (0.03, "sqft", None), ("7,616", "sq ft", 7616),
     (5568, None, None), (5568, "m2", None),
     (None, "acres", None)],
)  # fmt: skip
def test_a_lot_without_a_unit_is_left_out(
    value: object, unit: object, square_feet: int | None
) -> None:
    assert lot_square_feet(value, unit) == square_feet


def test_zero_rooms_say_nothing_except_of_a_studio() -> None:
    house = home(kind="house", bedrooms=0, bathrooms=0.0, living_area=0)
    assert (house.bedrooms_total, house.bathrooms_total_integer, house.living_area) == (None,) * 3
    assert home(kind="condo", bedrooms=0).bedrooms_total == 0
    assert home(kind="house", bedrooms=0, for_rent=True).bedrooms_total == 0


def test_the_document_gives_what_the_row_does_not_state() -> None:
    record = home(days_on_market="30")
    assert record.licence == "licensed"
    assert record.fetched_at == "2026-05-01T12:00:00Z"
    assert record.posted_at == "2026-04-01T12:00:00Z"


def test_only_what_has_an_id_and_a_place_is_a_record() -> None:
    nowhere = PortalHome(source="zillow", raw={}, source_id="7", place=place_of(city="Dallas"))
    nobody = PortalHome(source="zillow", raw={}, source_id="", place=place_of(street="1 Main St"))
    for case, reason in ((nowhere, "no-place"), (nobody, "no-id")):
        rejected = record_of(case, DOCUMENT)
        assert isinstance(rejected, Rejected)
        assert rejected.reason == reason
        assert rejected.content_hash


@pytest.mark.parametrize(
    ("line", "name", "street", "unit", "city", "postal_code"),
    [
        ("95 Saint, 95 Saint Alphonsus St, Roxbury, MA 02120", "95 Saint", "95 Saint Alphonsus St",
         None, "Roxbury", "02120"),
        ("Ttoren | Modern Living. | 42 N Beacon St, Boston, MA", "Ttoren | Modern Living.",
         "42 N Beacon St", None, "Boston", None),
        ("1410 Columbia Rd APT 14K, Boston, MA 02127", None, "1410 Columbia Rd", "14K", "Boston",
         "02127"),
        ("1 Main St, Apt 2, Dallas, TX 75201-1234", None, "1 Main St", "2", "Dallas", "75201"),
        ("(undisclosed Address), Brunswick, ME 04011", None, None, None, "Brunswick", "04011"),
        ("12 Oak Ave", None, "12 Oak Ave", None, None, None),
        ("Dallas, TX", None, None, None, "Dallas", None),
        ("", None, None, None, None, None),
    ],
)  # fmt: skip
def test_addresses_on_one_line(
    line: str,
    name: str | None,
    street: str | None,
    unit: str | None,
    city: str | None,
    postal_code: str | None,
) -> None:
    place, found_name = place_in_line(line)
    assert found_name == name
    assert (place.street, place.unit, place.city, place.postal_code) == (
        street, unit, city, postal_code,
    )  # fmt: skip


def test_a_unit_cell_is_shown_with_the_street() -> None:
    place = place_of(street="118 27th Ave S", unit="Unit B", city="Seattle", state="Washington")
    assert (place.unit, place.state) == ("B", "WA")
    assert place.line == "118 27th Ave S Unit B, Seattle, WA"


@pytest.mark.parametrize(
    ("words", "status"),
    [("FOR_SALE", "Active"), ("RECENTLY_SOLD", "Closed"), ("Pre On-Market", "Coming Soon"),
     ("Contingent", "Active Under Contract"), ("pending", "Pending"), ("OTHER", "Withdrawn"),
     ("ready_to_build", "Active"), ("something new", None), (None, None), ({}, None)],
)  # fmt: skip
def test_standings(words: object, status: str | None) -> None:
    found, note = standing(words)
    assert found == status
    assert note == (OFF_MARKET if words == "OTHER" else None)


def test_moments_of_milliseconds() -> None:
    assert rfc3339(moment_of_milliseconds(1685145600000)) == "2023-05-27T00:00:00Z"
    assert moment_of_milliseconds(-1) is None
    assert moment_of_milliseconds(10**30) is None


def test_json_is_read_leniently_or_refused() -> None:
    assert read_json(b'{}&&{"payload": 1}') == {"payload": 1}
    assert read_json(b'\xef\xbb\xbf["\xc3\xa9"]') == ["é"]
    assert read_json(b'["\xe9"]') == ["\ufffd"]
    assert read_json(b'["\xe2\x80\x99"]') == ["’"]
    assert read_json(b'["a\tb"]') == ["a\tb"]
    for broken in (b"{", b"[1,]", b"[" * 100_000, b"9" * 5_000):
        with pytest.raises(BrokenJsonError):
            read_json(broken)


def test_a_rows_hash_does_not_hang_on_the_order_of_its_keys() -> None:
    assert row_hash({"a": 1, "b": [2]}) == row_hash({"b": [2], "a": 1})
    assert row_hash({"a": 1}) != row_hash({"a": 2})


@pytest.mark.parametrize(
    ("content", "charset"),
    [("é".encode(), "iso-8859-1"), ("é".encode("cp1252"), None), ("é".encode("cp850"), "latin-1"),
     ("\ufeffé".encode("utf-16-le"), None)],
)  # fmt: skip
def test_documents_are_taken_in_utf8(content: bytes, charset: str | None) -> None:
    document = in_utf8(Document(url="x", content=content, charset=charset))
    assert document.content.decode() == {b"\x82": "‚"}.get(content, "é")


def test_shapes_are_known_by_how_they_begin() -> None:
    assert shape_of(as_document(b"\xef\xbb\xbf \n{}")) == "json"
    assert shape_of(as_document(b"\n<p>")) == "page"
    assert shape_of(as_document(b"zpid,price")) == "table"
    assert shape_of(as_document(b" \n")) == "nothing"
