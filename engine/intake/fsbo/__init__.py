"""Homes for sale by their owners: trackers' JSON, and pages of owners' sites."""

from __future__ import annotations

from collections.abc import Iterator

from engine.intake.document import Document
from engine.intake.fsbo.pages import page_records
from engine.intake.fsbo.tracker import tracker_records
from engine.intake.portal_document import in_utf8, shape_of
from engine.intake.portal_home import refused
from engine.intake.record import Rejected, SourceRecord

SOURCE = "fsbo"

__all__ = ["SOURCE", "parse"]


def parse(document: Document) -> Iterator[SourceRecord | Rejected]:
    """Records of one page or tracker's list, known by its content alone.

    Reasons: `empty-page`, `page-too-large`, `broken-json`, `unknown-shape`,
    `unknown-layout`, `not-a-row`, `no-id`, `no-place`. Never raises on any bytes.
    """
    document = in_utf8(document)
    match shape_of(document):
        case "nothing":
            return iter((refused(SOURCE, "empty-page", f"{document.url}: no content"),))
        case "page":
            return page_records(document, source=SOURCE)
        case _:
            return tracker_records(document, source=SOURCE)
