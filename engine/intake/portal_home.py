"""One home as a portal states it, and the one way in which all portals' homes are read.

A portal's shape says only which cell means what; whether a cell is usable is decided here,
so that a blank, a zero or a masked value means the same wherever it comes from.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from engine.intake.document import Document
from engine.intake.home_place import Place
from engine.intake.property_kinds import property_kind
from engine.intake.readings import (
    area_of,
    bathrooms_of,
    bedrooms_of,
    moment_of,
    number_of,
    rfc3339,
    text_of,
    whole_of,
    year_of,
)
from engine.intake.record import FieldNote, Rejected, SourceRecord
from engine.intake.stated_json import row_hash
from engine.intake.stated_price import StatedPrice
from engine.market.answers import Contact

SQUARE_FEET_PER_ACRE = 43_560
REMARKS_LENGTH_MAX = 20_000
TITLE_LENGTH_MAX = 300

_TEXT_LENGTH_MAX = 300
# Below this a lot "in square feet" is one in acres under the wrong unit.
_LOT_SQUARE_FEET_LEAST = 10
_URL_LENGTH_MAX = 2_000
_STUDIO_SUB_TYPES = frozenset({"Apartment", "Condominium", "Stock Cooperative"})
_MASK_MARK = "█"
_MASKED_PHONE_DIGITS = frozenset({"5555550100", "15555550100"})
_MASKED_EMAIL = "masked@example.com"
_MILLISECONDS_MAX = 4_102_444_800_000  # The year 2100.

Cell = str | int | float | bool | None


class PortalHome(msgspec.Struct, kw_only=True):
    """Cells as found; `raw` is what the record's hash is of.

    `lot_square_feet` has its unit resolved already. `posted` and `seen` are moments, UTC;
    `days_on_market` counts back from `seen`. `pictures` are ids already.
    """

    source: str
    raw: object
    source_id: object
    place: Place
    price: StatedPrice = StatedPrice()
    status: str | None = None
    kind: object = None
    for_rent: bool = False
    bedrooms: object = None
    bathrooms: object = None
    living_area: object = None
    lot_square_feet: int | None = None
    year_built: object = None
    title: object = None
    remarks: object = None
    listing_id: object = None
    parcel_number: object = None
    days_on_market: object = None
    posted: datetime | None = None
    modified: datetime | None = None
    seen: datetime | None = None
    name: object = None
    phone: object = None
    email: object = None
    url: object = None
    pictures: tuple[str, ...] = ()
    originating_system_name: object = None
    is_sample: bool = False
    notes: dict[str, FieldNote | None] = {}
    extra: dict[str, Cell] = {}


def record_of(home: PortalHome, document: Document) -> SourceRecord | Rejected:
    """The record, or Rejected: `no-id`, `no-place` (no street, ZIP or coordinates)."""
    source_id, digest, place = _line(home.source_id), row_hash(home.raw), home.place
    if source_id is None:
        where = place.line or f"{place.latitude}, {place.longitude}"
        return refused(home.source, "no-id", f"{document.url}: no id at {where}", digest=digest)
    if not place.is_known:
        detail = f"{document.url}: neither a street nor a ZIP nor coordinates"
        return refused(home.source, "no-place", detail, source_id=source_id, digest=digest)
    property_type, sub_type = property_kind(_line(home.kind), for_rent=home.for_rent)
    bathrooms, bathrooms_stated = _bathrooms(home.bathrooms)
    seen = home.seen or moment_of(document.fetched_at)
    days = whole_of(home.days_on_market, 0, 20_000)
    return SourceRecord(
        source=home.source,
        source_id=source_id,
        title=_text(home.title, TITLE_LENGTH_MAX),
        remarks=_text(home.remarks, REMARKS_LENGTH_MAX),
        list_price=home.price.dollars,
        standard_status=home.status,
        property_type=property_type,
        property_sub_type=sub_type,
        bedrooms_total=_bedrooms(home, sub_type),
        bathrooms_total_integer=bathrooms,
        living_area=area_of(home.living_area),
        lot_size_square_feet=home.lot_square_feet,
        year_built=year_of(home.year_built),
        street_address=place.street,
        unit_number=place.unit,
        city=place.city,
        state_or_province=place.state,
        postal_code=place.postal_code,
        listing_id=_line(home.listing_id),
        parcel_number=_line(home.parcel_number),
        originating_system_name=_line(home.originating_system_name) or home.source,
        posted_at=rfc3339(home.posted or _days_before(seen, days)),
        modification_timestamp=rfc3339(home.modified or seen),
        contact=_contact(home),
        pictures=home.pictures,
        content_hash=digest,
        fetched_at=rfc3339(seen),
        licence=document.licence,
        is_sample=home.is_sample,
        notes=_notes(home),
        extra=_extra(home, bathrooms_stated, days),
    )


def refused(
    source: str, reason: str, detail: str, *, source_id: str | None = None, digest: str = ""
) -> Rejected:
    return Rejected(
        source=source, source_id=source_id, reason=reason, detail=detail[:500], content_hash=digest
    )


def lot_square_feet(value: object, unit: object) -> int | None:
    """Square feet of a lot in the unit that is stated: `sqft`, `Square Feet`, `acres`."""
    number, words = number_of(value), (_line(unit) or "").lower()
    if number is None:
        return None
    if words.startswith("acre"):
        return area_of(number * SQUARE_FEET_PER_ACRE)
    is_square_feet = words.startswith(("sqft", "sq ft", "square feet"))
    return area_of(number) if is_square_feet and number >= _LOT_SQUARE_FEET_LEAST else None


def moment_of_milliseconds(cell: object) -> datetime | None:
    """The moment of milliseconds since the epoch, between 1970 and 2100."""
    milliseconds = whole_of(cell, 1, _MILLISECONDS_MAX)
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)


def before(moment: datetime | None, milliseconds: object) -> datetime | None:
    """So long before the moment; None unless both are known."""
    span = whole_of(milliseconds, 0, _MILLISECONDS_MAX)
    if moment is None or span is None:
        return None
    try:
        return moment - timedelta(milliseconds=span)
    except OverflowError:
        return None


def real_phone(cell: object) -> str | None:
    """The phone as shown; a masked one is no phone."""
    text = _line(cell)
    if text is None or _MASK_MARK in text:
        return None
    digits = "".join(character for character in text if character.isdigit())
    return None if digits in _MASKED_PHONE_DIGITS or len(digits) < 7 else text


def real_email(cell: object) -> str | None:
    text = _line(cell)
    if text is None or _MASK_MARK in text or text.lower() == _MASKED_EMAIL:
        return None
    return text if "@" in text[1:-1] else None


def real_name(cell: object) -> str | None:
    text = _line(cell)
    return None if text is None or _MASK_MARK in text else text


def _contact(home: PortalHome) -> Contact:
    return Contact(
        name=real_name(home.name),
        phone=real_phone(home.phone),
        email=real_email(home.email),
        unparsed_address=home.place.line,
        latitude=home.place.latitude,
        longitude=home.place.longitude,
        source_url=_page(home.url),
    )


def _page(cell: object) -> str | None:
    url = text_of(cell)
    is_page = url is not None and url.startswith(("https://", "http://"))
    return url if is_page and len(url or "") <= _URL_LENGTH_MAX else None


def _bedrooms(home: PortalHome, sub_type: str | None) -> int | None:
    """Zero is a studio where there are studios, elsewhere a source's way to say nothing."""
    count = bedrooms_of(home.bedrooms)
    return count if count or home.for_rent or sub_type in _STUDIO_SUB_TYPES else None


def _bathrooms(cell: object) -> tuple[int | None, float | None]:
    """No home is offered as one without a bath: zero says nothing."""
    count, stated = bathrooms_of(cell)
    return (count, stated) if count else (None, None)


def _notes(home: PortalHome) -> dict[str, FieldNote]:
    notes = {"list_price": home.price.note} | home.notes
    return {field: note for field, note in notes.items() if note is not None}


def _extra(home: PortalHome, bathrooms_stated: float | None, days: int | None) -> dict[str, Cell]:
    extra: dict[str, Cell] = {"bathrooms_stated": bathrooms_stated, "days_on_market": days}
    if home.for_rent and home.price.dollars is not None:
        # Portals show rents by the month and say so only where it is not.
        extra["lease_amount_frequency"] = home.price.frequency or "Monthly"
    extra |= home.extra
    return {key: _bounded(value) for key, value in extra.items() if value is not None}


def _bounded(cell: Cell) -> Cell:
    return cell[:_TEXT_LENGTH_MAX] if isinstance(cell, str) else cell


def _days_before(moment: datetime | None, days: int | None) -> datetime | None:
    return before(moment, None if days is None else days * 86_400_000)


def _line(cell: object) -> str | None:
    text = text_of(cell)
    return " ".join(text.split())[:_TEXT_LENGTH_MAX] if text else None


def _text(cell: object, length_max: int) -> str | None:
    text = text_of(cell)
    return text[:length_max] if text else None
