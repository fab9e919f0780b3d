"""Redfin: daily JSON of homes for sale and sold, the site's own JSON, tables."""

from __future__ import annotations

from collections.abc import Iterator

from engine.intake.document import Document
from engine.intake.portal_document import in_utf8, shape_of
from engine.intake.portal_home import refused
from engine.intake.record import Rejected, SourceRecord
from engine.intake.redfin.site_json import json_records
from engine.intake.redfin.tables import table_records
from engine.intake.redfin.words import SOURCE

__all__ = ["parse"]


def parse(document: Document) -> Iterator[SourceRecord | Rejected]:
    """Records of one JSON document or table, known by its content alone.

    Reasons: `empty-page`, `broken-json`, `unknown-shape`, `not-a-row`, `no-id`, `no-place`,
    `floor-plans-only`, and those of `csv_records`. Never raises on any bytes.
    """
    document = in_utf8(document)
    match shape_of(document):
        case "nothing":
            return iter((refused(SOURCE, "empty-page", f"{document.url}: no content"),))
        case "page":
            detail = f"{document.url}: a page; only the site's JSON and tables are read"
            return iter((refused(SOURCE, "unknown-layout", detail),))
        case "json":
            return json_records(document)
        case "table":
            return table_records(document)
