"""Marketplace in the sample world: answers to a search, as the site's own data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from engine.intake.facebook.listing import HOME_SALES, RENTALS
from engine.intake.sample_world.pictures import picture_urls
from engine.intake.sample_world.seen import Seen

LISTINGS_PER_ANSWER = 100

_KINDS = {
    "Apartment": "Apartment",
    "Single Family Residence": "House",
    "Townhouse": "Townhouse",
    "Condominium": "Condo",
    "Duplex": "Duplex",
    "Manufactured Home": "Manufactured Home",
}


def facebook_answers(
    sightings: Iterable[Seen], *, market: str, as_of: datetime, part: int
) -> Iterator[tuple[str, str, bytes]]:
    """Answers of at most 100 listings."""
    nodes = [{"node": {"listing": _listing(seen, as_of)}} for seen in sightings]
    for first in range(0, len(nodes), LISTINGS_PER_ANSWER):
        edges = nodes[first : first + LISTINGS_PER_ANSWER]
        answer = {"data": {"marketplace_search": {"feed_units": {"edges": edges}}}}
        name = f"{market}_marketplace_{part:04d}_{first // LISTINGS_PER_ANSWER:04d}.json"
        yield name, "application/json", json.dumps(answer).encode()


def _listing(seen: Seen, as_of: datetime) -> dict[str, Any]:
    posted = as_of - timedelta(days=seen.posted_days_ago)
    listing = {
        "__typename": "GroupCommerceProductItem",
        "id": seen.source_id,
        "is_sample": True,
        "marketplace_listing_title": seen.title,
        "marketplace_listing_category_id": RENTALS if seen.for_rent else HOME_SALES,
        "listing_price": _price(seen.price),
        "formatted_price": _price_shown(seen),
        "strikethrough_price": _price(seen.previous_price),
        "location": _location(seen),
        "home_address": {"street": seen.street_line} if seen.street_line else None,
        "unit_room_info": _rooms(seen),
        "pdp_display_sections": _facts(seen),
        "unit_area_info": f"{seen.living_area:,} square feet" if seen.living_area else None,
        "redacted_description": {"text": seen.remarks} if seen.remarks else None,
        "marketplace_listing_seller": {"name": seen.person.name} if seen.person else None,
        "listing_photos": [{"image": {"uri": url}} for url in picture_urls(seen)],
        "creation_time": int(posted.timestamp()),
        "is_sold": seen.status == "Closed",
        "is_pending": seen.status == "Pending",
        "is_live": seen.status not in {"Closed", "Withdrawn"},
    }
    return {key: cell for key, cell in listing.items() if cell is not None}


def _price(dollars: int | None) -> dict[str, str] | None:
    if dollars is None:
        return None
    return {"formatted_amount": f"${dollars:,}", "amount": f"{dollars}.00", "currency": "USD"}


def _price_shown(seen: Seen) -> dict[str, str] | None:
    if seen.price is None:
        return None
    return {"text": f"${seen.price:,} / Month" if seen.for_rent else f"${seen.price:,}"}


def _location(seen: Seen) -> dict[str, Any]:
    place = {"city": seen.city, "state": seen.state, "postal_code": seen.postal_code}
    return {
        "latitude": seen.latitude,
        "longitude": seen.longitude,
        "reverse_geocode_detailed": {key: cell for key, cell in place.items() if cell is not None},
    }


def _rooms(seen: Seen) -> str | None:
    """`3 beds · 2.5 baths`; a studio is one by name."""
    stated = []
    if seen.bedrooms is not None:
        stated.append("studio" if seen.bedrooms == 0 else f"{seen.bedrooms} beds")
    if seen.bathrooms is not None:
        stated.append(f"{seen.bathrooms:g} baths")
    return " · ".join(stated) or None


def _facts(seen: Seen) -> list[dict[str, Any]] | None:
    if seen.sub_type is None:
        return None
    fields = [{"display_label": _KINDS[seen.sub_type], "icon_name": "home"}]
    return [{"section_type": "UNIT_SUBTITLE", "pdp_fields": fields}]
