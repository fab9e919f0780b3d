"""Tables of Zillow homes: city trackers, snapshots, yield studies, data sets."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from engine.intake.document import Document
from engine.intake.home_place import place_of
from engine.intake.listing_status import standing
from engine.intake.portal_home import SQUARE_FEET_PER_ACRE, PortalHome, record_of, refused
from engine.intake.property_kinds import property_kind
from engine.intake.readings import (
    area_of,
    content_hash,
    coordinates_of,
    moment_of,
    number_of,
    price_of,
    rfc3339,
    text_of,
    whole_of,
)
from engine.intake.record import Rejected, SourceRecord
from engine.intake.stated_price import stated_price
from engine.intake.tables import Row, RowReader, csv_records, is_true
from engine.intake.zillow.details import home_of_property
from engine.intake.zillow.words import SOURCE, page_url

# The column called acres holds square feet for small lots. Between these two a number
# could be either, and is left out.
_LOT_ACRES_MOST = 150.0
_LOT_SQUARE_FEET_LEAST = 300.0

_ZPID_AND_POSTAL_CODE = re.compile(r"-(\d{5})/(\d{1,15})_zpid")

_TRACKER_COLUMNS = frozenset(
    {"zpid", "address", "zipcode", "city", "state", "price", "lot_size_acres", "property_type"}
)
_COORDINATES_COLUMNS = frozenset(
    {"price", "livingarea", "propertytype", "listingstatus", "latitude", "longitude"}
)
_YIELD_COLUMNS = frozenset({"address", "yield", "price", "rent", "url"})
_SALES_COLUMNS = frozenset(
    {"zpid", "streetAddress", "zipcode", "latestPrice", "latest_saledate", "homeType"}
)
_PROPERTY_COLUMNS = frozenset({"zpid", "homeStatus", "homeType", "streetAddress", "zipcode"})


def table_records(document: Document) -> Iterator[SourceRecord | Rejected]:
    """Records of one CSV table. Reasons beside those of `csv_records`: `no-id`, `no-place`."""
    return csv_records(
        document.content, source=SOURCE, filename=document.url, readers=_readers(document)
    )


def lot_in_acres_or_square_feet(cell: object) -> int | None:
    """Square feet of a lot given in acres or in square feet, whichever the size says."""
    value = number_of(cell)
    if value is None or value <= 0:
        return None
    if value <= _LOT_ACRES_MOST:
        return area_of(value * SQUARE_FEET_PER_ACRE)
    return area_of(value) if value >= _LOT_SQUARE_FEET_LEAST else None


def _readers(document: Document) -> list[tuple[frozenset[str], RowReader]]:
    # Old trackers do not say whether they list rents; their address does.
    rentals_by_name = "rental" in document.url.lower()

    def tracker(row: Row) -> SourceRecord | Rejected:
        return record_of(_tracker_home(row, rentals_by_name=rentals_by_name), document)

    def coordinates(row: Row) -> SourceRecord | Rejected:
        return record_of(_coordinates_home(row), document)

    def study(row: Row) -> SourceRecord | Rejected:
        return _study_record(row, document)

    def sale(row: Row) -> SourceRecord | Rejected:
        return record_of(_sale_home(row), document)

    def whole(row: Row) -> SourceRecord | Rejected:
        return record_of(home_of_property(row), document)

    return [
        (_TRACKER_COLUMNS, tracker),
        (_COORDINATES_COLUMNS, coordinates),
        (_YIELD_COLUMNS, study),
        (_SALES_COLUMNS, sale),
        (_PROPERTY_COLUMNS, whole),
    ]


def _tracker_home(row: Row, *, rentals_by_name: bool) -> PortalHome:
    listing_type = text_of(row.get("listing_type"))
    price = stated_price(row["price"])
    change = whole_of(row.get("price_change"), -(10**9), 10**9)
    is_cut = price.dollars is not None and change is not None and change < 0
    return PortalHome(
        source=SOURCE,
        raw=row,
        source_id=row["zpid"],
        place=place_of(
            street=row["address"],
            city=row["city"],
            state=row["state"],
            postal_code=row["zipcode"],
            latitude=row.get("latitude"),
            longitude=row.get("longitude"),
        ),
        price=price,
        status="Active",
        kind=row["property_type"],
        for_rent=listing_type.lower() == "for rent" if listing_type else rentals_by_name,
        bedrooms=row.get("bedrooms"),
        bathrooms=row.get("bathrooms"),
        living_area=row.get("sqft"),
        lot_square_feet=lot_in_acres_or_square_feet(row["lot_size_acres"]),
        year_built=row.get("year_built"),
        remarks=row.get("description"),
        days_on_market=row.get("days_on_market"),
        seen=moment_of(row.get("fetched_at")),
        name=row.get("contact_name"),
        phone=row.get("contact_phone"),
        email=row.get("contact_email"),
        url=page_url(row.get("listing_url")),
        is_sample=is_true(row.get("is_sample")),
        extra={
            "price_change": change,
            "previous_list_price": (price.dollars or 0) - (change or 0) if is_cut else None,
            "zestimate": price_of(row.get("zestimate")),
            "rent_zestimate": price_of(row.get("rent_zestimate")),
            "tax_assessed_value": price_of(row.get("tax_assessed")),
        },
    )


def _coordinates_home(row: Row) -> PortalHome:
    status, note = standing(row["listingstatus"])
    return PortalHome(
        source=SOURCE,
        raw=row,
        source_id=_identity(row),
        place=place_of(latitude=row["latitude"], longitude=row["longitude"]),
        price=stated_price(row["price"]),
        status=status,
        kind=row["propertytype"],
        bedrooms=row.get("bedrooms"),
        bathrooms=row.get("bathrooms"),
        living_area=row["livingarea"],
        seen=moment_of(row.get("snapshot_date")),
        is_sample=is_true(row.get("is_sample")),
        notes={"standard_status": note},
        extra={"district": text_of(row.get("vegas_district"))},
    )


def _identity(row: Row) -> str:
    """The table has no id: a home is known by what does not change when it is repriced."""
    point = coordinates_of(row["latitude"], row["longitude"])
    _type, sub_type = property_kind(row["propertytype"], for_rent=False)
    stable = (*point, sub_type, row.get("bedrooms"), row["livingarea"])
    return f"at-{hashlib.sha256(repr(stable).encode()).hexdigest()[:20]}"


def _study_record(row: Row, document: Document) -> SourceRecord | Rejected:
    match = _ZPID_AND_POSTAL_CODE.search(row["url"])
    parts = [part.strip() for part in row["address"].split(",")]
    digest = content_hash("\x1f".join(row.values()).encode())
    if match is None:
        detail = f"{document.url}: no zpid in the url at {row['address']!r}"
        return refused(SOURCE, "no-id", detail, digest=digest)
    if len(parts) < 3:
        detail = f"{document.url}: no street, city, state in {row['address']!r}"
        return refused(SOURCE, "no-place", detail, source_id=match[2], digest=digest)
    home = PortalHome(
        source=SOURCE,
        raw=row,
        source_id=match[2],
        place=place_of(
            street=", ".join(parts[:-2]), city=parts[-2], state=parts[-1], postal_code=match[1]
        ),
        price=stated_price(row["price"]),
        status="Active",
        url=page_url(row["url"]),
        extra={"rent_estimate": price_of(row["rent"])},
    )
    return record_of(home, document)


def _sale_home(row: Row) -> PortalHome:
    """A sold home. `latestPrice` is the last price asked, `latest_saledate` when it sold."""
    sold = moment_of(row["latest_saledate"])
    return PortalHome(
        source=SOURCE,
        raw=row,
        source_id=row["zpid"],
        place=place_of(
            street=row["streetAddress"],
            city=(text_of(row.get("city")) or "").title(),
            postal_code=row["zipcode"],
            latitude=row.get("latitude"),
            longitude=row.get("longitude"),
        ),
        price=stated_price(row["latestPrice"]),
        status="Closed",
        kind=row["homeType"],
        bedrooms=row.get("numOfBedrooms"),
        bathrooms=row.get("numOfBathrooms"),
        living_area=row.get("livingAreaSqFt"),
        lot_square_feet=area_of(row.get("lotSizeSqFt")),
        year_built=row.get("yearBuilt"),
        remarks=row.get("description"),
        modified=sold,
        extra={"close_date": rfc3339(sold)},
    )
