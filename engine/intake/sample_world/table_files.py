"""Sample homes as the table files of the portals, in the shapes that the readers know."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable
from datetime import datetime

from engine.intake.readings import rfc3339
from engine.intake.sample_world.home import Home
from engine.intake.sample_world.prose import remarks_of, street_line

_ZILLOW_TYPES = {
    "Apartment": "apartment",
    "Single Family Residence": "singleFamily",
    "Townhouse": "townhome",
    "Condominium": "condo",
    "Duplex": "duplex",
    "Manufactured Home": "manufactured",
}
_REDFIN_TYPES = {
    "Single Family Residence": "Single Family Residential",
    "Townhouse": "Townhouse",
    "Condominium": "Condo/Co-op",
    "Manufactured Home": "Mobile/Manufactured Home",
}
_SQUARE_FEET_PER_ACRE = 43_560
_QUARTER_ACRE = 10_890

Cell = str | int | float | bool | None
Table = tuple[str, str, bytes]
"""(source, file name, content)."""


def tables_of(homes: Iterable[Home], *, market: str, part: int, as_of: datetime) -> Iterable[Table]:
    """The non-empty tables that offer these homes of one market."""
    homes = list(homes)
    day = as_of.strftime("%Y%m%d")
    tail = f"{part:04d}"
    makers: tuple[tuple[str, str, bool, Callable[[list[tuple[Home, str]], datetime], bytes]], ...]
    makers = (
        ("zillow", f"{market}_listings_{day}_{tail}.csv", False, _zillow_table),
        ("zillow", f"{market}_rentals_{day}_{tail}.csv", True, _zillow_table),
        ("redfin", f"{market}_{as_of:%Y-%m-%d}_{tail}_redfin.json", False, _redfin_sales),
        ("redfin", f"{market}_rentals_{as_of:%Y-%m}_{tail}.csv", True, _redfin_rentals),
    )
    for source, filename, for_rent, make in makers:
        offered = [
            (home, sighting.source_id)
            for home in homes
            if home.for_rent is for_rent
            for sighting in home.sightings
            if sighting.source == source
        ]
        if offered:
            yield source, filename, make(offered, as_of)


def _zillow_table(offered: list[tuple[Home, str]], as_of: datetime) -> bytes:
    return _csv(_zillow_row(home, source_id, as_of) for home, source_id in offered)


def _zillow_row(home: Home, source_id: str, as_of: datetime) -> dict[str, Cell]:
    lot = home.lot_square_feet
    return {
        "zpid": source_id,
        "address": street_line(home, style=home.index % 2 * 2),
        "zipcode": home.postal_code,
        "city": home.city,
        "state": home.state,
        "latitude": home.latitude,
        "longitude": home.longitude,
        "price": home.price,
        "bedrooms": float(home.bedrooms),
        "bathrooms": home.bathrooms,
        "sqft": float(home.living_area) if home.text_seed % 11 else None,
        "year_built": float(home.year_built),
        "lot_size_acres": _lot_cell(lot),
        "property_type": _ZILLOW_TYPES[home.sub_type],
        "days_on_market": home.days_listed,
        "listing_url": f"https://portal-z.sample.example/homedetails/{source_id}_zpid/",
        "fetched_at": as_of.strftime("%Y-%m-%d %H:%M"),
        "listing_type": "For Rent" if home.for_rent else "For Sale",
        "description": remarks_of(home) if home.text_seed % 3 == 0 else None,
        **_contact_cells(home),
    }


def _redfin_sales(offered: list[tuple[Home, str]], as_of: datetime) -> bytes:
    document = {
        "as_of": rfc3339(as_of),
        "source": "invented homes",
        "status": "active",
        "is_sample": True,
        "n_listings": len(offered),
        "listings": [_redfin_sale(home, source_id) for home, source_id in offered],
    }
    return json.dumps(document).encode()


def _redfin_sale(home: Home, source_id: str) -> dict[str, Cell]:
    return {
        "address": street_line(home, style=2),
        "city": home.city,
        "state": home.state,
        "zip": home.postal_code,
        "price_usd": home.price if home.text_seed % 4 else home.price - 1_000,
        "beds": float(home.bedrooms),
        "baths": home.bathrooms,
        "sqft": home.living_area,
        "lot_size_sqft": home.lot_square_feet,
        "year_built": home.year_built,
        "days_on_market": home.days_listed,
        "property_type": _REDFIN_TYPES[home.sub_type],
        "status": "Active",
        "url": f"https://portal-r.sample.example/{home.state}/home/{source_id}",
        "lat": home.latitude,
        "lng": home.longitude,
        "mls_number": None,
        "sold_date": "",
        "remarks": remarks_of(home) if home.text_seed % 2 else None,
        **_contact_cells(home),
    }


def _redfin_rentals(offered: list[tuple[Home, str]], as_of: datetime) -> bytes:
    return _csv(_redfin_rental(home, source_id, as_of) for home, source_id in offered)


def _redfin_rental(home: Home, source_id: str, as_of: datetime) -> dict[str, Cell]:
    line = street_line(home, style=2)
    return {
        "id": source_id,
        "address": f"{line}, {home.city}, {home.state} {home.postal_code}",
        "zip_code": home.postal_code,
        # As in the portal's own export these two are a shared middle, not the home.
        "latitude": round(home.latitude, 1),
        "longitude": round(home.longitude, 1),
        "bedrooms": float(home.bedrooms),
        "bathrooms": home.bathrooms,
        "rent": home.price,
        "sqft": float(home.living_area) if home.text_seed % 7 else None,
        "listing_url": f"https://portal-r.sample.example/{home.state}/home/{source_id[8:]}",
        "description": remarks_of(home) if home.text_seed % 2 else None,
        "property_type": home.sub_type if home.text_seed % 3 else None,
        "scraped_at": as_of.strftime("%Y-%m-%dT%H:%M:%S"),
        "geocoded_lat": home.latitude,
        "geocoded_lon": home.longitude,
        "geocoded_status": "success",
        **_contact_cells(home),
    }


def _contact_cells(home: Home) -> dict[str, Cell]:
    return {
        "contact_name": home.person.name,
        "contact_phone": home.person.phone,
        "contact_email": home.person.email,
        "is_sample": True,
    }


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
