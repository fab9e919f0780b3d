"""A city's own source in the sample world: each city's in another format, all by the names
of the RESO dictionary, so that one mapping reads them and every format is read."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta

from engine.intake.readings import rfc3339
from engine.intake.sample_world.seen import Seen

Row = dict[str, str | int | float | bool | None]
Writer = Callable[[list[Row]], bytes]


def local_feed(
    sightings: Iterable[Seen], *, market: str, as_of: datetime, part: int
) -> Iterator[tuple[str, str, bytes]]:
    """The city's feed, if it has anything to say."""
    rows = [_row(seen, as_of) for seen in sightings]
    if rows:
        suffix, media_type, write = _FORMATS.get(market, _FORMATS["las-vegas"])
        yield f"{market}_homes_{part:04d}.{suffix}", media_type, write(rows)


def _row(seen: Seen, as_of: datetime) -> Row:
    person = seen.person
    return {
        "ListingKey": seen.source_id,
        "ListingId": seen.listing_id,
        "ParcelNumber": seen.parcel_number,
        "StandardStatus": seen.status,
        "PropertyType": _property_type(seen),
        "PropertySubType": seen.sub_type,
        "ListPrice": seen.price,
        "PreviousListPrice": seen.previous_price,
        "StreetAddress": seen.street,
        "UnitNumber": seen.unit,
        "City": seen.city,
        "StateOrProvince": seen.state,
        "PostalCode": seen.postal_code,
        "Latitude": seen.latitude,
        "Longitude": seen.longitude,
        "BedroomsTotal": seen.bedrooms,
        "BathroomsTotalDecimal": seen.bathrooms,
        "LivingArea": seen.living_area,
        "LotSizeSquareFeet": seen.lot_square_feet,
        "YearBuilt": seen.year_built,
        "Title": seen.title,
        "PublicRemarks": seen.remarks,
        "ListingContractDate": rfc3339(as_of - timedelta(days=seen.posted_days_ago)),
        "ModificationTimestamp": rfc3339(as_of),
        "ContactName": person.name if person else None,
        "ContactPhone": person.phone if person else None,
        "ContactEmail": person.email if person else None,
        "ListedBy": "owner" if seen.by_owner else None,
        "IsSample": True,
    }


def _property_type(seen: Seen) -> str:
    if seen.for_rent:
        return "Residential Lease"
    return "Residential Income" if seen.sub_type == "Duplex" else "Residential"


def _csv(rows: list[Row]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def _json(rows: list[Row]) -> bytes:
    return json.dumps({"count": len(rows), "value": rows}).encode()


def _lines(rows: list[Row]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _geojson(rows: list[Row]) -> bytes:
    features = [_feature(row) for row in rows]
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def _feature(row: Row) -> dict[str, object]:
    """The place is the geometry's alone, and the id the feature's."""
    named = ("ListingKey", "Latitude", "Longitude")
    point = [row["Longitude"], row["Latitude"]]
    return {
        "type": "Feature",
        "id": row["ListingKey"],
        "geometry": None if row["Latitude"] is None else {"type": "Point", "coordinates": point},
        "properties": {name: cell for name, cell in row.items() if name not in named},
    }


_FORMATS: dict[str, tuple[str, str, Writer]] = {
    "las-vegas": ("csv", "text/csv", _csv),
    "dallas": ("json", "application/json", _json),
    "austin": ("geojson", "application/geo+json", _geojson),
    "phoenix": ("ndjson", "application/x-ndjson", _lines),
}
