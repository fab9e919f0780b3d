"""Tables of results as collectors keep them: one row of a result list per line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial

from engine.intake.craigslist.nodes import one_line
from engine.intake.craigslist.page import SOURCE
from engine.intake.craigslist.result_row import Origin, ResultRow, result_record
from engine.intake.document import Document, Parsed
from engine.intake.readings import area_of, bedrooms_of, content_hash, price_of, text_of
from engine.intake.record import Rejected, SourceRecord
from engine.intake.tables import csv_records, is_true

# What two collectors call the same columns: our word, then theirs.
_NAMINGS = (
    {
        **{"url": "url", "title": "title", "price": "price", "beds": "beds", "sqft": "sqft"},
        **{"place": "town", "shown_at": "date_time"},
    },
    {
        **{"url": "URL", "title": "post title", "price": "price", "beds": "number bedrooms"},
        **{"sqft": "sqft", "place": "neighborhood", "shown_at": "posted"},
    },
)


def read_table(document: Document) -> Iterator[Parsed]:
    """Every row of the table; refusals are those of `csv_records` and `result_record`."""
    readers = [
        (
            frozenset({naming["url"], naming["title"], naming["price"]}),
            partial(_record, naming, document),
        )
        for naming in _NAMINGS
    ]
    filename = document.url.rpartition("/")[2]
    return csv_records(document.content, source=SOURCE, filename=filename, readers=readers)


def _record(
    naming: Mapping[str, str], document: Document, cells: Mapping[str, str]
) -> SourceRecord | Rejected:
    said = {ours: cells.get(theirs) for ours, theirs in naming.items()}
    row = ResultRow(
        href=(said["url"] or "").strip(),
        title=one_line(said["title"] or ""),
        price=price_of(said["price"]),
        bedrooms=bedrooms_of(said["beds"]),
        area=area_of(said["sqft"]),
        place=place_of(said["place"]),
        shown_at=text_of(said["shown_at"]),
        is_sample=is_true(cells.get("is_sample")),
    )
    digest = content_hash(json.dumps(sorted(cells.items())).encode())
    origin = Origin(
        url=document.url,
        digest=digest,
        fetched_at=document.fetched_at,
        licence=document.licence,
    )
    return result_record(row, origin)


def place_of(text: str | None) -> str | None:
    """`Hutto` of ` (Hutto)`: free text, often an advertisement."""
    return one_line(text or "").strip("()").strip() or None
