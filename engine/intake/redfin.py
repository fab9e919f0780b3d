"""Tables of Redfin listings: daily JSON of homes for sale and sold, CSV of rentals."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from engine.intake.address import normal_unit, split_unit
from engine.intake.property_kinds import property_kind
from engine.intake.readings import (
    area_of,
    bathrooms_of,
    bedrooms_of,
    content_hash,
    coordinates_of,
    moment_of,
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

SOURCE = "redfin"

# RESO StandardStatus of Redfin's words; a word not here leaves the status unsaid.
_STATUSES = {
    "active": "Active",
    "sold": "Closed",
    "pre on-market": "Coming Soon",
    "coming soon": "Coming Soon",
    "contingent": "Active Under Contract",
}
_HOME_ID = re.compile(r"/(?:home|apartment)/(\d{1,15})(?:[/?#]|$)")
_APARTMENT = re.compile(r"/apartment/\d")
_STATE_AND_POSTAL_CODE = re.compile(r"([A-Za-z]{2})\s+(\d{5})(?:-\d{4})?")
_RENTAL_COLUMNS = frozenset(
    {"id", "address", "zip_code", "rent", "listing_url", "geocoded_lat", "geocoded_lon"}
)


def redfin_records(filename: str, data: bytes) -> Iterator[SourceRecord | Rejected]:
    """Records of one file, JSON or CSV by its name.

    Reasons beside those of `csv_records`: `broken-json`, `unknown-table`, `not-a-row`,
    `no-id`, `no-place`. Never raises on any bytes.
    """
    if filename.lower().endswith(".json"):
        return _json_records(filename, data)
    return csv_records(
        data, source=SOURCE, filename=filename, readers=((_RENTAL_COLUMNS, _rental_record),)
    )


def _json_records(filename: str, data: bytes) -> Iterator[SourceRecord | Rejected]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        yield _rejected(None, "broken-json", f"{filename}: {error}", "")
        return
    rows = document.get("listings") if isinstance(document, dict) else None
    if not isinstance(rows, list):
        yield _rejected(None, "unknown-table", f"{filename}: no list called listings", "")
        return
    as_of = moment_of(document.get("as_of"))
    for number, row in enumerate(rows):
        if isinstance(row, dict):
            yield _sale_record(row, as_of)
        else:
            yield _rejected(None, "not-a-row", f"{filename}: listing {number} is no object", "")


def _sale_record(row: Mapping[str, Any], as_of: datetime | None) -> SourceRecord | Rejected:
    digest = content_hash(json.dumps(row, sort_keys=True, default=str).encode())
    url = text_of(row.get("url"))
    match = _HOME_ID.search(url or "")
    mls_number = text_of(row.get("mls_number"))
    source_id = match[1] if match else (f"mls-{mls_number}" if mls_number else None)
    if source_id is None:
        return _rejected(None, "no-id", f"no home id at {row.get('address')!r}", digest)
    address = text_of(row.get("address"))
    latitude, longitude = coordinates_of(row.get("lat"), row.get("lng"))
    if address is None and latitude is None:
        return _rejected(source_id, "no-place", "neither an address nor coordinates", digest)
    street, unit = split_unit(address) if address else (None, None)
    city, state = text_of(row.get("city")), state_of(row.get("state"))
    postal_code = postal_code_of(row.get("zip"))
    property_type, property_sub_type = property_kind(
        text_of(row.get("property_type")), for_rent=False
    )
    bathrooms, bathrooms_stated = bathrooms_of(row.get("baths"))
    days = whole_of(row.get("days_on_market"), 0, 20_000)
    status = text_of(row.get("status"))
    return SourceRecord(
        source=SOURCE,
        source_id=source_id,
        remarks=text_of(row.get("remarks")),
        list_price=price_of(row.get("price_usd")),
        standard_status=_STATUSES.get(status.lower()) if status else None,
        property_type=property_type,
        property_sub_type=property_sub_type,
        bedrooms_total=bedrooms_of(row.get("beds")),
        bathrooms_total_integer=bathrooms,
        living_area=area_of(row.get("sqft")),
        lot_size_square_feet=area_of(row.get("lot_size_sqft")),
        year_built=year_of(row.get("year_built")),
        street_address=street,
        unit_number=normal_unit(unit),
        city=city,
        state_or_province=state,
        postal_code=postal_code,
        originating_system_name=SOURCE,
        posted_at=rfc3339(as_of - timedelta(days=days)) if as_of and days is not None else None,
        modification_timestamp=rfc3339(as_of),
        contact=Contact(
            name=text_of(row.get("contact_name")),
            phone=text_of(row.get("contact_phone")),
            email=text_of(row.get("contact_email")),
            unparsed_address=whole_address(address, city, state, postal_code),
            latitude=latitude,
            longitude=longitude,
            source_url=url,
        ),
        content_hash=digest,
        fetched_at=rfc3339(as_of),
        is_sample=is_true(row.get("is_sample")),
        extra={
            "bathrooms_stated": bathrooms_stated,
            "days_on_market": days,
            "mls_number": mls_number,
            "subdivision": text_of(row.get("mls_subdivision")),
            "association_fee_monthly": price_of(row.get("hoa_per_month_usd")),
            "close_date": rfc3339(moment_of(row.get("sold_date"))),
        },
    )


def _rental_record(row: Row) -> SourceRecord | Rejected:
    digest = content_hash("\x1f".join(row.values()).encode())
    source_id = text_of(row["id"])
    if source_id is None:
        return _rejected(None, "no-id", f"no id at {row['address']!r}", digest)
    # `latitude`/`longitude` are one centre point shared by hundreds of rows: they tell
    # the market, not the home.
    area_latitude, area_longitude = coordinates_of(row.get("latitude"), row.get("longitude"))
    latitude, longitude = coordinates_of(row["geocoded_lat"], row["geocoded_lon"])
    address = text_of(row["address"])
    if address is None and latitude is None:
        return _rejected(source_id, "no-place", "neither an address nor coordinates", digest)
    street, unit, city, state, postal_code = _parts_of(address or "")
    postal_code = postal_code_of(row["zip_code"]) or postal_code
    url = text_of(row["listing_url"])
    words = text_of(row.get("property_type"))
    if words is None and url and _APARTMENT.search(url):
        words = "apartment"
    property_type, property_sub_type = property_kind(words, for_rent=True)
    bathrooms, bathrooms_stated = bathrooms_of(row.get("bathrooms"))
    seen = moment_of(row.get("scraped_at"))
    return SourceRecord(
        source=SOURCE,
        source_id=source_id,
        remarks=text_of(row.get("description")),
        list_price=price_of(row["rent"]),
        standard_status="Active",
        property_type=property_type,
        property_sub_type=property_sub_type,
        bedrooms_total=bedrooms_of(row.get("bedrooms")),
        bathrooms_total_integer=bathrooms,
        living_area=area_of(row.get("sqft")),
        street_address=street,
        unit_number=unit,
        city=city,
        state_or_province=state,
        postal_code=postal_code,
        originating_system_name=SOURCE,
        modification_timestamp=rfc3339(seen),
        contact=Contact(
            name=text_of(row.get("contact_name")),
            phone=text_of(row.get("contact_phone")),
            email=text_of(row.get("contact_email")),
            unparsed_address=address,
            latitude=latitude,
            longitude=longitude,
            source_url=url,
        ),
        content_hash=digest,
        fetched_at=rfc3339(seen),
        is_sample=is_true(row.get("is_sample")),
        extra={
            "bathrooms_stated": bathrooms_stated,
            "lease_amount_frequency": "Monthly",
            "area_latitude": area_latitude,
            "area_longitude": area_longitude,
        },
    )


def _parts_of(
    address: str,
) -> tuple[str | None, str | None, str | None, str | None, str | None]:
    """(street, unit, city, state, postal code) of `1 Rainey St Unit 5, Austin, TX 78701`."""
    parts = [part.strip() for part in address.split(",")]
    match = _STATE_AND_POSTAL_CODE.fullmatch(parts[-1])
    if match is None or len(parts) < 3:
        street, unit = split_unit(address)
        return street or None, normal_unit(unit), None, None, None
    street, unit = split_unit(", ".join(parts[:-2]))
    return street or None, normal_unit(unit), text_of(parts[-2]), match[1].upper(), match[2]


def _rejected(source_id: str | None, reason: str, detail: str, digest: str) -> Rejected:
    return Rejected(
        source=SOURCE, source_id=source_id, reason=reason, detail=detail[:500], content_hash=digest
    )
