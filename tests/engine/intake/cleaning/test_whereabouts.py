"""Addresses, ZIPs, cities, states and coordinates: made to agree, never made up."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from engine.intake.address import address_key
from engine.intake.cleaning import clean
from engine.intake.cleaning.addresses import likely_parts, usual_parts
from engine.intake.record import FieldNote
from tests.engine.intake.cleaning.markets import MARKETS, cleaned, record_of, rules_of

DALLAS = {"latitude": 32.8132, "longitude": -96.8142}
AUSTIN = {"latitude": 30.27, "longitude": -97.74}


@pytest.mark.parametrize(
    ("unparsed", "parts"),
    [
        ("1234 W Elm Street Apt 5B, Dallas, TX 75219",
         ("1234 W Elm Street", "Apt 5B", "Dallas", "TX", "75219")),
        ("1234 W Elm Street Apt 5B Dallas TX 75219-1234",
         ("1234 W Elm Street", "Apt 5B", "Dallas", "TX", "75219")),
        ("123 Main St, Unit 4, Las Vegas, Nevada 89101, USA",
         ("123 Main St", "Unit 4", "Las Vegas", "NV", "89101")),
        ("PO Box 5, Dallas, TX 75201", (None,) * 5),
        ("Main St & 5th Ave, Dallas, TX", (None,) * 5),
        ("2 beds in Dallas", (None,) * 5),
        ("call for address", (None,) * 5),
        ("Residences at 42254225 E Mcdowell Rd, Phoenix, AZ", (None,) * 5),
        ("The Merc1800 Main St Dallas TX", (None,) * 5),
        ("Ed Bluestein Blvd Austin TX", (None,) * 5),
    ],
)  # fmt: skip
def test_unparsed_addresses(unparsed: str, parts: tuple[str | None, ...]) -> None:
    assert tuple(usual_parts(unparsed) or likely_parts(unparsed)) == parts


def test_the_parts_of_an_unparsed_address_are_noted() -> None:
    record = cleaned(unparsed_address="1234 W Elm Street Apt 5B Dallas TX 75219")
    assert (record.street_address, record.unit_number) == ("1234 W Elm Street", "5B")
    assert record.city == "Dallas"
    assert rules_of(record)["street_address"] == "likely-address"
    assert address_key(
        record.street_address, record.unit_number, record.postal_code, record.city
    ) == address_key("1234 West Elm St", "#5B", "75219", None)


def test_an_address_that_its_source_could_not_split_is_not_guessed_at() -> None:
    record = record_of(unparsed_address="1234 W Elm Street, Dallas, TX 75219")
    doubted = replace(record, notes={"unparsed_address": FieldNote("not-split", 0.3)})
    assert clean(doubted, MARKETS).street_address is None
    assert clean(record, MARKETS).street_address == "1234 W Elm Street"


def test_a_stated_part_is_kept() -> None:
    record = cleaned(
        unparsed_address="1 Elm St, Dallas, TX 75219", street_address="1 Elm Street", city="Plano"
    )
    assert (record.street_address, record.city) == ("1 Elm Street", "Plano")


def test_a_unit_is_read_from_the_street_which_stays_as_stated() -> None:
    record = cleaned(street_address="8408 Mesa Dr #A")
    assert (record.street_address, record.unit_number) == ("8408 Mesa Dr #A", "A")
    assert rules_of(record) == {"unit_number": "unit-of-street"}


@pytest.mark.parametrize("street", ["PO Box 12", "Cactus at 40th St", "Main St & 5th Ave"])
def test_post_boxes_and_corners_are_no_homes_address(street: str) -> None:
    record = cleaned(street_address=street, unparsed_address=f"{street}, Dallas, TX 75219")
    assert record.street_address is None
    assert rules_of(record)["street_address"] == "no-home-address"


def test_what_agrees_is_left_alone() -> None:
    record = cleaned(
        street_address="1 Elm St",
        city="Dallas",
        state_or_province="TX",
        postal_code="75219",
        **DALLAS,
    )
    assert record.notes == {}


def test_state_and_city_follow_from_the_zip() -> None:
    record = cleaned(postal_code="75219")
    assert (record.city, record.state_or_province) == ("Dallas", "TX")
    assert rules_of(record) == {"city": "city-of-zip", "state_or_province": "state-of-zip"}


def test_the_zip_follows_from_a_city_that_has_one() -> None:
    assert cleaned(city="Kyle", state_or_province="TX").postal_code == "78640"
    assert cleaned(city="Dallas", state_or_province="TX").postal_code is None
    far = cleaned(city="Kyle", state_or_province="TX", **DALLAS)
    assert far.postal_code is None


def test_the_state_follows_from_coordinates_or_the_finding_market() -> None:
    assert cleaned(**AUSTIN).state_or_province == "TX"
    assert cleaned(city="Round Rock", market="austin").state_or_province == "TX"
    assert cleaned(city="Springfield", market="austin").state_or_province is None
    assert cleaned(city="Houston", market="austin").state_or_province is None


def test_a_state_alone_against_zip_and_city_is_wrong() -> None:
    record = cleaned(city="Dallas", state_or_province="NV", postal_code="75219")
    assert (record.state_or_province, record.postal_code) == ("TX", "75219")


def test_a_zip_alone_against_state_and_city_is_wrong() -> None:
    record = cleaned(city="Dallas", state_or_province="TX", postal_code="89101")
    assert (record.state_or_province, record.postal_code) == ("TX", None)
    assert rules_of(record)["postal_code"] == "zip-of-another-state"


def test_where_nothing_decides_both_are_doubted() -> None:
    record = cleaned(state_or_province="TX", postal_code="89101")
    assert (record.state_or_province, record.postal_code) == ("TX", "89101")
    assert record.notes["postal_code"].confidence < 0.5
    assert record.notes["state_or_province"].confidence < 0.5


def test_coordinates_far_from_zip_and_city_are_wrong() -> None:
    record = cleaned(city="Dallas", state_or_province="TX", postal_code="75219", **AUSTIN)
    assert (record.contact.latitude, record.contact.longitude) == (None, None)
    assert record.postal_code == "75219"


def test_a_desert_zip_reaches_further() -> None:
    # Gila Bend, and a place 45 km south of it on the same ZIP's roads.
    place = {"city": "Gila Bend", "state_or_province": "AZ", "postal_code": "85337"}
    record = cleaned(**place, latitude=32.54, longitude=-112.72)
    assert record.contact.latitude == 32.54
    assert cleaned(**place, latitude=33.6, longitude=-112.0).contact.latitude is None


def test_a_zip_far_from_city_and_coordinates_is_wrong() -> None:
    record = cleaned(city="Austin", state_or_province="TX", postal_code="75219", **AUSTIN)
    assert record.postal_code is None
    assert (record.city, record.contact.latitude) == ("Austin", 30.27)


def test_a_city_far_from_zip_and_coordinates_is_wrong() -> None:
    record = cleaned(city="Austin", state_or_province="TX", postal_code="75219", **DALLAS)
    assert (record.city, record.postal_code) == ("Dallas", "75219")


def test_a_zip_that_takes_its_city_and_state_along() -> None:
    record = cleaned(postal_code="89101", market="austin", **AUSTIN)
    assert (record.postal_code, record.city, record.state_or_province) == (None, None, "TX")


@pytest.mark.parametrize(
    "turned",
    [
        {"latitude": 32.8132, "longitude": 96.8142},
        {"latitude": -96.8142, "longitude": 32.8132},
        {"latitude": 96.8142 - 90, "longitude": 32.8132},
    ],
)
def test_coordinates_are_turned_only_where_the_place_confirms_it(turned: dict[str, float]) -> None:
    record = cleaned(postal_code="75219", **turned)
    if turned["latitude"] == 96.8142 - 90:
        assert record.contact.latitude == turned["latitude"]
        return
    assert (record.contact.latitude, record.contact.longitude) == (32.8132, -96.8142)
    assert rules_of(record)["longitude"] == "coordinates-turned"


@pytest.mark.parametrize(
    ("stated", "city"),
    [
        ("LAS VEGAS", "Las Vegas"),
        ("las vegas", "Las Vegas"),
        ("Las Vegsa", "Las Vegas"),
        ("Summerlin", "Summerlin"),
        ("N Las Vegas", "North Las Vegas"),
    ],
)
def test_city_spelling(stated: str, city: str) -> None:
    assert cleaned(city=stated, state_or_province="NV", postal_code="89101").city == city


def test_states_are_two_letters() -> None:
    assert cleaned(state_or_province="Texas").state_or_province == "TX"
    unknown = cleaned(state_or_province="XX")
    assert unknown.state_or_province is None
    assert rules_of(unknown) == {"state_or_province": "unknown-state"}


def test_an_unknown_zip_is_doubted_not_dropped() -> None:
    record = cleaned(postal_code="00000")
    assert record.postal_code == "00000"
    assert rules_of(record) == {"postal_code": "unknown-zip"}
