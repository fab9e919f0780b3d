"""Tables of Zillow listings: city trackers, coordinate-only snapshots, yield studies."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import timedelta

from engine.intake.address import normal_unit, split_unit
from engine.intake.property_kinds import property_kind
from engine.intake.readings import (
    area_of,
    bathrooms_of,
    bedrooms_of,
    content_hash,
    coordinates_of,
    moment_of,
    number_of,
    postal_code_of,
    price_of,
    rfc3339,
    state_of,
    text_of,
    whole_of,
    year_of,
)
from engine.intake.record import Rejected, SourceRecord
from engine.intake.tables import Row, csv_records, is_true, whole_address
from engine.market.answers import Contact

SOURCE = "zillow"
SQUARE_FEET_PER_ACRE = 43_560

# The column called acres holds square feet for small lots. Between these two a number
# could be either, and is left out.
_LOT_ACRES_MOST = 150.0
_LOT_SQUARE_FEET_LEAST = 300.0

_ZPID_AND_POSTAL_CODE = re.compile(r"-(\d{5})/(\d{1,15})_zpid")
_HOME_PAGE = re.compile(r"https?://[^/]+/.+")

_TRACKER_COLUMNS = frozenset(
    {"zpid", "address", "zipcode", "city", "state", "price", "lot_size_acres", "property_type"}
)
_COORDINATES_COLUMNS = frozenset(
    {"price", "livingarea", "propertytype", "listingstatus", "latitude", "longitude"}
)
_YIELD_COLUMNS = frozenset({"address", "yield", "price", "rent", "url"})


def zillow_records(filename: str, data: bytes) -> Iterator[SourceRecord | Rejected]:
    """Records of one CSV table. Reasons beside those of `csv_records`: `no-id`, `no-place`."""
    rentals_by_name = "rental" in filename.lower()

    def tracker_row(row: Row) -> SourceRecord | Rejected:
        return _tracker_record(row, rentals_by_name=rentals_by_name)

    return csv_records(
        data,
        source=SOURCE,
        filename=filename,
        readers=(
            (_TRACKER_COLUMNS, tracker_row),
            (_COORDINATES_COLUMNS, _coordinates_record),
            (_YIELD_COLUMNS, _yield_record),
        ),
    )


def lot_square_feet(cell: object) -> int | None:
    """Square feet of a lot given in acres or in square feet, whichever the size says."""
    value = number_of(cell)
    if value is None or value <= 0:
        return None
    if value <= _LOT_ACRES_MOST:
        return area_of(value * SQUARE_FEET_PER_ACRE)
    return area_of(value) if value >= _LOT_SQUARE_FEET_LEAST else None


def _tracker_record(row: Row, *, rentals_by_name: bool) -> SourceRecord | Rejected:
    zpid = text_of(row["zpid"])
    digest = _row_hash(row)
    if zpid is None:
        return _rejected(None, "no-id", f"no zpid at {row['address']!r}", digest)
    street, unit = _street_and_unit(row["address"])
    latitude, longitude = coordinates_of(row.get("latitude"), row.get("longitude"))
    if street is None and latitude is None:
        return _rejected(zpid, "no-place", "neither an address nor coordinates", digest)
    city, state = text_of(row["city"]), state_of(row["state"])
    postal_code = postal_code_of(row["zipcode"])
    listing_type = text_of(row.get("listing_type"))
    for_rent = listing_type.lower() == "for rent" if listing_type else rentals_by_name
    property_type, property_sub_type = property_kind(row["property_type"], for_rent=for_rent)
    bathrooms, bathrooms_stated = bathrooms_of(row.get("bathrooms"))
    seen = moment_of(row.get("fetched_at"))
    days = whole_of(row.get("days_on_market"), 0, 20_000)
    url = text_of(row.get("listing_url"))
    return SourceRecord(
        source=SOURCE,
        source_id=zpid,
        remarks=text_of(row.get("description")),
        list_price=price_of(row["price"]),
        standard_status="Active",
        property_type=property_type,
        property_sub_type=property_sub_type,
        bedrooms_total=bedrooms_of(row.get("bedrooms")),
        bathrooms_total_integer=bathrooms,
        living_area=area_of(row.get("sqft")),
        lot_size_square_feet=lot_square_feet(row["lot_size_acres"]),
        year_built=year_of(row.get("year_built")),
        street_address=street,
        unit_number=unit,
        city=city,
        state_or_province=state,
        postal_code=postal_code,
        originating_system_name=SOURCE,
        posted_at=rfc3339(seen - timedelta(days=days)) if seen and days is not None else None,
        modification_timestamp=rfc3339(seen),
        contact=Contact(
            name=text_of(row.get("contact_name")),
            phone=text_of(row.get("contact_phone")),
            email=text_of(row.get("contact_email")),
            unparsed_address=whole_address(text_of(row["address"]), city, state, postal_code),
            latitude=latitude,
            longitude=longitude,
            source_url=url if url and _HOME_PAGE.fullmatch(url) else None,
        ),
        content_hash=digest,
        fetched_at=rfc3339(seen),
        is_sample=is_true(row.get("is_sample")),
        extra={
            "bathrooms_stated": bathrooms_stated,
            "days_on_market": days,
            "price_change": whole_of(row.get("price_change"), -(10**9), 10**9),
            "zestimate": price_of(row.get("zestimate")),
            "rent_zestimate": price_of(row.get("rent_zestimate")),
            "tax_assessed_value": price_of(row.get("tax_assessed")),
        },
    )


def _coordinates_record(row: Row) -> SourceRecord | Rejected:
    digest = _row_hash(row)
    latitude, longitude = coordinates_of(row["latitude"], row["longitude"])
    if latitude is None:
        return _rejected(None, "no-place", "no coordinates, and this table has no address", digest)
    property_type, property_sub_type = property_kind(row["propertytype"], for_rent=False)
    bathrooms, bathrooms_stated = bathrooms_of(row.get("bathrooms"))
    seen = moment_of(row.get("snapshot_date"))
    # The table has no id: a home is known by what does not change when it is repriced.
    stable = (latitude, longitude, property_sub_type, row.get("bedrooms"), row["livingarea"])
    identity = hashlib.sha256(repr(stable).encode()).hexdigest()[:20]
    return SourceRecord(
        source=SOURCE,
        source_id=f"at-{identity}",
        list_price=price_of(row["price"]),
        standard_status="Active" if row["listingstatus"].strip() == "FOR_SALE" else None,
        property_type=property_type,
        property_sub_type=property_sub_type,
        bedrooms_total=bedrooms_of(row.get("bedrooms")),
        bathrooms_total_integer=bathrooms,
        living_area=area_of(row["livingarea"]),
        originating_system_name=SOURCE,
        modification_timestamp=rfc3339(seen),
        contact=Contact(latitude=latitude, longitude=longitude),
        content_hash=digest,
        fetched_at=rfc3339(seen),
        is_sample=is_true(row.get("is_sample")),
        extra={
            "bathrooms_stated": bathrooms_stated,
            "district": text_of(row.get("vegas_district")),
        },
    )


def _yield_record(row: Row) -> SourceRecord | Rejected:
    digest = _row_hash(row)
    url = text_of(row["url"])
    match = _ZPID_AND_POSTAL_CODE.search(url or "")
    if match is None:
        return _rejected(None, "no-id", f"no zpid in the url at {row['address']!r}", digest)
    postal_code, zpid = match[1], match[2]
    parts = [part.strip() for part in row["address"].split(",")]
    if len(parts) < 3:
        return _rejected(zpid, "no-place", f"no street, city, state in {row['address']!r}", digest)
    street_text, city, state = ", ".join(parts[:-2]), text_of(parts[-2]), state_of(parts[-1])
    street, unit = _street_and_unit(street_text)
    return SourceRecord(
        source=SOURCE,
        source_id=zpid,
        list_price=price_of(row["price"]),
        standard_status="Active",
        property_type="Residential",
        street_address=street,
        unit_number=unit,
        city=city,
        state_or_province=state,
        postal_code=postal_code,
        originating_system_name=SOURCE,
        contact=Contact(
            unparsed_address=whole_address(text_of(street_text), city, state, postal_code),
            source_url=url,
        ),
        content_hash=digest,
        extra={"rent_estimate": price_of(row["rent"])},
    )


def _street_and_unit(cell: object) -> tuple[str | None, str | None]:
    text = text_of(cell)
    if text is None:
        return None, None
    street, unit = split_unit(text)
    return street or None, normal_unit(unit)


def _row_hash(row: Row) -> str:
    return content_hash("\x1f".join(row.values()).encode())


def _rejected(source_id: str | None, reason: str, detail: str, digest: str) -> Rejected:
    return Rejected(
        source=SOURCE, source_id=source_id, reason=reason, detail=detail[:500], content_hash=digest
    )
