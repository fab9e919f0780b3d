"""A sighting as the record that a faultless parser would read: for training and measuring
resolution apart from pages and parsers."""

from __future__ import annotations

from engine.intake.address import normal_unit
from engine.intake.readings import bathrooms_of
from engine.intake.record import SourceRecord
from engine.intake.sample_world.seen import Seen
from engine.intake.tables import whole_address
from engine.market.answers import Contact

_INCOME_SUB_TYPES = frozenset({"Duplex"})


def stated_record(seen: Seen) -> SourceRecord:
    person = seen.person
    bathrooms, bathrooms_stated = bathrooms_of(seen.bathrooms)
    return SourceRecord(
        source=seen.source,
        source_id=seen.source_id,
        market=seen.market,
        title=seen.title,
        remarks=seen.remarks,
        list_price=seen.price,
        standard_status=seen.status,
        property_type=_property_type(seen),
        property_sub_type=seen.sub_type,
        bedrooms_total=seen.bedrooms,
        bathrooms_total_integer=bathrooms,
        living_area=seen.living_area,
        lot_size_square_feet=seen.lot_square_feet,
        year_built=seen.year_built,
        street_address=seen.street,
        unit_number=normal_unit(seen.unit),
        city=seen.city,
        state_or_province=seen.state,
        postal_code=seen.postal_code,
        parcel_number=seen.parcel_number,
        listing_id=seen.listing_id,
        contact=Contact(
            name=person.name if person else None,
            phone=person.phone if person else None,
            email=person.email if person else None,
            latitude=seen.latitude,
            longitude=seen.longitude,
            unparsed_address=whole_address(
                seen.street_line, seen.city, seen.state, seen.postal_code
            ),
        ),
        is_sample=True,
        extra={"bathrooms_stated": bathrooms_stated},
    )


def _property_type(seen: Seen) -> str:
    if seen.for_rent:
        return "Residential Lease"
    return "Residential Income" if seen.sub_type in _INCOME_SUB_TYPES else "Residential"
