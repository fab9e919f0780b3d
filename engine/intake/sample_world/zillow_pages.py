"""Zillow in the sample world: tables, result pages and property pages, each for its share.

Result pages say less than tables: no text and no year, as on the site.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from engine.intake.sample_world.page_frame import framed
from engine.intake.sample_world.seen import Seen
from engine.intake.sample_world.table_files import Rendered, zillow_tables

ROWS_PER_PAGE = 40

_TYPES = {
    "Apartment": "APARTMENT",
    "Single Family Residence": "SINGLE_FAMILY",
    "Townhouse": "TOWNHOUSE",
    "Condominium": "CONDO",
    "Duplex": "DUPLEX",
    "Manufactured Home": "MANUFACTURED",
}
_MILLISECONDS_PER_DAY = 86_400_000
_STATUSES = {"Pending": "PENDING", "Closed": "SOLD", "Withdrawn": "OTHER"}
# Of seven homes one has a page of its own, two are on result pages, four in tables.
_SHARES = 7


def zillow_documents(
    sightings: Iterable[Seen], *, market: str, as_of: datetime, part: int
) -> Iterator[Rendered]:
    """The documents of one market's sightings; each sighting is in one of them."""
    found = list(sightings)
    share = {seen.source_id: int(seen.source_id) % _SHARES for seen in found}
    tables = (seen for seen in found if share[seen.source_id] >= 3)
    yield from zillow_tables(tables, market=market, as_of=as_of, part=part)
    shown = [seen for seen in found if 1 <= share[seen.source_id] < 3]
    for first in range(0, len(shown), ROWS_PER_PAGE):
        page = _result_page(shown[first : first + ROWS_PER_PAGE], market)
        yield f"{market}_search_{part:04d}_{first // ROWS_PER_PAGE:04d}.html", "text/html", page
    for seen in found:
        if share[seen.source_id] == 0:
            yield f"{market}_home_{seen.source_id}.html", "text/html", _home_page(seen, as_of)


def _result_page(shown: list[Seen], market: str) -> bytes:
    rows = [_result(seen) for seen in shown]
    state = {"searchPageState": {"cat1": {"searchResults": {"listResults": rows}}}}
    return _page(f"Homes in {market}", state)


def _home_page(seen: Seen, as_of: datetime) -> bytes:
    cache = json.dumps(
        {"ForSaleShopperPlatformFullRenderQuery{}": {"property": _home(seen, as_of)}}
    )
    return _page(seen.title, {"componentProps": {"gdpClientCache": cache}})


def _page(title: str, page_props: dict[str, Any]) -> bytes:
    state = {"props": {"pageProps": page_props}}
    return framed(title, state, script='id="__NEXT_DATA__" type="application/json"')


def _result(seen: Seen) -> dict[str, Any]:
    price = None if seen.price is None else f"${seen.price:,}{'/mo' if seen.for_rent else ''}"
    address = ", ".join(part for part in (seen.street_line, seen.city, seen.state) if part)
    return {
        "zpid": seen.source_id,
        "statusType": _status(seen),
        "price": price,
        "unformattedPrice": seen.price,
        "address": f"{address} {seen.postal_code or ''}".strip(),
        "latLong": _point(seen),
        "detailUrl": _url(seen),
        "timeOnZillow": seen.posted_days_ago * _MILLISECONDS_PER_DAY,
        "is_sample": True,
        "hdpData": {"homeInfo": _home_info(seen)},
        "attributionInfo": _attribution(seen),
    }


def _home_info(seen: Seen) -> dict[str, Any]:
    stated = {
        "zpid": seen.source_id,
        "streetAddress": seen.street_line,
        "zipcode": seen.postal_code,
        "city": seen.city,
        "state": seen.state,
        "price": seen.price,
        "bathrooms": seen.bathrooms,
        "bedrooms": seen.bedrooms,
        "livingArea": seen.living_area,
        "homeType": _TYPES[seen.sub_type] if seen.sub_type else None,
        "homeStatus": _status(seen),
        "listing_sub_type": _lister_flags(seen),
        "lotAreaValue": seen.lot_square_feet,
        "lotAreaUnit": None if seen.lot_square_feet is None else "sqft",
        "priceChange": _price_change(seen),
        **_point(seen),
    }
    return {key: cell for key, cell in stated.items() if cell is not None}


def _home(seen: Seen, as_of: datetime) -> dict[str, Any]:
    posted = as_of - timedelta(days=seen.posted_days_ago)
    return {
        **_home_info(seen),
        "lotAreaUnits": "Square Feet",
        "yearBuilt": seen.year_built,
        "description": seen.remarks,
        "datePostedString": f"{posted:%Y-%m-%d}",
        "parcelId": seen.parcel_number,
        "hdpUrl": _url(seen),
        "is_sample": True,
        "attributionInfo": _attribution(seen) | {"mlsId": seen.listing_id},
    }


def _status(seen: Seen) -> str:
    return _STATUSES.get(seen.status) or ("FOR_RENT" if seen.for_rent else "FOR_SALE")


def _lister_flags(seen: Seen) -> dict[str, bool]:
    return {"is_FSBO": True} if seen.by_owner else {}


def _price_change(seen: Seen) -> int | None:
    if seen.price is None or seen.previous_price is None:
        return None
    return seen.price - seen.previous_price


def _attribution(seen: Seen) -> dict[str, str | None]:
    person = seen.person
    if person is None:
        return {}
    return {
        "agentName": person.name,
        "agentPhoneNumber": person.phone,
        "agentEmail": person.email,
    }


def _point(seen: Seen) -> dict[str, float]:
    if seen.latitude is None or seen.longitude is None:
        return {}
    return {"latitude": seen.latitude, "longitude": seen.longitude}


def _url(seen: Seen) -> str:
    return f"https://portal-z.sample.example/homedetails/{seen.source_id}_zpid/"
