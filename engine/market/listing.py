"""What is publicly known of a lead: the masked, rounded part that anyone signed in may see."""

from __future__ import annotations

import msgspec


class QualityParts(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """What the quality is made of, each part in [0, 1]; `agreement` is None while only one
    record tells of the lead.

    They are told to the market, for prices, and to nobody else: a contactability shown beside
    the teaser would tell which of a lead's contacts are known before anyone has paid.
    """

    completeness: float = 0.0
    freshness: float = 0.0
    contactability: float = 0.0
    agreement: float | None = None
    motivation: float = 0.0


class Listing(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """The public facts of one lead, RESO Data Dictionary names in snake_case.

    `public_remarks` is masked already and `latitude`/`longitude` (degrees) are already
    rounded to about 200 m: whoever builds a Listing holds the unmasked text, the book
    never does. `list_price` is whole USD, areas are square feet, `modification_timestamp`
    is RFC 3339 UTC. `quality_parts` goes with the listing into commands and the journal, but
    is no public fact: PUBLIC_FACTS are those that are shown. None in what was journalled
    before it was known.
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
    quality_parts: QualityParts | None = None


# What may be shown of a listing, in its order.
PUBLIC_FACTS = tuple(name for name in Listing.__struct_fields__ if name != "quality_parts")
