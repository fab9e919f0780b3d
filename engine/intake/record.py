"""One record of one source, as parsed: what the page says, nothing invented."""

from __future__ import annotations

import msgspec

from engine.market.answers import Contact


class SourceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed record. Text is plain and unmasked; units as in `Listing`."""

    source: str
    source_id: str
    market: str | None = None
    title: str | None = None
    remarks: str | None = None
    list_price: int | None = None
    standard_status: str | None = None
    property_type: str | None = None
    property_sub_type: str | None = None
    bedrooms_total: int | None = None
    bathrooms_total_integer: int | None = None
    living_area: int | None = None
    lot_size_square_feet: int | None = None
    year_built: int | None = None
    street_address: str | None = None
    unit_number: str | None = None
    city: str | None = None
    state_or_province: str | None = None
    postal_code: str | None = None
    originating_system_name: str | None = None
    posted_at: str | None = None
    modification_timestamp: str | None = None
    contact: Contact = Contact()
    content_hash: str = ""
    fetched_at: str | None = None
    is_sample: bool = False
    extra: dict[str, str | int | float | bool | None] = {}


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """A record that can't be used, kept with its reason. `reason` is a slug."""

    source: str
    source_id: str | None
    reason: str
    detail: str
    content_hash: str = ""
