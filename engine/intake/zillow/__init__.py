"""Zillow: tables of trackers and data sets, result lists, property pages, cards."""

from __future__ import annotations

from collections.abc import Iterator

from engine.intake.document import Document
from engine.intake.portal_document import in_utf8, shape_of
from engine.intake.portal_home import refused
from engine.intake.record import Rejected, SourceRecord
from engine.intake.zillow.pages import json_records, page_records
from engine.intake.zillow.tables import table_records
from engine.intake.zillow.words import SOURCE

__all__ = ["parse"]


def parse(document: Document) -> Iterator[SourceRecord | Rejected]:
    """Records of one page, result list or table, known by its content alone.

    Reasons: `empty-page`, `page-too-large`, `broken-json`, `unknown-shape`,
    `unknown-layout`, `blocked`, `not-a-row`, `no-id`, `no-place`, `broken-card`, and those
    of `csv_records`. Never raises on any bytes.
    """
    document = in_utf8(document)
    match shape_of(document):
        case "nothing":
            return iter((refused(SOURCE, "empty-page", f"{document.url}: no content"),))
        case "page":
            return page_records(document)
        case "json":
            return json_records(document)
        case "table":
            return table_records(document)
