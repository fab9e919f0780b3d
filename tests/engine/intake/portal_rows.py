"""Small rows of the portals' shapes, made by hand: what each test starts from."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

from engine.intake.document import Document, Parsed
from engine.intake.record import Rejected, SourceRecord

FETCHED_AT = "2026-05-01T12:00:00Z"

ZILLOW_RESULT: dict[str, Any] = {
    "zpid": "26000001",
    "price": "$525,000",
    "beds": 3,
    "baths": 2.0,
    "area": 1850,
    "latLong": {"latitude": 32.8, "longitude": -96.7},
    "statusType": "FOR_SALE",
    "statusText": "House for sale",
    "hdpData": {
        "homeInfo": {
            "zpid": 26000001,
            "streetAddress": "410 Sample Oak Ln APT 7",
            "zipcode": "75218",
            "city": "Dallas",
            "state": "TX",
            "latitude": 32.8,
            "longitude": -96.7,
            "price": 525000.0,
            "priceChange": -10000,
            "datePriceChanged": 1777500000000,
            "bathrooms": 2.0,
            "bedrooms": 3.0,
            "livingArea": 1850.0,
            "homeType": "SINGLE_FAMILY",
            "homeStatus": "FOR_SALE",
            "daysOnZillow": -1,
            "listing_sub_type": {"is_FSBA": True},
            "zestimate": 530100,
            "currency": "USD",
            "lotAreaValue": 0.25,
            "lotAreaUnit": "acres",
            "unit": "Apt 7",
        }
    },
    "detailUrl": "/homedetails/410-Sample-Oak-Ln/26000001_zpid/",
    "sgapt": "For Sale (Broker)",
    "timeOnZillow": 86400000,
    "info6String": "Ann Example DRE #01234567",
    "brokerName": "Example Realty",
}
ZILLOW_BUILDING: dict[str, Any] = {
    "zpid": "32.81--96.71",
    "id": "32.81--96.71",
    "statusType": "FOR_RENT",
    "address": "9 Example Way, Dallas, TX",
    "addressStreet": "9 Example Way # 9-203",
    "addressZipcode": "75218",
    "units": [
        {"price": "$1,995+", "beds": "1", "roomForRent": False},
        {"price": "$1,650+", "beds": "0", "roomForRent": False},
    ],
    "latLong": {"latitude": 32.81, "longitude": -96.71},
    "buildingName": "Example Flats",
    "isBuilding": True,
    "detailUrl": "/apartments/dallas-tx/example-flats/AbC/",
    "availabilityCount": 14,
}
ZILLOW_PROPERTY: dict[str, Any] = {
    "zpid": 26000002,
    "homeStatus": "FOR_SALE",
    "homeType": "CONDO",
    "price": 410000,
    "currency": "USD",
    "address": {
        "streetAddress": "12 Example Ct #3", "city": "Austin", "state": "TX", "zipcode": "78704",
    },
    "bedrooms": 2,
    "bathrooms": 2.5,
    "livingArea": 1100,
    "yearBuilt": 1999,
    "lotAreaValue": 3746,
    "lotAreaUnits": "Square Feet",
    "latitude": 30.25,
    "longitude": -97.75,
    "description": "A sample of a condo.",
    "daysOnZillow": 4,
    "datePostedString": "2026-04-27",
    "zestimate": 415000,
    "parcelId": "123-456",
    "hdpUrl": "/homedetails/x/26000002_zpid/",
    "contingentListingType": None,
    "listing_sub_type": {"is_FSBA": True, "is_FSBO": False, "is_pending": False},
    "resoFacts": {"parcelNumber": "123456", "lotSize": "3,746 sqft", "subdivisionName": "Oaks"},
    "attributionInfo": {
        "agentName": "Bea Example",
        "agentPhoneNumber": "(555) 555-0100",
        "agentEmail": "masked@example.com",
        "brokerName": "Example Realty",
        "brokerPhoneNumber": "512-555-0142",
        "mlsId": "MLS77",
        "lastUpdated": "2026-04-30 08:26:44",
    },
    "priceHistory": [{"date": "2026-04-27", "price": 999999, "event": "Listed for sale"}],
}  # fmt: skip
ZILLOW_BUILDING_PAGE: dict[str, Any] = {
    "lotId": 2734488485,
    "buildingName": "Example Flats",
    "address": {
        "streetAddress": "9 Example Way", "city": "Dallas", "state": "TX", "zipcode": "75218",
    },
    "latitude": 32.81,
    "longitude": -96.71,
    "description": "A sample of flats.",
    "buildingPhoneNumber": "214-555-0166",
    "bdpUrl": "/apartments/dallas-tx/example-flats/AbC/",
    "floorPlans": [
        {"name": "A1", "beds": 0, "baths": 1, "minPrice": 1650, "maxPrice": 1700, "units": [
            {"price": 1690, "sqft": 510}, {"price": 1650, "sqft": 505},
        ]},
        {"name": "B1", "beds": 2, "baths": 2, "minPrice": 2350, "maxPrice": 2350, "units": []},
    ],
    "ungroupedUnits": [],
}  # fmt: skip
REDFIN_SEARCH: dict[str, Any] = {
    "mlsId": {"label": "MLS#", "value": "2178444"},
    "mlsStatus": "Active",
    "price": {"value": 951115, "level": 1},
    "hoa": {"level": 1},
    "sqFt": {"value": 1570, "level": 1},
    "lotSize": {"value": 4900, "level": 1},
    "beds": 4,
    "baths": 2.5,
    "location": {"value": "Judkins", "level": 1},
    "latLong": {"value": {"latitude": 47.6, "longitude": -122.3}, "level": 1},
    "streetLine": {"value": "118 27th Ave S", "level": 1},
    "unitNumber": {"value": "Unit B", "level": 1},
    "city": "Seattle",
    "state": "WA",
    "postalCode": {"value": "98144", "level": 1},
    "uiPropertyType": 3,
    "yearBuilt": {"value": 1953, "level": 1},
    "dom": {"value": 1, "level": 1},
    "timeOnRedfin": {"value": 86400000, "level": 1},
    "soldDate": 967100400000,
    "listingBroker": {"name": "Example Realty"},
    "listingAgent": {"name": "Cy Example"},
    "url": "/WA/Seattle/118-27th-Ave-S-98144/home/143314",
    "listingRemarks": "A sample of a townhouse.",
}
REDFIN_SALE_PAGE: dict[str, Any] = {
    "address": "10 Example Way S #4, Seattle, WA 98168",
    "description": "A sample.",
    "price": "$649,950",
    "propertyUrl": "https://www.redfin.com/WA/Seattle/10-Example-Way-S-98168/home/186647",
    "details": ["Single-family", "Built in 1960, renovated in 2020", "0.5 acre lot",
                "$628 monthly HOA fee"],
    "features": {
        "Bedroom Information": ["# of Bedrooms: 4"],
        "Bathroom Information": [
            "# of Full Baths (Total): 1", "# of Three Quarter Baths (Total): 1",
            "# of Full Baths (Main): 1",
        ],
        "Listing Information": ["Mls Status: Pending"],
        "Listing Date Information": ["On Market Date: Thursday, November 9, 2023"],
        "Home Information": ["Living Area: 1,368", "Living Area Units: Square Feet"],
    },
}  # fmt: skip
REALTOR_RESULT: dict[str, Any] = {
    "property_id": "2544776377",
    "list_price": 1298000,
    "status": "for_sale",
    "source": {"id": "ABOR", "type": "mls", "listing_id": "426102503"},
    "permalink": "759-Example-Ave_Austin_TX_78704_M25447-76377",
    "price_reduced_amount": 50000,
    "description": {
        "beds": 5, "baths_consolidated": "3.5+", "sqft": 2037, "lot_sqft": 4299,
        "type": "single_family", "sub_type": None, "year_built": 1906,
        "sold_price": 845000, "sold_date": "2005-10-18",
    },
    "location": {"address": {
        "line": "759 Example Ave Apt 2", "postal_code": "78704", "state": "Texas",
        "state_code": "TX", "city": "Austin", "coordinate": {"lat": 30.25, "lon": -97.75},
    }},
    "branding": [{"type": "Office", "name": "Example Realty"}],
    "flags": {"is_pending": None, "is_contingent": None, "is_coming_soon": None},
    "list_date": "2026-02-26T21:26:02.000000Z",
    "advertisers": [{
        "type": "seller", "name": "Di Example", "email": "masked@example.com",
        "office": {"name": "Example Realty", "phones": [{"number": "5125550143"}]},
        "phones": [{"number": "(555) 555-0100"}, {"number": "5125550142"}],
    }],
}  # fmt: skip
FSBO_ROW: dict[str, Any] = {
    "id": "zl-411",
    "source": "zillow",
    "address": "62 Example Ave",
    "city": "Dallas",
    "state": "TX",
    "zip_code": "75218",
    "latitude": 32.8,
    "longitude": -96.7,
    "listing_type": "fsbo",
    "price": 430000,
    "beds": 4.0,
    "baths": 2.0,
    "sqft": 1776,
    "year_built": None,
    "property_type": "SINGLE_FAMILY",
    "dom": 36,
    "status": "active",
    "score": 21,
    "remarks": "Price cut: $30,000 (2/14). Price reduction: $30,000 (Feb 14). "
    "Non-owner occupied / vacant",
    "assessed_value": 443000,
    "price_cuts": 1,
    "last_price_cut_pct": -6.52,
    "last_price_cut_at": "2026-02-14T08:00:00Z",
    "last_seen_at": "2026-02-19T01:04:34.685199Z",
    "zillow_url": "https://www.zillow.com/homedetails/62-Example-Ave/411_zpid/",
}
LINKED_DATA: dict[str, Any] = {
    "@context": "https://schema.org",
    "@type": "RealEstateListing",
    "identifier": "fs-9",
    "url": "https://owners.example/homes/fs-9",
    "name": "Bungalow by owner",
    "description": "We built the porch ourselves.",
    "datePosted": "2026-04-20",
    "offers": {
        "@type": "Offer", "price": 389000, "priceCurrency": "USD",
        "availability": "https://schema.org/InStock",
        "seller": {"@type": "Person", "name": "Ed Example", "telephone": "+1 214 555 0150",
                   "email": "ed@example.com"},
    },
    "mainEntity": {
        "@type": "SingleFamilyResidence",
        "address": {"@type": "PostalAddress", "streetAddress": "5 Example Row Unit 2",
                    "addressLocality": "Dallas", "addressRegion": "Texas", "postalCode": "75214"},
        "geo": {"latitude": 32.81, "longitude": -96.75},
        "numberOfBedrooms": 3, "numberOfBathroomsTotal": 1.5,
        "floorSize": {"value": 1400, "unitCode": "FTK"},
        "lotSize": {"value": 0.5, "unitCode": "ACR"}, "yearBuilt": 1931,
    },
}  # fmt: skip


def changed(row: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A copy of the row with what stands at dotted paths replaced."""
    copy = deepcopy(row)
    for path, value in changes.items():
        *steps, last = path.split(".")
        holder = copy
        for step in steps:
            holder = holder[step]
        holder[last] = value
    return copy


def as_document(content: object, url: str = "https://x.example/feed") -> Document:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Document(url=url, content=body, fetched_at=FETCHED_AT, licence="licensed")


def the_record(parse: Callable[[Document], Iterator[Parsed]], content: object) -> SourceRecord:
    (record,) = parse(as_document(content))
    assert isinstance(record, SourceRecord), record
    return record


def the_refusal(parse: Callable[[Document], Iterator[Parsed]], content: object) -> Rejected:
    (rejected,) = parse(as_document(content))
    assert isinstance(rejected, Rejected), rejected
    return rejected
