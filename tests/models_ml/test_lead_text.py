"""The text of a lead that is embedded: what is in it, what is not, and when it changes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from engine.intake.mask import MASK
from engine.market.fair_housing import NotAllowed, inputs
from engine.market.listing import Listing
from models_ml.embedding.lead_text import NAMES, REMARKS_LENGTH_MAX, digest_of, text_of

HOME = Listing(
    property_type="Residential",
    property_sub_type="Single Family Residence",
    bedrooms_total=3,
    bathrooms_total_integer=2,
    living_area=1_620,
    lot_size_square_feet=7_200,
    year_built=1994,
    list_price=349_900,
    city="Austin",
    state_or_province="TX",
    postal_code="78704",
    latitude=30.27,
    longitude=-97.74,
    originating_system_name="unlock",
    sources=("sample",),
    public_remarks="Updated kitchen.\nLarge fenced yard with a pool!",
)


def home(**facts: Any) -> Listing:
    return msgspec.structs.replace(HOME, **facts)


def test_attributes_come_first_in_rounded_words_and_then_what_is_said_of_the_home() -> None:
    assert text_of(HOME) == (
        "single family residence for sale, 3 bedrooms, 2 bathrooms, about 1500 square feet,"
        " small lot, built in the 1990s, 300000 to 400000 dollars."
        " Updated kitchen. Large fenced yard with a pool!"
    )


def test_a_rent_is_a_months_and_a_lead_that_says_nothing_has_a_text_too() -> None:
    rented = home(property_type="Residential Lease", list_price=1_450, bedrooms_total=0)
    assert "for rent, studio" in text_of(rented)
    assert "1200 to 1600 dollars a month" in text_of(rented)
    assert text_of(Listing()) == "property for sale."


@pytest.mark.parametrize(
    "sentence",
    [
        "Walk to the best schools.",
        "Perfect for families with children.",
        "Low crime area.",
        "A christian community.",
        "Section 8 vouchers are taken.",
        "Bilingual agent.",
    ],
)
def test_what_tells_of_people_schools_or_crime_is_left_out(sentence: str) -> None:
    told = text_of(home(public_remarks=f"New roof. {sentence} Two car garage."))
    assert told.endswith("New roof. Two car garage.")


def test_place_and_covered_contact_are_not_in_it() -> None:
    told = text_of(home(public_remarks=f"Call {MASK} today. Quiet street."))
    assert MASK not in told
    for hidden in ("Austin", "TX", "78704", "30.27", "unlock", "sample"):
        assert hidden not in told


def test_a_long_description_is_cut() -> None:
    assert len(text_of(home(public_remarks="pool " * 10_000))) < REMARKS_LENGTH_MAX + 300


def test_only_what_changes_the_text_asks_for_a_new_vector() -> None:
    known = digest_of(text_of(HOME))
    assert digest_of(text_of(home(list_price=352_000, city="Dallas", quality=0.9))) == known
    for other in (
        home(list_price=420_000),
        home(bedrooms_total=4),
        home(public_remarks="Updated kitchen."),
    ):
        assert digest_of(text_of(other)) != known


def test_its_inputs_are_on_the_list_and_places_and_people_are_not() -> None:
    assert [each.name for each in inputs("embedding", NAMES)] == list(NAMES)
    for name in ("city", "postal_code", "school_rating", "owner_name", "median_income"):
        with pytest.raises(NotAllowed):
            inputs("embedding", [name])
