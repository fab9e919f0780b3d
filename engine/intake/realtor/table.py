"""A table of listings with the place only in the page's address, as data sets carry it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from engine.intake.document import Document
from engine.intake.home_place import place_of
from engine.intake.listing_status import standing
from engine.intake.portal_home import PortalHome, record_of
from engine.intake.readings import text_of
from engine.intake.realtor.words import SOURCE, page_url, slug_of
from engine.intake.record import FieldNote, Rejected, SourceRecord
from engine.intake.stated_price import stated_price
from engine.intake.tables import Row, csv_records, is_true

# Hyphens of an address of a page stand for spaces and for hyphens alike.
FROM_URL = FieldNote("from-url", 0.9)
LOST_CHARACTERS = FieldNote("lost-characters", 0.8)

_COLUMNS = frozenset({"url", "status", "id", "listPrice", "beds", "text", "type"})
_LOST = re.compile(r"\w\?\?\w")


def table_records(document: Document) -> Iterator[SourceRecord | Rejected]:
    """Records of one CSV table. Reasons beside those of `csv_records`: `no-id`, `no-place`."""

    def listing(row: Row) -> SourceRecord | Rejected:
        return record_of(_home(row), document)

    return csv_records(
        document.content, source=SOURCE, filename=document.url, readers=((_COLUMNS, listing),)
    )


def _home(row: Row) -> PortalHome:
    slug, remarks = slug_of(row["url"]), text_of(row["text"])
    status, note = standing(row["status"])
    return PortalHome(
        source=SOURCE,
        raw=row,
        source_id=text_of(row["id"]) or (slug.home_id if slug else None),
        place=place_of(
            street=slug.street if slug else None,
            city=slug.city if slug else None,
            state=slug.state if slug else None,
            postal_code=slug.postal_code if slug else None,
        ),
        price=stated_price(row["listPrice"]),
        status=status,
        kind=text_of(row.get("sub_type")) or row["type"],
        for_rent=(text_of(row["status"]) or "").lower() == "for_rent",
        bedrooms=row["beds"],
        bathrooms=row.get("baths"),
        living_area=row.get("sqft"),
        year_built=row.get("year_built"),
        remarks=remarks,
        url=page_url(row["url"]),
        is_sample=is_true(row.get("is_sample")),
        notes={
            "standard_status": note,
            "street_address": FROM_URL if slug and slug.street else None,
            "remarks": LOST_CHARACTERS if remarks and _LOST.search(remarks) else None,
        },
    )
