"""The units of a building: what one asks, and what the lowest of them asks."""

from __future__ import annotations

from typing import Any

import msgspec

from engine.intake.home_place import with_unit
from engine.intake.portal_home import PortalHome
from engine.intake.readings import number_of, text_of
from engine.intake.record import FieldNote
from engine.intake.stated_json import first_stated
from engine.intake.stated_price import FROM_PRICE, StatedPrice, stated_price
from engine.intake.zillow.words import is_for_rent, page_url

# The lowest of several kinds of unit says less of any one of them.
LOWEST_UNIT_PRICE = FieldNote("from-price", 0.5)


def lowest_price(kinds: list[dict[str, Any]]) -> StatedPrice:
    """What the cheapest kind of unit asks, noted as the least where there are others."""
    prices = [price for price in map(unit_price, kinds) if price.dollars is not None]
    if not prices:
        return StatedPrice()
    lowest = min(prices, key=lambda price: price.dollars or 0)
    if len(kinds) == 1:
        return lowest
    return StatedPrice(lowest.dollars, LOWEST_UNIT_PRICE, lowest.frequency)


def unit_price(kind: dict[str, Any]) -> StatedPrice:
    """`price`, else the lower end of `minPrice` to `maxPrice`."""
    shown = stated_price(kind.get("price"))
    if shown.dollars is not None:
        return shown
    least = stated_price(kind.get("minPrice"))
    is_one = number_of(kind.get("minPrice")) == number_of(kind.get("maxPrice"))
    return least if is_one else StatedPrice(least.dollars, FROM_PRICE, least.frequency)


def unit_beds(kind: dict[str, Any]) -> object:
    return first_stated(kind.get("beds"), kind.get("bedrooms"))


def unit_home(unit: dict[str, Any], building: PortalHome) -> PortalHome:
    """A unit with an id of its own, where its building stands."""
    words = unit.get("listingType")
    return msgspec.structs.replace(
        building,
        raw={"unit": unit, "building": building.source_id},
        source_id=unit.get("zpid"),
        place=with_unit(building.place, unit.get("unitNumber")),
        price=unit_price(unit),
        for_rent=building.for_rent if words is None else is_for_rent(words),
        bedrooms=unit_beds(unit),
        bathrooms=first_stated(unit.get("baths"), unit.get("bathrooms")),
        living_area=first_stated(unit.get("sqft"), unit.get("livingArea"), unit.get("minSqft")),
        url=page_url(unit.get("hdpUrl")) or building.url,
        extra={"building_id": text_of(building.source_id)},
    )
