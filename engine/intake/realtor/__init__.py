"""Realtor.com: result lists in the forms of several years, details, a table of Texas."""

from __future__ import annotations

from collections.abc import Iterator

from engine.intake.document import Document
from engine.intake.portal_document import in_utf8, shape_of
from engine.intake.portal_home import refused
from engine.intake.realtor.rows import json_records, page_records
from engine.intake.realtor.table import table_records
from engine.intake.realtor.words import SOURCE
from engine.intake.record import Rejected, SourceRecord

__all__ = ["parse"]


def parse(document: Document) -> Iterator[SourceRecord | Rejected]:
    """Records of one result list, property or table, known by its content alone.

    A feed that maps addresses of pages to times of change has no home in it: it is
    Rejected once as `addresses-only`, so that it counts as read and not as empty. Other
    reasons: `empty-page`, `page-too-large`, `broken-json`, `unknown-shape`,
    `unknown-layout`, `not-a-row`, `no-id`, `no-place`, and those of `csv_records`. Never
    raises on any bytes.
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
