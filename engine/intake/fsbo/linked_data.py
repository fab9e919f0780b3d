"""A home in schema.org terms, as owners' sites and small portals publish it (JSON-LD).

The listing, the offer and the home may be one node or three that hold each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from engine.intake.home_place import Place, place_in_line, place_of
from engine.intake.portal_home import Cell, PortalHome, lot_square_feet
from engine.intake.readings import moment_of, text_of
from engine.intake.stated_json import cell_in, first_stated, list_in, object_in, objects_in
from engine.intake.stated_price import StatedPrice, stated_price
from engine.intake.tables import is_true

NODES_MAX = 2_000

_HOME_KINDS = {
    "SingleFamilyResidence": "house",
    "House": "house",
    "Apartment": "apartment",
    "ApartmentComplex": "apartment",
    "Residence": None,
    "Accommodation": None,
}
_LISTING_TYPES = frozenset({"RealEstateListing", "Product", "Offer"})
_STATUSES = {
    "instock": "Active",
    "limitedavailability": "Active",
    "preorder": "Coming Soon",
    "soldout": "Closed",
    "outofstock": "Closed",
    "discontinued": "Withdrawn",
}
_UNITS = {"ftk": "sqft", "sqft": "sqft", "sq ft": "sqft", "acr": "acres", "acre": "acres",
          "acres": "acres"}  # fmt: skip
_PERIODS = {"MON": "/mo", "WEE": "/wk", "DAY": "/day", "ANN": "/yr"}


def homes_in(values: list[Any], source: str) -> list[PortalHome]:
    """The homes of these JSON-LD values, in their order."""
    nodes = list(_nodes(values))
    listings = [node for node in nodes if _types(node) & _LISTING_TYPES]
    residences = [node for node in nodes if _types(node) & _HOME_KINDS.keys()]
    held = [(node, _home_node(node)) for node in listings]
    pairs = [(node, home) for node, home in held if home]
    if not pairs and len(listings) == 1 and len(residences) == 1:
        pairs = [(listings[0], residences[0])]
    if not pairs:
        pairs = [(node, node) for node in residences]
    return [_home(listing, home, source) for listing, home in pairs]


def _nodes(values: list[Any]) -> Iterator[dict[str, Any]]:
    """Every top node, those of lists and of `@graph` too."""
    waiting, taken = list(reversed(values)), 0
    while waiting and taken < NODES_MAX:
        value, taken = waiting.pop(), taken + 1
        if isinstance(value, list):
            waiting += reversed(value[:NODES_MAX])
        elif isinstance(value, dict):
            waiting += reversed(list_in(value, "@graph")[:NODES_MAX])
            yield value


def _types(node: dict[str, Any]) -> set[str]:
    stated = node.get("@type")
    names = stated if isinstance(stated, list) else [stated]
    return {name.rpartition("/")[2] for name in names if isinstance(name, str)}


def _home_node(listing: dict[str, Any]) -> dict[str, Any]:
    """The home that a listing, or its offer, is about: itself if it is a home too."""
    if _types(listing) & _HOME_KINDS.keys():
        return listing
    offer = _offer_of(listing)
    for holder, key in ((listing, "mainEntity"), (listing, "about"), (listing, "itemOffered"),
                        (offer, "itemOffered")):  # fmt: skip
        home = _first_object(holder.get(key))
        if _types(home) & _HOME_KINDS.keys():
            return home
    return listing if "address" in listing else {}


def _home(listing: dict[str, Any], home: dict[str, Any], source: str) -> PortalHome:
    offer = _offer_of(listing) or _offer_of(home)
    price, for_rent = _price(offer)
    seller = _seller(listing, offer)
    return PortalHome(
        source=source,
        raw={"listing": listing, "home": home},
        source_id=_identifier(listing, home),
        place=_place(home, listing),
        price=price,
        status=_status(offer),
        kind=first_stated(
            home.get("accommodationCategory"),
            next((kind for name in _types(home) if (kind := _HOME_KINDS.get(name))), None),
        ),
        for_rent=for_rent,
        bedrooms=first_stated(home.get("numberOfBedrooms"), home.get("numberOfRooms")),
        bathrooms=first_stated(
            home.get("numberOfBathroomsTotal"), home.get("numberOfFullBathrooms")
        ),
        living_area=_area(home.get("floorSize")),
        lot_square_feet=_area(home.get("lotSize")),
        year_built=home.get("yearBuilt"),
        title=first_stated(listing.get("name"), home.get("name")),
        remarks=first_stated(listing.get("description"), home.get("description")),
        posted=moment_of(first_stated(listing.get("datePosted"), listing.get("datePublished"))),
        modified=moment_of(listing.get("dateModified")),
        name=seller.get("name"),
        phone=seller.get("telephone"),
        email=seller.get("email"),
        url=first_stated(*(node.get("url") for node in (listing, home, offer))),
        is_sample=is_true(first_stated(listing.get("is_sample"), home.get("is_sample"))),
        extra=_listed_by(seller),
    )


def _offer_of(node: dict[str, Any]) -> dict[str, Any]:
    return node if "Offer" in _types(node) else _first_object(node.get("offers"))


def _price(offer: dict[str, Any]) -> tuple[StatedPrice, bool]:
    """(price, whether it is a rent)."""
    rule = _first_object(offer.get("priceSpecification"))
    currency = text_of(first_stated(offer.get("priceCurrency"), rule.get("priceCurrency")))
    period = text_of(rule.get("unitCode")) or ""
    is_lease = (text_of(offer.get("businessFunction")) or "").endswith("LeaseOut")
    cell = text_of(first_stated(offer.get("price"), rule.get("price"))) or ""
    price = stated_price(f"{cell}{_PERIODS.get(period, '')}" if cell[-1:].isdigit() else cell)
    if currency not in (None, "USD"):
        price = StatedPrice()
    return price, is_lease or period in _PERIODS or price.frequency is not None


def _status(offer: dict[str, Any]) -> str | None:
    words = (text_of(offer.get("availability")) or "").rpartition("/")[2].lower()
    return _STATUSES.get(words)


def _place(home: dict[str, Any], listing: dict[str, Any]) -> Place:
    address = first_stated(home.get("address"), listing.get("address"))
    point = object_in(home, "geo") or object_in(listing, "geo") or home
    latitude, longitude = point.get("latitude"), point.get("longitude")
    if isinstance(address, str):
        return place_in_line(address, latitude=latitude, longitude=longitude)[0]
    address = _first_object(address)
    return place_of(
        street=address.get("streetAddress"),
        city=address.get("addressLocality"),
        state=address.get("addressRegion"),
        postal_code=address.get("postalCode"),
        latitude=latitude,
        longitude=longitude,
    )


def _area(cell: object) -> int | None:
    """Square feet of a QuantitativeValue; a bare number has no unit and is left out."""
    value = _first_object(cell)
    words = (text_of(first_stated(value.get("unitCode"), value.get("unitText"))) or "").lower()
    return lot_square_feet(value.get("value"), _UNITS.get(words))


def _seller(listing: dict[str, Any], offer: dict[str, Any]) -> dict[str, Any]:
    for node, key in ((offer, "seller"), (offer, "offeredBy"), (listing, "provider"),
                      (listing, "author")):  # fmt: skip
        found = _first_object(node.get(key))
        if found:
            return found
    return {}


def _listed_by(seller: dict[str, Any]) -> dict[str, Cell]:
    """An owners' site lists owners, except where it names an agent."""
    return {"listed_by": "agent" if "RealEstateAgent" in _types(seller) else "owner"}


def _identifier(listing: dict[str, Any], home: dict[str, Any]) -> object:
    for node in (listing, home):
        for key in ("identifier", "sku", "productID"):
            cell = node.get(key)
            stated = cell_in(cell, "value") if isinstance(cell, dict) else cell
            if text_of(stated):
                return stated
    url = text_of(first_stated(listing.get("url"), home.get("url"), listing.get("@id")))
    return url.partition("?")[0].rstrip("/").rpartition("/")[2] if url else None


def _first_object(cell: object) -> dict[str, Any]:
    if isinstance(cell, dict):
        return cell
    return next(iter(objects_in({"": cell}, "")), {})
