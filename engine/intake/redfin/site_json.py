"""JSON of Redfin homes: trackers' daily lists, the site's search results and details."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from engine.intake.document import Document
from engine.intake.home_place import place_of
from engine.intake.listing_status import standing
from engine.intake.portal_home import PortalHome, before, moment_of_milliseconds, record_of, refused
from engine.intake.readings import area_of, moment_of, price_of, rfc3339, text_of
from engine.intake.record import Rejected, SourceRecord
from engine.intake.redfin.sale_page import home_of_sale_page
from engine.intake.redfin.words import KINDS, SOURCE, home_id, page_url, unwrapped
from engine.intake.stated_json import (
    BrokenJsonError,
    cell_in,
    first_stated,
    list_in,
    read_json,
)
from engine.intake.stated_price import StatedPrice, stated_price
from engine.intake.tables import is_true

_CLOSED = "Closed"


def json_records(document: Document) -> Iterator[SourceRecord | Rejected]:
    """Records of the rows of one JSON document."""
    try:
        value = read_json(document.content)
    except BrokenJsonError as error:
        yield refused(SOURCE, "broken-json", f"{document.url}: {error}")
        return
    rows = _rows(value)
    if rows is None:
        detail = f"{document.url}: no list of homes"
        yield refused(SOURCE, "unknown-shape", detail)
        return
    as_of = moment_of(cell_in(value, "as_of"))
    for number, row in enumerate(rows):
        yield _record(row, number, as_of, document)


def _rows(value: object) -> list[Any] | None:
    if isinstance(value, list):
        return value
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("listings"), list):
        return list_in(value, "listings")
    homes = cell_in(value, "payload", "homes")
    if isinstance(homes, list):
        return homes
    return [value] if {"propertyUrl", "rentalId", "streetLine"} & value.keys() else None


def _record(
    row: object, number: int, as_of: datetime | None, document: Document
) -> SourceRecord | Rejected:
    if not isinstance(row, dict):
        return refused(SOURCE, "not-a-row", f"{document.url}: row {number} is no object")
    if "unitTypesByBedroom" in row:
        detail = f"{document.url}: the floor plans of a rental, without its address"
        return refused(SOURCE, "floor-plans-only", detail, source_id=text_of(row.get("rentalId")))
    if "streetLine" in row or "mlsId" in row:
        return record_of(_search_home(row, document), document)
    if "propertyUrl" in row:
        return record_of(home_of_sale_page(row), document)
    return record_of(tracker_home(row, as_of), document)


def tracker_home(row: dict[str, Any], as_of: datetime | None) -> PortalHome:
    """A row of a tracker's daily list. Without a page it is known by its MLS number."""
    url, mls_number = page_url(row.get("url")), text_of(row.get("mls_number"))
    status, note = standing(row.get("status"))
    return PortalHome(
        source=SOURCE,
        raw=row,
        source_id=home_id(url) or (f"mls-{mls_number}" if mls_number else None),
        place=place_of(
            street=row.get("address"),
            city=row.get("city"),
            state=row.get("state"),
            postal_code=row.get("zip"),
            latitude=row.get("lat"),
            longitude=row.get("lng"),
        ),
        price=stated_price(row.get("price_usd")),
        status=status,
        kind=row.get("property_type"),
        bedrooms=row.get("beds"),
        bathrooms=row.get("baths"),
        living_area=row.get("sqft"),
        lot_square_feet=area_of(row.get("lot_size_sqft")),
        year_built=row.get("year_built"),
        remarks=row.get("remarks"),
        listing_id=mls_number,
        days_on_market=row.get("days_on_market"),
        seen=as_of,
        name=row.get("contact_name"),
        phone=row.get("contact_phone"),
        email=row.get("contact_email"),
        url=url,
        is_sample=is_true(row.get("is_sample")),
        notes={"standard_status": note},
        extra={
            "subdivision": text_of(row.get("mls_subdivision")),
            "association_fee_monthly": price_of(row.get("hoa_per_month_usd")),
            "close_date": rfc3339(moment_of(row.get("sold_date"))),
        },
    )


def _search_home(row: dict[str, Any], document: Document) -> PortalHome:
    """A home of the site's search. `soldDate` of a home on offer is of its sale before."""
    status, note = standing(row.get("mlsStatus"))
    url = page_url(row.get("url"))
    sold = moment_of_milliseconds(unwrapped(row, "soldDate"))
    price = StatedPrice() if row.get("hideSalePrice") is True else _price(row)
    agent, office = (
        text_of(cell_in(row, role, "name")) for role in ("listingAgent", "listingBroker")
    )
    return PortalHome(
        source=SOURCE,
        raw=row,
        source_id=first_stated(home_id(url), unwrapped(row, "propertyId")),
        place=place_of(
            street=unwrapped(row, "streetLine"),
            unit=unwrapped(row, "unitNumber"),
            city=unwrapped(row, "city"),
            state=unwrapped(row, "state"),
            postal_code=first_stated(unwrapped(row, "postalCode"), unwrapped(row, "zip")),
            latitude=unwrapped(row, "latLong", "latitude"),
            longitude=unwrapped(row, "latLong", "longitude"),
        ),
        price=price,
        status=status,
        kind=_kind(row.get("uiPropertyType")),
        bedrooms=unwrapped(row, "beds"),
        bathrooms=unwrapped(row, "baths"),
        living_area=unwrapped(row, "sqFt"),
        lot_square_feet=area_of(unwrapped(row, "lotSize")),
        year_built=unwrapped(row, "yearBuilt"),
        remarks=row.get("listingRemarks"),
        listing_id=unwrapped(row, "mlsId"),
        days_on_market=unwrapped(row, "dom"),
        posted=before(moment_of(document.fetched_at), unwrapped(row, "timeOnRedfin")),
        name=agent or office,
        url=url,
        is_sample=is_true(row.get("is_sample")),
        notes={"standard_status": note},
        extra={
            "subdivision": text_of(unwrapped(row, "location")),
            "association_fee_monthly": price_of(unwrapped(row, "hoa")),
            "close_date": rfc3339(sold) if status == _CLOSED else None,
            "listing_office": office,
            "listed_by": "agent" if agent else None,
        },
    )


def _price(row: dict[str, Any]) -> StatedPrice:
    return stated_price(unwrapped(row, "price"))


def _kind(code: object) -> str | None:
    return KINDS.get(code) if isinstance(code, int) else None
