"""What sources call a kind of property, in RESO Data Dictionary 2.0 lookup values."""

from __future__ import annotations

import re

RESIDENTIAL = "Residential"
RESIDENTIAL_LEASE = "Residential Lease"
RESIDENTIAL_INCOME = "Residential Income"
LAND = "Land"
FARM = "Farm"

# Keys are the source's words in lower case without spaces and punctuation.
_SUB_TYPES = {
    "apartment": "Apartment",
    "house": "Single Family Residence",
    "singlefamily": "Single Family Residence",
    "singlefamilyresidential": "Single Family Residence",
    "singlefamilyresidence": "Single Family Residence",
    "condo": "Condominium",
    "condominium": "Condominium",
    "condocoop": "Condominium",
    "condos": "Condominium",
    "townhouse": "Townhouse",
    "townhome": "Townhouse",
    "townhomes": "Townhouse",
    "manufactured": "Manufactured Home",
    "manufacturedhome": "Manufactured Home",
    "mobile": "Manufactured Home",
    "mobilemanufacturedhome": "Manufactured Home",
    "duplex": "Duplex",
    "triplex": "Triplex",
    "fourplex": "Quadruplex",
    "quadruplex": "Quadruplex",
    "cottagecabin": "Cabin",
    "cabin": "Cabin",
    "multifamily": "Multi Family",
    "multifamily24unit": "Multi Family",
    "multifamily5unit": "Multi Family",
    "coop": "Stock Cooperative",
    "cooperative": "Stock Cooperative",
    "timeshare": "Timeshare",
}
_LAND_WORDS = frozenset({"land", "lot", "lotland", "vacantland", "lotsland", "lots"})
_FARM_WORDS = frozenset({"farm", "farmranch", "farmsranches", "ranch"})
_INCOME_SUB_TYPES = frozenset({"Duplex", "Triplex", "Quadruplex", "Multi Family"})
_NOT_LETTER_OR_DIGIT = re.compile(r"[^a-z0-9]+")


def property_kind(words: str | None, *, for_rent: bool) -> tuple[str, str | None]:
    """(property_type, property_sub_type) of a source's words for it.

    Words that no lookup value stands for leave the sub type None; the type then says
    only whether it is for rent or for sale.
    """
    key = _NOT_LETTER_OR_DIGIT.sub("", (words or "").lower())
    if key in _LAND_WORDS:
        return LAND, None
    if key in _FARM_WORDS:
        return FARM, None
    sub_type = _SUB_TYPES.get(key)
    if for_rent:
        return RESIDENTIAL_LEASE, sub_type
    return (RESIDENTIAL_INCOME if sub_type in _INCOME_SUB_TYPES else RESIDENTIAL), sub_type


def is_known_sub_type_word(words: str) -> bool:
    return _NOT_LETTER_OR_DIGIT.sub("", words.lower()) in _SUB_TYPES
