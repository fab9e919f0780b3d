"""One record of one source, as parsed: what the page says, nothing invented."""

from __future__ import annotations

from typing import Literal

import msgspec

from engine.market.answers import Contact


class FieldNote(msgspec.Struct, frozen=True, array_like=True):
    """How a field came to its value where it is not simply what the source stated.

    `rule` is the slug of the rule that read or derived it, `confidence` is in [0, 1].
    """

    rule: str
    confidence: float


class SourceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed record. Text is plain and unmasked; units as in `Listing`.

    `listing_id` is the number under which an MLS knows the listing, whoever shows it;
    `parcel_number` the assessor's. `licence` is the scope under which the record was
    fetched. `pictures` are what the source calls its pictures, at most 24
    (engine/intake/picture_ids.py). `notes` names the fields that are not simply as stated.
    """

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
    parcel_number: str | None = None
    listing_id: str | None = None
    language: str | None = None
    originating_system_name: str | None = None
    posted_at: str | None = None
    modification_timestamp: str | None = None
    contact: Contact = Contact()
    pictures: tuple[str, ...] = ()
    content_hash: str = ""
    fetched_at: str | None = None
    licence: str = "public"
    is_sample: bool = False
    notes: dict[str, FieldNote] = {}
    extra: dict[str, str | int | float | bool | None] = {}


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """A record that can't be used, kept with its reason. `reason` is a slug."""

    source: str
    source_id: str | None
    reason: str
    detail: str
    content_hash: str = ""


SignalKind = Literal["agent", "company", "job-opening", "job-move"]


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """What a professional network tells of a market without being a lead: kept, never sold.

    `facts` name companies, titles and places, never a private person's contact.
    """

    source: str
    source_id: str
    kind: SignalKind
    market: str | None = None
    facts: dict[str, str | int | float | bool | None] = {}
    seen_at: str | None = None
    content_hash: str = ""
    is_sample: bool = False
