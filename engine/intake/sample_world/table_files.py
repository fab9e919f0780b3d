"""Sample homes as the table files of the portals, in the shapes that the readers know."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import datetime

from engine.intake.readings import rfc3339
from engine.intake.sample_world.seen import Seen

_ZILLOW_TYPES = {
    "Apartment": "apartment",
    "Single Family Residence": "singleFamily",
    "Townhouse": "townhome",
    "Condominium": "condo",
    "Duplex": "duplex",
    "Manufactured Home": "manufactured",
}
_REDFIN_TYPES = {
    "Apartment": "Apartment",
    "Duplex": "Multi-Family (2-4 Unit)",
    "Single Family Residence": "Single Family Residential",
    "Townhouse": "Townhouse",
    "Condominium": "Condo/Co-op",
    "Manufactured Home": "Mobile/Manufactured Home",
}
_SQUARE_FEET_PER_ACRE = 43_560
_QUARTER_ACRE = 10_890

Cell = str | int | float | bool | None
Rendered = tuple[str, str, bytes]
"""(name, media type, content)."""


def zillow_tables(
    sightings: Iterable[Seen], *, market: str, as_of: datetime, part: int
) -> Iterator[Rendered]:
    """A table of homes for sale and one of homes for rent, those that are not empty."""
    sales, rentals = _by_kind(sightings)
    for seen, kind in ((sales, "listings"), (rentals, "rentals")):
        if seen:
            name = f"{market}_{kind}_{as_of:%Y%m%d}_{part:04d}.csv"
            yield name, "text/csv", _csv(_zillow_row(each, as_of) for each in seen)


def redfin_tables(
    sightings: Iterable[Seen], *, market: str, as_of: datetime, part: int
) -> Iterator[Rendered]:
    """Homes for sale as JSON and homes for rent as CSV, those that are not empty."""
    sales, rentals = _by_kind(sightings)
    if sales:
        name = f"{market}_{as_of:%Y-%m-%d}_{part:04d}_redfin.json"
        yield name, "application/json", _redfin_sales(sales, as_of)
    if rentals:
        name = f"{market}_rentals_{as_of:%Y-%m}_{part:04d}.csv"
        yield name, "text/csv", _csv(_redfin_rental(each, as_of) for each in rentals)


def _by_kind(sightings: Iterable[Seen]) -> tuple[list[Seen], list[Seen]]:
    found = list(sightings)
    return [s for s in found if not s.for_rent], [s for s in found if s.for_rent]


def _zillow_row(seen: Seen, as_of: datetime) -> dict[str, Cell]:
    return {
        "zpid": seen.source_id,
        "address": seen.street_line,
        "zipcode": seen.postal_code,
        "city": seen.city,
        "state": seen.state,
        "latitude": seen.latitude,
        "longitude": seen.longitude,
        "price": seen.price,
        "price_change": _price_change(seen),
        "bedrooms": _as_float(seen.bedrooms),
        "bathrooms": seen.bathrooms,
        "sqft": _as_float(seen.living_area),
        "year_built": _as_float(seen.year_built),
        "lot_size_acres": _lot_cell(seen.lot_square_feet),
        "property_type": _ZILLOW_TYPES[seen.sub_type] if seen.sub_type else None,
        "days_on_market": seen.posted_days_ago,
        "listing_url": f"https://portal-z.sample.example/homedetails/{seen.source_id}_zpid/",
        "fetched_at": as_of.strftime("%Y-%m-%d %H:%M"),
        "listing_type": "For Rent" if seen.for_rent else "For Sale",
        "description": seen.remarks,
        **_contact_cells(seen),
    }


def _redfin_sales(sightings: list[Seen], as_of: datetime) -> bytes:
    document = {
        "as_of": rfc3339(as_of),
        "source": "invented homes",
        "status": "active",
        "is_sample": True,
        "n_listings": len(sightings),
        "listings": [_redfin_sale(seen) for seen in sightings],
    }
    return json.dumps(document).encode()


def _redfin_sale(seen: Seen) -> dict[str, Cell]:
    return {
        "address": seen.street_line,
        "city": seen.city,
        "state": seen.state,
        "zip": seen.postal_code,
        "price_usd": seen.price,
        "beds": _as_float(seen.bedrooms),
        "baths": seen.bathrooms,
        "sqft": seen.living_area,
        "lot_size_sqft": seen.lot_square_feet,
        "year_built": seen.year_built,
        "days_on_market": seen.posted_days_ago,
        "property_type": _REDFIN_TYPES[seen.sub_type] if seen.sub_type else None,
        "status": seen.status,
        "url": f"https://portal-r.sample.example/{seen.state}/home/{seen.source_id}",
        "lat": seen.latitude,
        "lng": seen.longitude,
        "mls_number": seen.listing_id,
        "sold_date": "",
        "remarks": seen.remarks,
        **_contact_cells(seen),
    }


def _redfin_rental(seen: Seen, as_of: datetime) -> dict[str, Cell]:
    line = seen.street_line
    place = f"{seen.city}, {seen.state} {seen.postal_code or ''}".strip()
    return {
        "id": seen.source_id,
        "address": f"{line}, {place}" if line else place,
        "zip_code": seen.postal_code,
        # As in the portal's own export these two are a shared middle, not the home.
        "latitude": None if seen.latitude is None else round(seen.latitude, 1),
        "longitude": None if seen.longitude is None else round(seen.longitude, 1),
        "bedrooms": _as_float(seen.bedrooms),
        "bathrooms": seen.bathrooms,
        "rent": seen.price,
        "sqft": _as_float(seen.living_area),
        "listing_url": f"https://portal-r.sample.example/{seen.state}/home/{seen.source_id[8:]}",
        "description": seen.remarks,
        "property_type": seen.sub_type,
        "scraped_at": as_of.strftime("%Y-%m-%dT%H:%M:%S"),
        "geocoded_lat": seen.latitude,
        "geocoded_lon": seen.longitude,
        "geocoded_status": "failed" if seen.latitude is None else "success",
        **_contact_cells(seen),
    }


def _contact_cells(seen: Seen) -> dict[str, Cell]:
    person = seen.person
    return {
        "contact_name": person.name if person else None,
        "contact_phone": person.phone if person else None,
        "contact_email": person.email if person else None,
        "is_sample": True,
    }


def _price_change(seen: Seen) -> int | None:
    if seen.price is None or seen.previous_price is None:
        return None
    return seen.price - seen.previous_price


def _as_float(value: int | None) -> float | None:
    return None if value is None else float(value)


def _lot_cell(square_feet: int | None) -> float | None:
    """Large lots in acres, small ones in square feet, all in a column called acres."""
    if square_feet is None:
        return None
    if square_feet >= _QUARTER_ACRE:
        return round(square_feet / _SQUARE_FEET_PER_ACRE, 3)
    return float(square_feet)


def _csv(rows: Iterable[dict[str, Cell]]) -> bytes:
    out = io.StringIO(newline="")
    writer: csv.DictWriter[str] | None = None
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(out, fieldnames=list(row))
            writer.writeheader()
        writer.writerow(row)
    return out.getvalue().encode()
