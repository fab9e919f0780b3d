"""What leads are worth, as agents ask for it."""

from __future__ import annotations

import msgspec

from actors.base_values import ListedValues, ModelValues
from engine.market.listing import Listing, QualityParts
from engine.market.pricing.market_prices import Unvalued
from models_ml.value.comparables import ComparablesIndex
from models_ml.value.value_model import ValueModel, load

HOME = Listing(
    list_price=400_000,
    living_area=1_500,
    bedrooms_total=3,
    property_type="Residential",
    property_sub_type="Single Family Residence",
    latitude=30.27,
    longitude=-97.74,
    quality_parts=QualityParts(completeness=0.9, freshness=0.9, contactability=0.7),
)
OWN = Unvalued("own", HOME, 3)


def beside(price: int, *, is_flagged: bool = False) -> ModelValues:
    """The model in a market with twenty homes at this price."""
    values = ModelValues(load(), ComparablesIndex())
    home = msgspec.structs.replace(HOME, list_price=price, fraud_flag=is_flagged)
    values.values([Unvalued(f"n{number}", home, 3) for number in range(20)])
    return values


def test_a_lead_far_below_its_neighbours_is_worth_more() -> None:
    (cheap,), (dear,) = beside(550_000).values([OWN]), beside(290_000).values([OWN])
    assert cheap > dear


def test_flagged_homes_are_no_comparables() -> None:
    (alone,) = ModelValues(load(), ComparablesIndex()).values([OWN])
    assert beside(550_000, is_flagged=True).values([OWN]) == [alone]


def test_why_the_table_stands_in_is_said() -> None:
    values = ModelValues(ValueModel(None, None, "no model"), ComparablesIndex())
    assert values.source == "listing table: no model"
    assert values.values([OWN]) == ListedValues().values([OWN])
