"""Realtor.com in the sample world: result lists as the site's own answer to a search."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from engine.intake.readings import rfc3339
from engine.intake.sample_world.seen import Seen

ROWS_PER_LIST = 200

_TYPES = {
    "Apartment": "apartment",
    "Single Family Residence": "single_family",
    "Townhouse": "townhomes",
    "Condominium": "condos",
    "Duplex": "duplex",
    "Manufactured Home": "mobile",
}
_STATUSES = {"Closed": "sold", "Withdrawn": "off_market"}


def realtor_results(
    sightings: Iterable[Seen], *, market: str, as_of: datetime, part: int
) -> Iterator[tuple[str, str, bytes]]:
    """Lists of at most 200 homes."""
    rows = [_row(seen, as_of) for seen in sightings]
    for first in range(0, len(rows), ROWS_PER_LIST):
        found = rows[first : first + ROWS_PER_LIST]
        answer = {"data": {"home_search": {"total": len(rows), "results": found}}}
        name = f"{market}_search_{part:04d}_{first // ROWS_PER_LIST:04d}.json"
        yield name, "application/json", json.dumps(answer).encode()


def _row(seen: Seen, as_of: datetime) -> dict[str, Any]:
    return {
        "property_id": seen.source_id,
        "href": f"https://portal-m.sample.example/homes/M{seen.source_id}",
        "status": _STATUSES.get(seen.status) or ("for_rent" if seen.for_rent else "for_sale"),
        "flags": {"is_pending": seen.status == "Pending"},
        "list_price": seen.price,
        "price_reduced_amount": _reduced(seen),
        "list_date": rfc3339(as_of - timedelta(days=seen.posted_days_ago)),
        "source": {"type": "mls", "listing_id": seen.listing_id} if seen.listing_id else None,
        "is_sample": True,
        "description": {
            "beds": seen.bedrooms,
            "baths_consolidated": None if seen.bathrooms is None else f"{seen.bathrooms:g}",
            "sqft": seen.living_area,
            "lot_sqft": seen.lot_square_feet,
            "year_built": seen.year_built,
            "type": _TYPES[seen.sub_type] if seen.sub_type else None,
            "text": seen.remarks,
        },
        "location": {"address": _address(seen)},
        "features": _features(seen),
        "advertisers": _advertisers(seen),
    }


def _reduced(seen: Seen) -> int | None:
    if seen.price is None or seen.previous_price is None:
        return None
    return max(0, seen.previous_price - seen.price) or None


def _address(seen: Seen) -> dict[str, Any]:
    return {
        "line": seen.street_line,
        "city": seen.city,
        "state_code": seen.state,
        "postal_code": seen.postal_code,
        "coordinate": {"lat": seen.latitude, "lon": seen.longitude},
    }


def _features(seen: Seen) -> dict[str, list[str]]:
    if seen.parcel_number is None:
        return {}
    return {"Other Property Info": [f"Parcel Number: {seen.parcel_number}"]}


def _advertisers(seen: Seen) -> list[dict[str, Any]]:
    person = seen.person
    if person is None:
        return []
    return [
        {
            "type": "seller",
            "name": person.name,
            "email": person.email,
            "phones": [{"number": person.phone, "type": "Mobile"}] if person.phone else [],
        }
    ]
