"""What standing orders look at in a listing, without a database's search."""

from __future__ import annotations

import re

from engine.market.listing import Listing


def facts_of(listing: Listing) -> Listing:
    """What filters look at, without the text."""
    return Listing(
        sources=listing.sources,
        list_price=listing.list_price,
        property_type=listing.property_type,
        bedrooms_total=listing.bedrooms_total,
        living_area=listing.living_area,
        lot_size_square_feet=listing.lot_size_square_feet,
        year_built=listing.year_built,
        latitude=listing.latitude,
        longitude=listing.longitude,
    )


def _searched(listing: Listing) -> str:
    """What the search index is made of."""
    parts = (
        listing.property_sub_type,
        listing.property_type,
        listing.city,
        listing.postal_code,
        listing.public_remarks,
    )
    return " ".join(part for part in parts if part)


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def says(listing: Listing, text: str) -> bool:
    """Whether every word of `text` is in the listing; words as they stand, without stems."""
    return _words(text) <= _words(_searched(listing))
