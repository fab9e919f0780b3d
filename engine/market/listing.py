"""What is publicly known of a lead: the masked, rounded part that anyone signed in may see."""

from __future__ import annotations

import msgspec


class Listing(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """The public facts of one lead, RESO Data Dictionary names in snake_case.

    `public_remarks` is masked already and `latitude`/`longitude` (degrees) are already
    rounded to about 200 m: whoever builds a Listing holds the unmasked text, the book
    never does. `list_price` is whole USD, areas are square feet, `modification_timestamp`
    is RFC 3339 UTC.
    """

    quality: float = 0.0
    fraud_flag: bool = False
    sources: tuple[str, ...] = ()
    is_sample: bool = False
    list_price: int | None = None
    standard_status: str | None = None
    property_type: str | None = None
    property_sub_type: str | None = None
    bedrooms_total: int | None = None
    bathrooms_total_integer: int | None = None
    living_area: int | None = None
    lot_size_square_feet: int | None = None
    year_built: int | None = None
    city: str | None = None
    state_or_province: str | None = None
    postal_code: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    public_remarks: str | None = None
    originating_system_name: str | None = None
    modification_timestamp: str | None = None
