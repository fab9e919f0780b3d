"""Sample homes as an MLS serves them: Properties of the Data Dictionary, and pages of them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from engine.intake.readings import rfc3339
from engine.intake.sample_world.pictures import picture_urls
from engine.intake.sample_world.seen import Seen

_ROWS_PER_PAGE = 500
_SECONDS_PER_DAY = 86_400
_INCOME_SUB_TYPES = frozenset({"Duplex", "Triplex", "Quadruplex", "Multi Family"})

Cell = str | int | float | bool | None


def property_rows(sightings: Iterable[Seen], *, as_of: datetime) -> Iterator[dict[str, Cell]]:
    """One Property each, marked as a sample by the local field SampleYN."""
    for seen in sightings:
        yield {**_facts(seen), **_address(seen), **_agent(seen), **_moments(seen, as_of)}


def reso_pages(
    sightings: Iterable[Seen], *, market: str, as_of: datetime, part: int
) -> Iterator[tuple[str, str, bytes]]:
    """(name, media type, content) of the pages that hold the sightings."""
    rows = list(property_rows(sightings, as_of=as_of))
    for number, begin in enumerate(range(0, len(rows), _ROWS_PER_PAGE)):
        page = {
            "@odata.context": "$metadata#Property",
            "value": rows[begin : begin + _ROWS_PER_PAGE],
        }
        name = f"{market}_property_{part:04d}_{number:02d}.json"
        yield name, "application/json", json.dumps(page).encode()


def _facts(seen: Seen) -> dict[str, Any]:
    baths = seen.bathrooms
    return {
        "ListingKey": seen.source_id,
        "ListingId": seen.listing_id,
        "OriginatingSystemName": f"Sample MLS of {seen.market}",
        "StandardStatus": seen.status,
        "PropertyType": _property_type(seen),
        "PropertySubType": seen.sub_type,
        "ListPrice": seen.price,
        "PreviousListPrice": seen.previous_price,
        "BedroomsTotal": seen.bedrooms,
        "BathroomsTotalInteger": math.ceil(baths) if baths is not None else None,
        "BathroomsFull": math.floor(baths) if baths is not None else None,
        "BathroomsHalf": math.ceil(baths % 1) if baths is not None else None,
        "LivingArea": seen.living_area,
        "LivingAreaUnits": "Square Feet" if seen.living_area is not None else None,
        "LotSizeSquareFeet": seen.lot_square_feet,
        "YearBuilt": seen.year_built,
        "ParcelNumber": seen.parcel_number,
        "PublicRemarks": seen.remarks,
        "PhotosCount": seen.images,
        "Media": [{"MediaURL": url} for url in picture_urls(seen)],
        "SampleYN": True,
    }


def _property_type(seen: Seen) -> str:
    if seen.for_rent:
        return "Residential Lease"
    return "Residential Income" if seen.sub_type in _INCOME_SUB_TYPES else "Residential"


def _address(seen: Seen) -> dict[str, Cell]:
    number, _, name = (seen.street or "").partition(" ")
    region = " ".join(part for part in (seen.state, seen.postal_code) if part)
    line = ", ".join(part for part in (seen.street_line, seen.city, region) if part)
    return {
        "UnparsedAddress": line if seen.street is not None else None,
        "StreetNumber": number if name else None,
        "StreetName": name or seen.street,
        "UnitNumber": seen.unit,
        "City": seen.city,
        "StateOrProvince": seen.state,
        "PostalCode": seen.postal_code,
        "Latitude": seen.latitude,
        "Longitude": seen.longitude,
    }


def _agent(seen: Seen) -> dict[str, Cell]:
    person = seen.person
    return {
        "ListAgentFullName": person.name if person is not None else None,
        "ListAgentPreferredPhone": person.phone if person is not None else None,
        "ListAgentEmail": person.email if person is not None else None,
    }


def _moments(seen: Seen, as_of: datetime) -> dict[str, Cell]:
    """Last changed at some time of the last day, so that a day's changes have an order."""
    posted = as_of - timedelta(days=seen.posted_days_ago)
    changed = as_of - timedelta(seconds=seen.home_index * 7_919 % _SECONDS_PER_DAY)
    return {
        "OnMarketDate": posted.strftime("%Y-%m-%d"),
        "OriginalEntryTimestamp": rfc3339(posted),
        "ModificationTimestamp": rfc3339(max(posted, changed)),
    }
