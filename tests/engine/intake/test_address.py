"""The same home under every source's spelling; different doors stay different."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.intake.address import address_key, normal_unit, split_unit


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("4034 Rawlins St APT 207", "4034 RAWLINS STREET # 207"),
        ("302 East 34th Street, Unit 104, Austin, TX", "302 e. 34th st #104"),
        ("8300 N Interstate 35", "8300 North IH-35"),
        ("100 Main St, Bldg 3, Apt 204", "100 Main Street Bldg. 3 Apt. 204"),
        ("12 Saint Johns Ave", "12 St John's Avenue"),
        ("5 First St", "5 1st Street"),
        ("123 1/2 Oak Trail", "123 1 / 2 Oak Trl"),
    ],
)
def test_spellings_of_one_home_agree(one: str, other: str) -> None:
    assert address_key(one, None, "75219", None) == address_key(other, None, "75219-1234", "Dallas")
    assert address_key(one, None, "75219", None) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("4034 Rawlins St APT 207", "4034 Rawlins St APT 208"),
        ("4034 Rawlins St", "4036 Rawlins St"),
        ("4034 Rawlins St", "4034 Rawlins Ave"),
        ("100 N Main St", "100 S Main St"),
    ],
)
def test_different_doors_differ(one: str, other: str) -> None:
    assert address_key(one, None, "75219", None) != address_key(other, None, "75219", None)


def test_no_key_without_house_number_or_place() -> None:
    assert address_key("S Lamar", None, "78704", "Austin") is None
    assert address_key("1100 S Lamar", None, None, None) is None
    assert address_key("1100", None, "78704", None) is None
    assert address_key(None, None, "78704", None) is None
    assert address_key("1100 S Lamar", None, None, "Austin") == "AUSTIN|1100 S LAMAR|"


@pytest.mark.parametrize("unit", ["#28bbe9026", "#Ad0ed7691", "#0B-1Ba-789Sqft", "#Id1520122p"])
def test_listing_hashes_are_no_units(unit: str) -> None:
    assert normal_unit(unit) is None


def test_a_unit_of_two_numbers_is_not_one_number() -> None:
    assert normal_unit("#1-4") == "1-4" != normal_unit("14")
    assert normal_unit("B-12") == normal_unit("B12")


def test_units_are_split_off() -> None:
    assert split_unit("17905 Windflower Way Unit 107") == ("17905 Windflower Way", "Unit 107")
    assert split_unit("1900 S Ervay St #508, Dallas, TX") == ("1900 S Ervay St", "#508")
    assert split_unit("500 Lot St") == ("500 Lot St", None)


@given(st.text(max_size=60), st.none() | st.text(max_size=12), st.text(max_size=8))
def test_any_text_is_taken(street: str, unit: str | None, place: str) -> None:
    key = address_key(street, unit, place, place)
    assert key is None or key.count("|") == 2


@given(st.sampled_from(["4034 Rawlins St APT 207", "302 E 34th St #104"]), st.randoms())
def test_case_does_not_matter(street: str, rng: object) -> None:
    changed = "".join(c.upper() if rng.random() < 0.5 else c.lower() for c in street)  # type: ignore[attr-defined]
    assert address_key(changed, None, "1", "x") == address_key(street, None, "1", "x")


def test_labelled_pairs_of_two_sources(captures: Path) -> None:
    with (captures / "labels" / "dallas_zillow_redfin_pairs.csv").open(newline="") as file:
        pairs = list(csv.DictReader(file))
    for pair in pairs:
        one = address_key(pair["zillow_address"], None, pair["zillow_zip"], None)
        other = address_key(pair["redfin_address"], None, pair["redfin_zip"], None)
        assert (one == other) == (pair["label"] == "same"), pair
