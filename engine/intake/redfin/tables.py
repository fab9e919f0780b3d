"""Tables of Redfin homes: rentals of a scrape, the site's own download."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from engine.intake.document import Document
from engine.intake.home_place import place_in_line
from engine.intake.portal_home import PortalHome, record_of
from engine.intake.readings import coordinates_of, moment_of, postal_code_of, text_of
from engine.intake.record import Rejected, SourceRecord
from engine.intake.redfin.site_json import tracker_home
from engine.intake.redfin.words import SOURCE, page_url
from engine.intake.stated_price import stated_price
from engine.intake.tables import Row, csv_records, is_true

_APARTMENT = re.compile(r"/apartment/\d")
_RENTAL_COLUMNS = frozenset(
    {"id", "address", "zip_code", "rent", "listing_url", "geocoded_lat", "geocoded_lon"}
)
# The site's download, by the tracker's names of the same things.
_DOWNLOAD_NAMES = {
    "ADDRESS": "address",
    "CITY": "city",
    "STATE OR PROVINCE": "state",
    "ZIP OR POSTAL CODE": "zip",
    "PRICE": "price_usd",
    "BEDS": "beds",
    "BATHS": "baths",
    "SQUARE FEET": "sqft",
    "LOT SIZE": "lot_size_sqft",
    "YEAR BUILT": "year_built",
    "DAYS ON MARKET": "days_on_market",
    "HOA/MONTH": "hoa_per_month_usd",
    "PROPERTY TYPE": "property_type",
    "STATUS": "status",
    "LOCATION": "mls_subdivision",
    "SOLD DATE": "sold_date",
    "MLS#": "mls_number",
    "LATITUDE": "lat",
    "LONGITUDE": "lng",
}
_DOWNLOAD_COLUMNS = frozenset({"ADDRESS", "ZIP OR POSTAL CODE", "PRICE", "STATUS", "MLS#"})


def table_records(document: Document) -> Iterator[SourceRecord | Rejected]:
    """Records of one CSV table. Reasons beside those of `csv_records`: `no-id`, `no-place`."""

    def rental(row: Row) -> SourceRecord | Rejected:
        return record_of(_rental_home(row), document)

    def download(row: Row) -> SourceRecord | Rejected:
        named = {_DOWNLOAD_NAMES.get(name, name): cell for name, cell in row.items()}
        # The column's head is a whole sentence that begins with the word URL.
        named["url"] = next((cell for name, cell in row.items() if name.startswith("URL")), "")
        return record_of(tracker_home(named, None), document)

    return csv_records(
        document.content,
        source=SOURCE,
        filename=document.url,
        readers=((_RENTAL_COLUMNS, rental), (_DOWNLOAD_COLUMNS, download)),
    )


def _rental_home(row: Row) -> PortalHome:
    # `latitude`/`longitude` are one centre point shared by hundreds of rows: they tell
    # the market, not the home.
    area_latitude, area_longitude = coordinates_of(row.get("latitude"), row.get("longitude"))
    place, building = place_in_line(
        row["address"], latitude=row["geocoded_lat"], longitude=row["geocoded_lon"]
    )
    postal_code = postal_code_of(row["zip_code"]) or place.postal_code
    words, url = text_of(row.get("property_type")), page_url(row["listing_url"])
    if words is None and url and _APARTMENT.search(url):
        words = "apartment"
    return PortalHome(
        source=SOURCE,
        raw=row,
        source_id=row["id"],
        place=msgspec.structs.replace(place, postal_code=postal_code),
        price=stated_price(row["rent"]),
        status="Active",
        kind=words,
        for_rent=True,
        bedrooms=row.get("bedrooms"),
        bathrooms=row.get("bathrooms"),
        living_area=row.get("sqft"),
        title=building,
        remarks=row.get("description"),
        seen=moment_of(row.get("scraped_at")),
        name=row.get("contact_name"),
        phone=row.get("contact_phone"),
        email=row.get("contact_email"),
        url=url,
        is_sample=is_true(row.get("is_sample")),
        extra={"area_latitude": area_latitude, "area_longitude": area_longitude},
    )
