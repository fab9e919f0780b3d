"""A whole property: the object of a property page, or the same as one row of a table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from engine.intake.home_place import Place, place_of
from engine.intake.picture_ids import picture_ids
from engine.intake.portal_home import Cell, PortalHome, lot_square_feet, real_email, real_phone
from engine.intake.readings import moment_of, price_of, rfc3339, text_of
from engine.intake.record import FieldNote
from engine.intake.stated_json import (
    BrokenJsonError,
    cell_in,
    first_stated,
    object_in,
    objects_in,
    read_json,
)
from engine.intake.stated_price import StatedPrice
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

# The lister's local time without its zone.
ZONE_UNSTATED = FieldNote("zone-unstated", 0.9)
_ON_OFFER = frozenset({"Active", "Coming Soon", "Active Under Contract", "Pending"})
_CLOSED = "Closed"
_LOT_TEXT = re.compile(r"([\d,.]+)\s*(acres?|sq ?ft|square feet)", re.I)


class _Lister(msgspec.Struct, frozen=True):
    name: object = None
    phone: object = None
    email: object = None
    office: str | None = None


def is_property(row: Mapping[str, Any]) -> bool:
    """Whether the row is a whole property."""
    return "zpid" in row and ("homeStatus" in row or "homeType" in row)


def home_of_property(row: Mapping[str, Any]) -> PortalHome:
    """Only a home on offer has a list price: of others `price` is an estimate or the sale's."""
    words = row.get("homeStatus")
    flags = first_stated(row.get("listing_sub_type"), row.get("listingSubType"))
    contingency = first_stated(row.get("contingentListingType"), row.get("contingent_listing_type"))
    status, note = standing_of(words, flags, contingency)
    facts, lister = object_in(row, "resoFacts"), _lister(row)
    is_offered = status in _ON_OFFER
    price, lease = price_of(row.get("price")), is_for_rent(words)
    if not is_dollars(row.get("currency")):
        price = None
    modified = moment_of(cell_in(row, "attributionInfo", "lastUpdated"))
    return PortalHome(
        source=SOURCE,
        raw=_without_neighbours(row),
        source_id=row.get("zpid"),
        place=_place(row),
        price=StatedPrice(price if is_offered else None),
        status=status,
        kind=row.get("homeType"),
        for_rent=lease,
        bedrooms=row.get("bedrooms"),
        bathrooms=row.get("bathrooms"),
        living_area=first_stated(row.get("livingArea"), row.get("livingAreaValue")),
        lot_square_feet=_lot(row, facts),
        year_built=row.get("yearBuilt"),
        remarks=row.get("description"),
        listing_id=first_stated(cell_in(row, "attributionInfo", "mlsId"), row.get("mlsid")),
        parcel_number=first_stated(row.get("parcelId"), facts.get("parcelNumber")),
        days_on_market=row.get("daysOnZillow") if is_offered else None,
        posted=moment_of(row.get("datePostedString")) if is_offered else None,
        modified=modified,
        seen=moment_of(row.get("timestamp")),
        name=lister.name,
        phone=lister.phone,
        email=lister.email,
        url=page_url(first_stated(row.get("url"), row.get("hdpUrl"))),
        pictures=picture_ids(each.get("url") for each in objects_in(row, "miniCardPhotos")),
        is_sample=is_true(row.get("is_sample")),
        notes={
            "standard_status": note,
            "modification_timestamp": ZONE_UNSTATED if modified else None,
        },
        extra={
            **_sale(row, status, price),
            **_change(row, price if is_offered else None),
            "zestimate": price_of(row.get("zestimate")),
            "rent_zestimate": price_of(row.get("rentZestimate")),
            "tax_assessed_value": price_of(row.get("taxAssessedValue")),
            "subdivision": text_of(
                first_stated(cell_in(row, "address", "subdivision"), facts.get("subdivisionName"))
            ),
            "listing_office": lister.office,
            "listed_by": listed_by(flags, row.get("listingTypeDimension")),
        },
    )


def _place(row: Mapping[str, Any]) -> Place:
    address = _object(row.get("address"))

    def cell(name: str) -> object:
        return first_stated(row.get(name), address.get(name))

    return place_of(
        street=None if is_true(row.get("isUndisclosedAddress")) else cell("streetAddress"),
        city=cell("city"),
        state=cell("state"),
        postal_code=cell("zipcode"),
        latitude=row.get("latitude"),
        longitude=row.get("longitude"),
    )


def _lot(row: Mapping[str, Any], facts: Mapping[str, Any]) -> int | None:
    stated = lot_square_feet(row.get("lotAreaValue"), row.get("lotAreaUnits"))
    match = _LOT_TEXT.fullmatch(text_of(facts.get("lotSize")) or "") if stated is None else None
    return lot_square_feet(match[1], match[2]) if match else stated


def _lister(row: Mapping[str, Any]) -> _Lister:
    shown = object_in(row, "attributionInfo")
    given = _object(row.get("listing_provided_by"))
    owner = _owner(row)
    phones = (
        owner.get("PHONE"),
        shown.get("agentPhoneNumber"),
        shown.get("brokerPhoneNumber"),
        given.get("phone_number"),
    )
    return _Lister(
        name=first_stated(
            owner.get("NAME"),
            shown.get("agentName"),
            given.get("name"),
            cell_in(row, "postingContact", "name"),
        ),
        # A masked line gives way to the next one that can be called.
        phone=first_stated(*map(real_phone, phones)),
        email=first_stated(*map(real_email, (shown.get("agentEmail"), given.get("email")))),
        office=text_of(
            first_stated(shown.get("brokerName"), row.get("brokerageName"), given.get("company"))
        ),
    )


def _owner(row: Mapping[str, Any]) -> dict[str, Any]:
    """What `listedBy` shows of a selling owner, by the kind of each line."""
    for group in objects_in(dict(row), "listedBy"):
        if group.get("id") == "PROPERTY_OWNER":
            return {
                kind: element.get("text")
                for element in objects_in(group, "elements")
                if isinstance(kind := element.get("id"), str)
            }
    return {}


def _sale(row: Mapping[str, Any], status: str | None, price: int | None) -> dict[str, Cell]:
    if status != _CLOSED:
        return {}
    return {
        "close_date": rfc3339(moment_of(row.get("dateSoldString"))),
        "close_price": price_of(row.get("lastSoldPrice")) or price,
    }


def _change(row: Mapping[str, Any], price: int | None) -> dict[str, Cell]:
    """The last change, from the listing itself or else from the history of this offer."""
    stated = price_change(price, row)
    if price is not None and stated["previous_list_price"] is None:
        stated["previous_list_price"] = _price_before(row, price)
    return stated


def _price_before(row: Mapping[str, Any], price: int) -> int | None:
    """The higher price that this offer had before; the history runs back in time."""
    for event in objects_in(dict(row), "priceHistory")[:100]:
        asked = price_of(event.get("price"))
        if asked is not None and asked != price and not is_true(event.get("postingIsRental")):
            return asked if asked > price else None
        if (text_of(event.get("event")) or "").lower().startswith("listed"):
            return None
    return None


def _object(cell: object) -> dict[str, Any]:
    """An object, or one written as JSON text."""
    if isinstance(cell, str) and cell.startswith("{"):
        try:
            cell = read_json(cell)
        except BrokenJsonError:
            return {}
    return cell if isinstance(cell, dict) else {}


def _without_neighbours(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row without what changes from view to view and says nothing of the home."""
    return {key: cell for key, cell in row.items() if key not in _NOT_OF_THE_HOME}


_NOT_OF_THE_HOME = frozenset(
    {"nearbyHomes", "nearbyCities", "nearbyNeighborhoods", "nearbyZipcodes", "comps",
     "homeValuation", "mortgageRates", "mortgageZHLRates", "topNavJson", "onsiteMessage",
     "adTargets", "pageViewCount", "favoriteCount", "timestamp"}
)  # fmt: skip
