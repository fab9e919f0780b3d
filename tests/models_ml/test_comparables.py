"""A price against homes near by: which homes count, and how little one wrong price does."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pytest

from engine.market.listing import Listing
from models_ml.value.comparables import CELL_HOMES_MAX, NEAREST, NEEDED, ComparablesIndex

HOME = Listing(
    list_price=300_000,
    living_area=1_500,
    bedrooms_total=3,
    property_type="Residential",
    property_sub_type="Single Family Residence",
    latitude=30.27,
    longitude=-97.74,
)


def home(**facts: Any) -> Listing:
    return msgspec.structs.replace(HOME, **facts)


def index_of(*listings: Listing) -> ComparablesIndex:
    index = ComparablesIndex()
    for number, listing in enumerate(listings):
        index.put(f"n{number}", listing)
    return index


def compared(index: ComparablesIndex, listing: Listing, lead_id: str = "own") -> tuple[float, int]:
    found = index.compare([lead_id], [listing])
    return float(found.price_to[0]), int(found.count[0])


def test_a_price_per_square_foot_against_the_median() -> None:
    index = index_of(*(home(list_price=n * 100_000) for n in (1, 2, 3, 4, 50)))
    assert compared(index, home(list_price=330_000)) == pytest.approx((math.log(1.1), 5))
    # Twice the area at twice the price is the same price.
    assert compared(index, home(list_price=600_000, living_area=3_000))[0] == pytest.approx(0)


def test_without_an_area_whole_prices_are_compared() -> None:
    index = index_of(*(home(list_price=200_000, living_area=n * 500) for n in (1, 2, 3, 4)))
    assert compared(index, home(list_price=100_000, living_area=None)) == pytest.approx(
        (math.log(0.5), 4)
    )


@pytest.mark.parametrize(
    "other",
    [
        home(bedrooms_total=4),
        home(property_type="Residential Lease"),
        home(property_sub_type="Condominium"),
        home(latitude=30.6),
        home(latitude=None),
        home(list_price=None),
        home(living_area=None),
    ],
)
def test_other_homes_are_no_comparables(other: Listing) -> None:
    index = index_of(*[other] * NEEDED)
    price_to, count = compared(index, HOME)
    assert math.isnan(price_to)
    assert count == 0


def test_a_home_is_not_compared_with_itself() -> None:
    index = index_of(*[HOME] * NEEDED)
    price_to, count = compared(index, HOME, "n0")
    assert math.isnan(price_to)
    assert count == NEEDED - 1


def test_the_nearest_count() -> None:
    near = [home(list_price=300_000, latitude=30.27 + n * 1e-4) for n in range(NEAREST)]
    far = [home(list_price=900_000, latitude=30.32) for _ in range(40)]
    assert compared(index_of(*far, *near), HOME) == pytest.approx((0.0, NEAREST))


def test_one_wrong_price_moves_little() -> None:
    usual = [home(list_price=300_000 + n * 1_000) for n in range(7)]
    wrong = home(list_price=3)
    assert abs(compared(index_of(*usual, wrong), HOME)[0]) < 0.02


def test_a_listing_that_changes_is_compared_as_it_is_now() -> None:
    index = index_of(*[home(list_price=600_000)] * 5)
    for number in range(5):
        index.put(f"n{number}", home(list_price=300_000))
    assert len(index) == 5
    assert compared(index, HOME) == pytest.approx((0.0, 5))
    for number in range(5):
        index.drop(f"n{number}")
    index.drop("unknown")
    assert len(index) == 0
    assert compared(index, HOME)[1] == 0


def test_a_cell_keeps_its_newest() -> None:
    index = index_of(*[home(list_price=900_000)] * 50, *[HOME] * CELL_HOMES_MAX)
    assert len(index) == CELL_HOMES_MAX
    assert compared(index, HOME) == pytest.approx((0.0, NEAREST))


def test_many_at_once_in_step() -> None:
    index = index_of(*[HOME] * 5)
    found = index.compare(["a", "b"], [HOME, home(latitude=None)])
    assert found.count.tolist() == [5, 0]
    assert np.isnan(found.price_to).tolist() == [False, True]
    with pytest.raises(ValueError, match="zip"):
        index.compare(["a"], [])
