"""From one Property to a record, under the rules that its sender and its seller set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from engine.intake.document import Document, Parsed
from engine.intake.picture_ids import picture_ids
from engine.intake.property_kinds import property_kind
from engine.intake.readings import (
    bedrooms_of,
    content_hash,
    price_of,
    rfc3339,
    whole_of,
    year_of,
)
from engine.intake.record import Rejected, SourceRecord
from engine.intake.reso.measures import bathrooms, living_area, lot_size_square_feet
from engine.intake.reso.names import DELETE, KEY, MODIFIED
from engine.intake.reso.place import Place, place_of
from engine.intake.reso.row import Row
from engine.market.answers import Contact

SOURCE = "mls"
REMARKS_LENGTH_MAX = 20_000
KEY_LENGTH_MAX = 255
# Of these a place is asked; what is off the market may come with its key alone.
_OFFERED = frozenset({"Active", "Active Under Contract", "Coming Soon", None})


def listing_records(values: Mapping[str, Any], document: Document) -> Iterator[Parsed]:
    """The record of one Property, or why there is none.

    Reasons: `no-key`, `unknown-status` (StandardStatus is a closed lookup: what it does not
    have can't be known to be on offer), `no-place`, `not-displayable`. A listing that must
    not be shown any more is told as deleted too, so that a lead of it is withdrawn.
    """
    row = Row(values)
    digest = content_hash(msgspec.json.encode(values, order="deterministic"))
    source = document.source or SOURCE
    key = row.text(KEY, "source_id", length_max=KEY_LENGTH_MAX) or row.text(
        "ListingKeyNumeric", "source_id", length_max=KEY_LENGTH_MAX
    )
    if key is None:
        yield _rejected(source, None, "no-key", "a Property without a ListingKey", digest)
        return
    if row.denies("MlgCanView"):
        yield _gone(row, source, key, document, digest, "removed-by-server")
        return
    if row.denies("InternetEntireListingDisplayYN"):
        yield _gone(row, source, key, document, digest, "not-displayable")
        yield _rejected(
            source, key, "not-displayable", "InternetEntireListingDisplayYN is false", digest
        )
        return
    status = row.choice("StandardStatus", "standard_status")
    if status is None and "standard_status" in row.notes:
        stated = str(values["StandardStatus"])[:100]
        yield _rejected(source, key, "unknown-status", f"StandardStatus {stated!r}", digest)
        return
    place = place_of(row)
    if status in _OFFERED and not place.is_known:
        yield _rejected(source, key, "no-place", "neither an address nor coordinates", digest)
        return
    yield _record(row, source, key, status, place, document, digest)


def _record(
    row: Row,
    source: str,
    key: str,
    status: str | None,
    place: Place,
    document: Document,
    digest: str,
) -> SourceRecord:
    property_type = row.choice("PropertyType", "property_type")
    bathrooms_total, bathrooms_stated = bathrooms(row)
    return SourceRecord(
        source=source,
        source_id=key,
        listing_id=row.text("ListingId", "listing_id"),
        standard_status=status,
        remarks=row.text("PublicRemarks", "remarks", length_max=REMARKS_LENGTH_MAX),
        list_price=row.number("ListPrice", "list_price", price_of),
        property_type=property_type,
        property_sub_type=_sub_type(row),
        bedrooms_total=row.number("BedroomsTotal", "bedrooms_total", bedrooms_of),
        bathrooms_total_integer=bathrooms_total,
        living_area=living_area(row),
        lot_size_square_feet=lot_size_square_feet(row),
        year_built=row.number("YearBuilt", "year_built", year_of),
        street_address=place.street,
        unit_number=place.unit,
        city=place.city,
        state_or_province=place.state,
        postal_code=place.postal_code,
        parcel_number=row.text("ParcelNumber", "parcel_number"),
        originating_system_name=row.text("OriginatingSystemName", "originating_system_name"),
        posted_at=_posted_at(row),
        modification_timestamp=rfc3339(row.moment(MODIFIED, "modification_timestamp")),
        pictures=picture_ids(each.get("MediaURL") for each in row.objects("Media")),
        contact=_contact(row, place),
        content_hash=digest,
        fetched_at=document.fetched_at,
        licence=document.licence,
        is_sample=row.affirms("SampleYN"),
        extra=_extra(row, bathrooms_stated),
        notes=row.notes,
    )


def _gone(
    row: Row, source: str, key: str, document: Document, digest: str, rule: str
) -> SourceRecord:
    """That a listing is no more, and nothing of what it was."""
    system = row.text("OriginatingSystemName", "originating_system_name")
    modified = rfc3339(row.moment(MODIFIED, "modification_timestamp"))
    row.note("standard_status", rule, 1.0)
    return SourceRecord(
        source=source,
        source_id=key,
        standard_status=DELETE,
        originating_system_name=system,
        modification_timestamp=modified,
        content_hash=digest,
        fetched_at=document.fetched_at,
        licence=document.licence,
        is_sample=row.affirms("SampleYN"),
        notes=row.notes,
    )


def _sub_type(row: Row) -> str | None:
    """The lookup value, or that of words which the portals use for it too."""
    value = row.choice("PropertySubType", "property_sub_type")
    if value is not None:
        return value
    _, value = property_kind(row.text("PropertySubType", "property_sub_type"), for_rent=False)
    if value is not None:
        row.note("property_sub_type", "known-word", 0.9)
    return value


def _contact(row: Row, place: Place) -> Contact:
    first, last = (row.text(f"ListAgent{part}Name", "name") for part in ("First", "Last"))
    both = " ".join(name for name in (first, last) if name)
    link = row.text("ListingURL", "source_url", length_max=2_000)
    return Contact(
        name=row.text("ListAgentFullName", "name") or both or None,
        phone=row.text("ListAgentPreferredPhone", "phone")
        or row.text("ListAgentDirectPhone", "phone"),
        email=row.text("ListAgentEmail", "email"),
        unparsed_address=place.unparsed,
        latitude=place.latitude,
        longitude=place.longitude,
        source_url=link if link and link.startswith(("https://", "http://")) else None,
    )


def _posted_at(row: Row) -> str | None:
    for name in ("OnMarketTimestamp", "OnMarketDate", "OriginalEntryTimestamp"):
        row.forget("posted_at")
        moment = row.moment(name, "posted_at")
        if moment is not None:
            return rfc3339(moment)
    return None


def _extra(row: Row, bathrooms_stated: float | None) -> dict[str, str | int | float | bool | None]:
    monthly = row.choice("AssociationFeeFrequency", "association_fee_monthly") == "Monthly"
    said = {
        "bathrooms_stated": bathrooms_stated,
        "days_on_market": row.number("DaysOnMarket", "days_on_market", _days),
        "previous_list_price": row.number("PreviousListPrice", "previous_list_price", price_of),
        "lease_amount_frequency": row.choice("LeaseAmountFrequency", "lease_amount_frequency"),
        "association_fee_monthly": row.number("AssociationFee", "association_fee_monthly", price_of)
        if monthly
        else None,
        "subdivision": row.text("SubdivisionName", "subdivision"),
        "images": row.number("PhotosCount", "images", _days),
        "close_date": rfc3339(row.moment("CloseDate", "close_date")),
        "listed_by": "agent" if row.text("ListAgentFullName", "name") else None,
    }
    return {name: value for name, value in said.items() if value is not None}


def _days(cell: object) -> int | None:
    return whole_of(cell, 0, 20_000)


def _rejected(source: str, key: str | None, reason: str, detail: str, digest: str) -> Rejected:
    return Rejected(
        source=source, source_id=key, reason=reason, detail=detail[:500], content_hash=digest
    )
