"""A building's own page: its floor plans, and the units that are free now."""

from __future__ import annotations

from typing import Any

from engine.intake.home_place import Place, place_of
from engine.intake.portal_home import PortalHome
from engine.intake.readings import text_of
from engine.intake.stated_json import first_stated, object_in, objects_in
from engine.intake.zillow.units import lowest_price, unit_beds, unit_home
from engine.intake.zillow.words import SOURCE, is_true, page_url

UNITS_MAX = 2_000


def is_building(row: dict[str, Any]) -> bool:
    return any(isinstance(row.get(key), list) for key in ("floorPlans", "ungroupedUnits"))


def homes_of_building(row: dict[str, Any]) -> list[PortalHome]:
    """Each unit on offer that has an id; a building without one is one home, at its lowest
    price."""
    plans = objects_in(row, "floorPlans")[:UNITS_MAX]
    grouped = [plan | unit for plan in plans for unit in objects_in(plan, "units")]
    units = [unit for unit in grouped + objects_in(row, "ungroupedUnits") if _is_offered(unit)]
    known = [unit for unit in units if text_of(unit.get("zpid"))][:UNITS_MAX]
    building = _building(row, units or plans)
    return [unit_home(unit, building) for unit in known] or [building]


def _is_offered(unit: dict[str, Any]) -> bool:
    """Ungrouped units say what they are offered for; those of a floor plan are for rent."""
    words = unit.get("listingType")
    return words is None or words in ("FOR_RENT", "FOR_SALE")


def _building(row: dict[str, Any], kinds: list[dict[str, Any]]) -> PortalHome:
    address = object_in(row, "address")
    place = place_of(
        street=first_stated(address.get("streetAddress"), row.get("streetAddress")),
        city=first_stated(address.get("city"), row.get("city")),
        state=first_stated(address.get("state"), row.get("state")),
        postal_code=first_stated(address.get("zipcode"), row.get("zipcode")),
        latitude=row.get("latitude"),
        longitude=row.get("longitude"),
    )
    for_rent = not any(unit.get("listingType") == "FOR_SALE" for unit in kinds)
    return PortalHome(
        source=SOURCE,
        raw=row,
        source_id=_building_id(row, place),
        place=place,
        price=lowest_price(kinds),
        status="Active" if kinds else None,
        kind="apartment" if for_rent else None,
        for_rent=for_rent,
        bedrooms=unit_beds(kinds[0]) if len(kinds) == 1 else None,
        title=row.get("buildingName"),
        remarks=row.get("description"),
        phone=row.get("buildingPhoneNumber"),
        url=page_url(first_stated(row.get("bdpUrl"), row.get("url"))),
        is_sample=is_true(row.get("is_sample")),
        extra={"units_available": len(kinds) or None},
    )


def _building_id(row: dict[str, Any], place: Place) -> object:
    """Result lists call a building by its coordinates; without them its lot's number."""
    if place.latitude is not None:
        return f"{place.latitude}-{place.longitude}"
    lot = text_of(row.get("lotId"))
    return f"lot-{lot}" if lot else None
