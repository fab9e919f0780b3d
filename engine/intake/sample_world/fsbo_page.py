"""A sample home on an owners' site: a page with its facts as schema.org JSON-LD."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from html import escape
from typing import Any

from engine.intake.sample_world.page_frame import framed
from engine.intake.sample_world.seen import Seen

_AVAILABILITY = {"Closed": "SoldOut", "Withdrawn": "Discontinued", "Coming Soon": "PreOrder"}
_LEASE_OUT = "http://purl.org/goodrelations/v1#LeaseOut"


def fsbo_pages(
    sightings: Iterable[Seen], *, market: str, as_of: datetime, part: int
) -> Iterator[tuple[str, str, bytes]]:
    """(name, media type, page), one for each sighting."""
    for seen in sightings:
        name = f"{market}_owner_{seen.source_id}.html"
        yield name, "text/html", fsbo_page(seen, as_of=as_of)


def fsbo_page(seen: Seen, *, as_of: datetime) -> bytes:
    posted = as_of - timedelta(days=seen.posted_days_ago)
    listing = {
        "@context": "https://schema.org",
        "@type": "RealEstateListing",
        "identifier": seen.source_id,
        "url": f"https://owners.sample.example/homes/{seen.source_id}",
        "name": seen.title,
        "description": seen.remarks,
        "datePosted": f"{posted:%Y-%m-%d}",
        "offers": _offer(seen),
        "mainEntity": _home(seen),
    }
    body = f"<h1>{escape(seen.title)}</h1><p>{escape(seen.remarks or '')}</p>"
    return framed(seen.title, _stated(listing), script='type="application/ld+json"', body=body)


def _offer(seen: Seen) -> dict[str, Any]:
    person = seen.person
    seller = None
    if person is not None:
        kind = "Person" if seen.by_owner else "RealEstateAgent"
        line = {"name": person.name, "telephone": person.phone, "email": person.email}
        seller = _stated({"@type": kind} | line)
    availability = _AVAILABILITY.get(seen.status, "InStock")
    return _stated(
        {
            "@type": "Offer",
            "price": seen.price,
            "priceCurrency": "USD",
            "availability": f"https://schema.org/{availability}",
            "businessFunction": _LEASE_OUT if seen.for_rent else None,
            "seller": seller,
        }
    )


def _home(seen: Seen) -> dict[str, Any]:
    is_house = seen.sub_type == "Single Family Residence"
    return _stated(
        {
            "@type": "SingleFamilyResidence" if is_house else "Residence",
            "accommodationCategory": None if is_house else seen.sub_type,
            "address": _stated(
                {
                    "@type": "PostalAddress",
                    "streetAddress": seen.street_line,
                    "addressLocality": seen.city,
                    "addressRegion": seen.state,
                    "postalCode": seen.postal_code,
                }
            ),
            "geo": _point(seen),
            "numberOfBedrooms": seen.bedrooms,
            "numberOfBathroomsTotal": seen.bathrooms,
            "floorSize": _area(seen.living_area),
            "lotSize": _area(seen.lot_square_feet),
            "yearBuilt": seen.year_built,
        }
    )


def _point(seen: Seen) -> dict[str, float] | None:
    if seen.latitude is None or seen.longitude is None:
        return None
    return {"latitude": seen.latitude, "longitude": seen.longitude}


def _area(square_feet: int | None) -> dict[str, object] | None:
    return None if square_feet is None else {"value": square_feet, "unitCode": "FTK"}


def _stated(node: dict[str, Any]) -> dict[str, Any]:
    return {key: cell for key, cell in node.items() if cell is not None}
