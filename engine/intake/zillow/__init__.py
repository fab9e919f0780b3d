"""Zillow: tables of trackers and data sets, result lists, property pages, cards."""

from __future__ import annotations

from collections.abc import Iterator

from engine.intake.document import Document
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
    start = document.content[:1024].removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start:
        return iter((refused(SOURCE, "empty-page", f"{document.url}: no content"),))
    if start.startswith(b"<"):
        return page_records(document)
    if start.startswith((b"{", b"[")):
        return json_records(document)
    return table_records(document)
