"""RESO Data Dictionary 2.0 as far as it is read here: names of fields, values of lookups.

Nothing stands here that the official metadata does not have, and LOCAL_FIELDS has nothing
that it has: a test compares both with the published dictionary.
"""

from __future__ import annotations

import re

# What a listing is read from, all of the Property resource.
FIELDS = (
    "ListingKey",
    "ListingId",
    "StandardStatus",
    "ModificationTimestamp",
    "OriginatingSystemName",
    "PropertyType",
    "PropertySubType",
    "ListPrice",
    "PreviousListPrice",
    "LeaseAmountFrequency",
    "AssociationFee",
    "AssociationFeeFrequency",
    "BedroomsTotal",
    "BathroomsTotalInteger",
    "BathroomsFull",
    "BathroomsThreeQuarter",
    "BathroomsHalf",
    "BathroomsOneQuarter",
    "BathroomsPartial",
    "LivingArea",
    "LivingAreaUnits",
    "LotSizeSquareFeet",
    "LotSizeAcres",
    "LotSizeArea",
    "LotSizeUnits",
    "YearBuilt",
    "UnparsedAddress",
    "StreetNumber",
    "StreetNumberNumeric",
    "StreetDirPrefix",
    "StreetName",
    "StreetSuffix",
    "StreetSuffixModifier",
    "StreetDirSuffix",
    "UnitNumber",
    "City",
    "StateOrProvince",
    "PostalCode",
    "Latitude",
    "Longitude",
    "ParcelNumber",
    "SubdivisionName",
    "PublicRemarks",
    "PhotosCount",
    "DaysOnMarket",
    "OnMarketTimestamp",
    "OnMarketDate",
    "OriginalEntryTimestamp",
    "CloseDate",
    "ListingURL",
    "ListAgentFullName",
    "ListAgentFirstName",
    "ListAgentLastName",
    "ListAgentPreferredPhone",
    "ListAgentDirectPhone",
    "ListAgentEmail",
    "InternetEntireListingDisplayYN",
    "InternetAddressDisplayYN",
)
# Fields that servers carry beside the dictionary: the key's numeric form of dictionaries
# before 2.0, bathrooms as a decimal, MLS Grid's mark of what must be removed, and the
# sample world's mark of its own.
LOCAL_FIELDS = ("ListingKeyNumeric", "BathroomsTotalDecimal", "MlgCanView", "SampleYN")

KEY = "ListingKey"
MODIFIED = "ModificationTimestamp"
DELETE = "Delete"

# Values by the name of their lookup. StandardStatus is closed; a server may add to others.
LOOKUPS: dict[str, tuple[str, ...]] = {
    "StandardStatus": (
        "Active",
        "Active Under Contract",
        "Canceled",
        "Closed",
        "Coming Soon",
        "Delete",
        "Expired",
        "Hold",
        "Incomplete",
        "Pending",
        "Withdrawn",
    ),
    "PropertyType": (
        "Business Opportunity",
        "Commercial Lease",
        "Commercial Sale",
        "Farm",
        "Land",
        "Manufactured In Park",
        "Residential",
        "Residential Income",
        "Residential Lease",
    ),
    "PropertySubType": (
        "Agriculture",
        "Apartment",
        "Boat Slip",
        "Business",
        "Cabin",
        "Co-Ownership",
        "Condominium",
        "Deeded Parking",
        "Duplex",
        "Farm",
        "Hotel/Motel",
        "Industrial",
        "Manufactured Home",
        "Manufactured On Land",
        "Mixed Use",
        "Mobile Home",
        "Mobile Home Park",
        "Multi Family",
        "Office",
        "Own Your Own",
        "Quadruplex",
        "Ranch",
        "Retail",
        "Single Family Residence",
        "Stock Cooperative",
        "Tenancy in Common",
        "Timeshare",
        "Townhouse",
        "Triplex",
        "Unimproved Land",
        "Warehouse",
    ),
    "AreaUnits": ("Square Feet", "Square Meters"),
    "LotSizeUnits": ("Acres", "Square Feet", "Square Meters"),
    "FeeFrequency": (
        "Annually",
        "Bi-Monthly",
        "Bi-Weekly",
        "Daily",
        "Monthly",
        "One Time",
        "Quarterly",
        "Seasonal",
        "Semi-Annually",
        "Semi-Monthly",
        "Weekly",
    ),
}
# The lookup of each field that has one here.
LOOKUP_OF = {
    "StandardStatus": "StandardStatus",
    "PropertyType": "PropertyType",
    "PropertySubType": "PropertySubType",
    "LivingAreaUnits": "AreaUnits",
    "LotSizeUnits": "LotSizeUnits",
    "LeaseAmountFrequency": "FeeFrequency",
    "AssociationFeeFrequency": "FeeFrequency",
}

_NOT_LETTER_OR_DIGIT = re.compile(r"[^A-Za-z0-9]+")


def odata_name(value: str) -> str:
    """A lookup value as servers with enumerations write it: `ActiveUnderContract`."""
    words = _NOT_LETTER_OR_DIGIT.split(value)
    return "".join(word[:1].upper() + word[1:] for word in words)


_VALUES = {
    (lookup, odata_name(value).lower()): value
    for lookup, values in LOOKUPS.items()
    for value in values
}


def lookup_value(lookup: str, stated: str) -> str | None:
    """The dictionary's value for what a server states, in either writing; else None."""
    return _VALUES.get((lookup, _NOT_LETTER_OR_DIGIT.sub("", stated).lower()))
