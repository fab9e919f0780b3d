"""From a source's record to what anyone signed in may know of the lead."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from engine.intake.grid import round_point
from engine.intake.mask import MASK, mask_remarks
from engine.intake.quality import quality_of
from engine.intake.record import SourceRecord
from engine.market.answers import Contact
from engine.market.listing import Listing

# A record of another status tells that a lead is gone; it never lists one.
LISTABLE_STATUSES = frozenset({"Active", "Coming Soon", None})
# These say that a home that was on offer will not come back under this listing.
GONE_STATUSES = frozenset({"Canceled", "Closed", "Delete", "Expired", "Withdrawn"})


def to_listing(record: SourceRecord, *, now_us: int) -> Listing:
    """The public facts of a record: remarks masked, place rounded, contact left behind.

    `now_us`, microseconds since the epoch UTC, is what freshness is measured against.
    Title and remarks become `public_remarks`.
    """
    latitude, longitude = _public_point(record)
    text = "\n".join(part for part in (record.title, record.remarks) if part)
    return Listing(
        quality=quality_of(record, now_us=now_us).score,
        sources=(record.source,),
        is_sample=record.is_sample,
        list_price=record.list_price,
        standard_status=record.standard_status,
        property_type=record.property_type,
        property_sub_type=record.property_sub_type,
        bedrooms_total=record.bedrooms_total,
        bathrooms_total_integer=record.bathrooms_total_integer,
        living_area=record.living_area,
        lot_size_square_feet=record.lot_size_square_feet,
        year_built=record.year_built,
        city=record.city,
        state_or_province=record.state_or_province,
        postal_code=record.postal_code,
        latitude=latitude,
        longitude=longitude,
        public_remarks=mask_remarks(text, values=contact_values(record)) if text else None,
        originating_system_name=record.originating_system_name,
        modification_timestamp=record.modification_timestamp,
    )


def mask_again(listing: Listing, values: list[str]) -> Listing:
    """The listing with `values` masked too; what is masked already stays as it is."""
    if not listing.public_remarks or not values:
        return listing
    parts = listing.public_remarks.split(MASK)
    masked = MASK.join(mask_remarks(part, values=values) for part in parts)
    return msgspec.structs.replace(listing, public_remarks=masked)


def contact_values(record: SourceRecord) -> Iterator[str]:
    """Every text that names or reaches the lead's person or door."""
    yield from values_of(record.contact)
    if record.street_address:
        yield record.street_address


def values_of(contact: Contact) -> Iterator[str]:
    for value in (
        contact.name,
        contact.phone,
        contact.email,
        contact.unparsed_address,
        contact.source_url,
    ):
        if value:
            yield value
    for degrees in (contact.latitude, contact.longitude):
        # Degrees coarser than the public grid tell nothing that the teaser does not.
        if degrees is not None and len(repr(degrees).partition(".")[2]) >= 3:
            yield repr(degrees)


def _public_point(record: SourceRecord) -> tuple[float | None, float | None]:
    latitude, longitude = record.contact.latitude, record.contact.longitude
    if latitude is None or longitude is None:
        return None, None
    return round_point(latitude, longitude)
