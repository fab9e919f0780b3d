"""One market's values: homes known before count, flagged ones don't."""

from __future__ import annotations

import msgspec

from engine.market.listing import Listing, QualityParts
from engine.market.pricing.market_prices import Unvalued
from models_ml.value.market_values import MarketValues
from models_ml.value.value_model import load

MODEL = load()
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


def known(price: int, flagged: bool = False) -> MarketValues:
    values = MarketValues(MODEL)
    home = msgspec.structs.replace(HOME, list_price=price, fraud_flag=flagged)
    values.know((f"n{number}", home) for number in range(20))
    return values


def test_a_lead_far_below_its_neighbours_is_worth_more() -> None:
    (cheap,), (dear,) = known(550_000).values([OWN]), known(290_000).values([OWN])
    assert cheap > dear


def test_what_was_valued_is_known() -> None:
    values = MarketValues(MODEL)
    values.values([Unvalued(f"n{number}", HOME, 3) for number in range(20)])
    assert len(values.homes) == 20
    told = {each.feature: each.words for each in values.explain(OWN, most=5)}
    assert told
    assert values.homes.compare(["own"], [HOME]).count[0] == 15


def test_flagged_homes_are_no_comparables() -> None:
    assert len(known(550_000, flagged=True).homes) == 0


def test_no_lead_has_no_value() -> None:
    assert MarketValues(MODEL).values([]) == []
