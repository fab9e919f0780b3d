"""One row of a result list: a home, or a building with several kinds of unit."""

from __future__ import annotations

from typing import Any

import msgspec

from engine.intake.document import Document
from engine.intake.home_place import Place, place_in_line, place_of
from engine.intake.picture_ids import picture_ids
from engine.intake.portal_home import (
    PortalHome,
    before,
    lot_square_feet,
)
from engine.intake.readings import moment_of, price_of, rfc3339, text_of, whole_of
from engine.intake.record import FieldNote
from engine.intake.stated_json import cell_in, first_stated, object_in, objects_in
from engine.intake.stated_price import FROM_PRICE, StatedPrice, stated_price
from engine.intake.zillow.units import lowest_price, unit_home
from engine.intake.zillow.words import (
    SOURCE,
    is_dollars,
    is_for_rent,
    is_true,
    listed_by,
    page_url,
    price_change,
    standing_of,
)

FROM_URL = FieldNote("from-url", 0.9)
_LICENCE_MARKS = (" DRE #", " DRE#", " BRE #", " CalBRE #", " License #", " Lic #")


def is_result(row: dict[str, Any]) -> bool:
    """Whether a row is one of a result list rather than a whole property."""
    return "hdpData" in row or "detailUrl" in row or is_true(row.get("isBuilding"))


def homes_of_result(row: dict[str, Any], document: Document) -> list[PortalHome]:
    """The row's home. A building is one home, at the lowest price that its card shows,
    unless its units carry ids of their own: a price per number of bedrooms is no unit that
    a buyer could ask for, and tells nothing of which are free."""
    if not (is_true(row.get("isBuilding")) or row.get("buildingId") or row.get("units")):
        return [_home(row, document)]
    building = _building(row, document)
    units = [unit for unit in objects_in(row, "units") if text_of(unit.get("zpid"))]
    return [unit_home(unit, building) for unit in units] or [building]


def _home(row: dict[str, Any], document: Document) -> PortalHome:
    info = object_in(row, "hdpData", "homeInfo")
    status_words = first_stated(
        info.get("homeStatus"), row.get("statusType"), row.get("rawHomeStatusCd")
    )
    flags = info.get("listing_sub_type")
    status, note = standing_of(status_words, flags, row.get("contingentListingType"))
    seen = moment_of(document.fetched_at)
    time_listed = first_stated(row.get("timeOnZillow"), info.get("timeOnZillow"))
    price = _price(row, info)
    office = text_of(row.get("brokerName"))
    lister = object_in(row, "attributionInfo")
    agent = text_of(lister.get("agentName")) or _agent(row.get("info6String"))
    return PortalHome(
        source=SOURCE,
        raw=row,
        source_id=first_stated(row.get("zpid"), info.get("zpid"), row.get("id")),
        place=_place(row, info),
        price=price,
        status=status,
        kind=info.get("homeType"),
        for_rent=is_for_rent(status_words),
        bedrooms=first_stated(info.get("bedrooms"), row.get("beds")),
        bathrooms=first_stated(info.get("bathrooms"), row.get("baths")),
        living_area=first_stated(info.get("livingArea"), row.get("area")),
        lot_square_feet=lot_square_feet(info.get("lotAreaValue"), info.get("lotAreaUnit")),
        title=row.get("communityName"),
        days_on_market=info.get("daysOnZillow"),
        posted=before(seen, time_listed),
        name=agent or office,
        phone=lister.get("agentPhoneNumber"),
        email=lister.get("agentEmail"),
        url=page_url(row.get("detailUrl")),
        pictures=picture_ids([row.get("imgSrc")]),
        is_sample=is_true(row.get("is_sample")),
        notes={"standard_status": note},
        extra={
            **price_change(price.dollars, info),
            "zestimate": price_of(info.get("zestimate")),
            "rent_zestimate": price_of(info.get("rentZestimate")),
            "tax_assessed_value": price_of(info.get("taxAssessedValue")),
            "listing_office": office,
            "listed_by": listed_by(
                flags, first_stated(row.get("sgapt"), row.get("marketingStatusSimplifiedCd"))
            ),
            "available_date": rfc3339(moment_of(row.get("availabilityDate"))),
        },
    )


def _place(row: dict[str, Any], info: dict[str, Any]) -> Place:
    latitude = first_stated(info.get("latitude"), cell_in(row, "latLong", "latitude"))
    longitude = first_stated(info.get("longitude"), cell_in(row, "latLong", "longitude"))
    street = first_stated(info.get("streetAddress"), row.get("addressStreet"))
    if street is None:
        return place_in_line(row.get("address"), latitude=latitude, longitude=longitude)[0]
    return place_of(
        street=street,
        unit=info.get("unit"),
        city=first_stated(info.get("city"), row.get("addressCity")),
        state=first_stated(info.get("state"), row.get("addressState")),
        postal_code=first_stated(info.get("zipcode"), row.get("addressZipcode")),
        latitude=latitude,
        longitude=longitude,
    )


def _price(row: dict[str, Any], info: dict[str, Any]) -> StatedPrice:
    """The number as stored; the text beside it says whether it is only the lowest."""
    if not is_dollars(info.get("currency"), row.get("countryCurrency")):
        return StatedPrice()
    shown = stated_price(row.get("price"))
    number = price_of(first_stated(row.get("unformattedPrice"), info.get("price")))
    is_lowest = shown.note == FROM_PRICE or text_of(info.get("priceSuffix")) == "+"
    if number is None:
        return shown
    return StatedPrice(number, FROM_PRICE if is_lowest else None, shown.frequency)


def _agent(cell: object) -> str | None:
    """`Brian Leung` of `Brian Leung DRE #01203473`."""
    text = text_of(cell)
    if text is None:
        return None
    return text_of(text[: min((p for m in _LICENCE_MARKS if (p := text.find(m)) > 0), default=300)])


def _building(row: dict[str, Any], document: Document) -> PortalHome:
    latitude, longitude = (cell_in(row, "latLong", side) for side in ("latitude", "longitude"))
    place, name = place_in_line(row.get("address"), latitude=latitude, longitude=longitude)
    if place.postal_code is None and place.street is not None:
        known = place_of(postal_code=row.get("addressZipcode"))
        place = msgspec.structs.replace(place, postal_code=known.postal_code)
    words = first_stated(row.get("statusType"), row.get("rawHomeStatusCd"))
    status, note = standing_of(words, None, None)
    units = objects_in(row, "units")
    url = page_url(row.get("detailUrl"))
    is_apartments = url is not None and "/apartments/" in url
    count = whole_of(first_stated(row.get("availabilityCount"), row.get("unitCount")), 1, 10_000)
    return PortalHome(
        source=SOURCE,
        raw=row,
        source_id=first_stated(row.get("buildingId"), row.get("zpid"), row.get("id")),
        place=place,
        price=lowest_price(units) if units else stated_price(row.get("price")),
        status=status,
        kind="apartment" if is_apartments else None,
        for_rent=is_for_rent(words),
        bedrooms=units[0].get("beds") if len(units) == 1 else None,
        title=first_stated(row.get("buildingName"), name),
        posted=before(moment_of(document.fetched_at), row.get("timeOnZillow")),
        url=url,
        is_sample=is_true(row.get("is_sample")),
        notes={
            "standard_status": note,
            "property_sub_type": FROM_URL if is_apartments else None,
        },
        extra={"units_available": count, "unit_prices": _unit_prices(units)},
    )


def _unit_prices(units: list[dict[str, Any]]) -> str | None:
    """`1 bd $1,995+; 2 bd $2,350+`, as the card says it."""
    kinds = [(text_of(unit.get("beds")), text_of(unit.get("price"))) for unit in units[:20]]
    return "; ".join(f"{beds} bd {price}" for beds, price in kinds if beds and price) or None
