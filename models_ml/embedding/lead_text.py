"""The text of a lead that is embedded: one function for training and for serving.

Attributes come first, in rounded words, so that a long description cuts none of them off and
a small change of price needs no new vector. Of the masked remarks those sentences stay that
tell of the home: what tells of people, schools or crime would draw leads together by who
lives there. Place is left to the map: no city, no postal code.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from typing import Final

from engine.intake.mask import MASK
from engine.market.fair_housing import inputs
from engine.market.fair_housing_text import refused_text
from engine.market.listing import Listing

SCHEMA: Final = 1
"""Goes up when the text of a lead is made in another way."""
NAMES: Final = (
    "property_type",
    "property_sub_type",
    "bedrooms_total",
    "bathrooms_total_integer",
    "living_area",
    "lot_size_square_feet",
    "year_built",
    "list_price",
    "public_remarks",
)
inputs("embedding", NAMES)

REMARKS_LENGTH_MAX: Final = 1_200
"""Characters; more than the encoder reads."""
_SENTENCE_END = re.compile(r"(?<=[.!?;])\s+|\n+|\s+[-*•|]\s+")
_SPACE = re.compile(r"\s+")
_SQUARE_FEET_STEP = 250
_ACRE_SQUARE_FEET = 43_560
# Square feet, upper ends.
_LOTS = (5_000, 8_000, 12_000, 21_780, _ACRE_SQUARE_FEET, 5 * _ACRE_SQUARE_FEET)
_LOT_WORDS = (
    "very small lot",
    "small lot",
    "medium lot",
    "large lot",
    "lot of half an acre or more",
    "lot of over an acre",
    "acreage",
)
# USD, upper ends; of a sale, and of a month's rent.
_SALE_PRICES = (100_000, 200_000, 300_000, 400_000, 500_000, 650_000, 850_000, 1_200_000, 2_000_000)
_RENTS = (800, 1_200, 1_600, 2_000, 2_500, 3_200, 4_500)


def text_of(listing: Listing) -> str:
    """Of a listing as anyone may see it; a lead that says nothing has a short text too."""
    told = ", ".join(_attributes(listing))
    remarks = _about_the_home(listing.public_remarks or "")
    return f"{told}. {remarks}" if remarks else f"{told}."


def digest_of(text: str) -> str:
    """Differs when a lead must be embedded again, 32 hexadecimal digits."""
    return hashlib.blake2b(f"{SCHEMA}\n{text}".encode(), digest_size=16).hexdigest()


def _attributes(listing: Listing) -> list[str]:
    is_lease = (listing.property_type or "").lower().endswith("lease")
    kind = listing.property_sub_type or listing.property_type or "property"
    found = [f"{kind.lower()} for {'rent' if is_lease else 'sale'}"]
    if listing.bedrooms_total is not None:
        found.append(_counted(listing.bedrooms_total, "bedroom") or "studio")
    bathrooms = _counted(listing.bathrooms_total_integer or 0, "bathroom")
    if bathrooms:
        found.append(bathrooms)
    if listing.living_area:
        steps = max(1, round(listing.living_area / _SQUARE_FEET_STEP))
        found.append(f"about {steps * _SQUARE_FEET_STEP} square feet")
    if listing.lot_size_square_feet:
        found.append(_LOT_WORDS[bisect_right(_LOTS, listing.lot_size_square_feet)])
    if listing.year_built:
        found.append(f"built in the {listing.year_built // 10 * 10}s")
    if listing.list_price:
        found.append(_price(listing.list_price, _RENTS if is_lease else _SALE_PRICES, is_lease))
    return found


def _counted(number: int, noun: str) -> str:
    return "" if number <= 0 else f"{number} {noun}" + ("s" if number > 1 else "")


def _price(price: int, ends: tuple[int, ...], is_lease: bool) -> str:
    band = bisect_right(ends, price)
    ending = " dollars a month" if is_lease else " dollars"
    if band == 0:
        return f"under {ends[0]}{ending}"
    if band == len(ends):
        return f"over {ends[-1]}{ending}"
    return f"{ends[band - 1]} to {ends[band]}{ending}"


def _about_the_home(remarks: str) -> str:
    plain = remarks[:REMARKS_LENGTH_MAX].replace(MASK, " ")
    sentences = (_SPACE.sub(" ", part).strip() for part in _SENTENCE_END.split(plain))
    return " ".join(each for each in sentences if each and refused_text(each) is None)
