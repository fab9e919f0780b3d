"""Features: one spelling for what is said differently, and nothing of the contact."""

from __future__ import annotations

import msgspec
import pytest

from engine.intake.record import SourceRecord
from engine.intake.resolution import MatchFeatures, features_of
from engine.intake.resolution.contact_keys import email_key, name_key, phone_key
from engine.intake.resolution.doors import Door, door_of
from engine.intake.resolution.text_sketch import letters_of, text_sketch
from engine.market.answers import Contact

TEXT = "A well kept home close to shops and schools with a covered patio and new windows. " * 2


def record(**fields: object) -> SourceRecord:
    return SourceRecord(source="craigslist", source_id="7", **fields)


def features(**fields: object) -> MatchFeatures:
    return features_of(record(**fields), stable_ids=False)


@pytest.mark.parametrize(
    ("street", "unit", "door"),
    [
        ("4034 N Rawlins Street APT 207", None, Door("4034", "RAWLINS", "N RAWLINS ST", "207")),
        ("4034 N. Rawlins St", "#207", Door("4034", "RAWLINS", "N RAWLINS ST", "207")),
        ("Greenvale Street near Central Ave", None, Door(None, "GREENVALE", "GREENVALE ST")),
        ("W Ray Oak Rd & 5th", None, Door(None, "RAY OAK", "W RAY OAK RD")),
        ("call for the address", None, Door()),
        ("Dallas", None, Door()),
        (None, "12", Door()),
        ("", None, Door()),
    ],
)
def test_doors(street: str | None, unit: str | None, door: Door) -> None:
    assert door_of(street, unit) == door


def test_a_corner_is_found_in_the_unparsed_address() -> None:
    assert door_of(None, None, unparsed="Greenvale Street, Dallas, TX 75206").street == "GREENVALE"
    assert door_of("12 Oak St", None, unparsed="9 Elm St, Dallas").street == "OAK"


def test_phones_in_any_writing_are_one() -> None:
    writings = ("+17025550142;ext=17", "(702) 555-0142 x17", "1 702 555 0142 ext. 17")
    assert {phone_key(each) for each in writings} == {"7025550142x17"}
    assert phone_key("702.555.0142") == "7025550142"


@pytest.mark.parametrize("phone", [None, "", "555-0142", "(555) 555-0100", "not a number"])
def test_what_is_no_number_is_no_evidence(phone: str | None) -> None:
    assert phone_key(phone) is None


def test_mails_and_names() -> None:
    assert email_key(" Adela@Example.COM ") == "adela@example.com"
    assert email_key("masked@example.com") is None
    assert email_key("none") is None
    assert name_key("Abernathy, Adela") == name_key("ADELA ABERNATHY") == "abernathy adela"
    assert name_key("4711") is None


def test_an_invented_contact_is_no_evidence() -> None:
    contact = Contact(name="Adela Abernathy", phone="+17025550142", email="a.a@example.com")
    real = features(contact=contact)
    invented = features(contact=msgspec.structs.replace(contact, is_invented=True))
    assert real.phone
    assert real.email
    assert real.name
    assert (invented.phone, invented.email, invented.name) == (0, 0, 0)


def test_features_carry_no_contact_and_no_text() -> None:
    full = features(
        street_address="4034 Rawlins St",
        remarks=TEXT,
        contact=Contact(
            name="Adela Abernathy", phone="+1 702 555 0142", email="adela.abernathy@example.com"
        ),
    )
    packed = msgspec.msgpack.encode(full)
    for secret in (b"Adela", b"adela", b"0142", b"awlins", b"RAWLINS", b"patio", b"craigslist"):
        assert secret not in packed
    assert msgspec.msgpack.decode(packed, type=MatchFeatures) == full
    assert len(packed) < 300


def test_an_empty_record_has_features_that_say_nothing() -> None:
    empty = features()
    assert (empty.number, empty.latitude, empty.price, empty.text, empty.cells) == (
        0,
        0,
        0,
        b"",
        b"",
    )
    assert (empty.bedrooms, empty.area, empty.half_bathrooms) == (-1, -1, -1)


def test_a_rent_by_the_week_is_compared_by_the_month() -> None:
    weekly = features(list_price=300, extra={"lease_amount_frequency": "Weekly"})
    assert weekly.price == 1300
    assert features(list_price=1300).price == 1300


def test_only_the_letters_of_a_text_count() -> None:
    other_price = TEXT.replace("A well", "$1,450! A well").upper()
    assert text_sketch(other_price) == text_sketch(TEXT)
    assert letters_of(other_price) == letters_of(TEXT)
    linked = f"{TEXT} https://a.example/x?y=z www.b.example <URL> Show Contact Info"
    assert text_sketch(linked) == text_sketch(TEXT)
    assert letters_of(linked) == letters_of(TEXT)
    assert text_sketch("too short") == b""
    assert letters_of("too short") is None
    assert text_sketch(None) == b""


def test_huge_numbers_stay_in_their_columns() -> None:
    huge = features(list_price=2_000_000_000, living_area=10_000_000, bedrooms_total=10**6)
    assert huge.price <= 2**31 - 1
    assert huge.bedrooms == 100
