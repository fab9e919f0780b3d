"""Rows of Realtor.com's JSON: results of a search and whole properties alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from engine.intake.document import Document
from engine.intake.page_state import NEXT_DATA, PAGE_BYTES_MAX, script_text
from engine.intake.portal_home import record_of, refused
from engine.intake.realtor.homes import home_of_row, is_home
from engine.intake.realtor.words import SOURCE
from engine.intake.record import Rejected, SourceRecord
from engine.intake.stated_json import BrokenJsonError, cell_in, object_in, read_json

# Where the site's own answers and pages keep the results.
_RESULT_PATHS = (
    ("data", "home_search", "results"),
    ("data", "home_search", "properties"),
    ("home_search", "results"),
    ("searchResults", "home_search", "results"),
    ("searchResults", "home_search", "properties"),
    ("properties",),
    ("results",),
)
_PROPERTY_PATHS = (
    ("initialReduxState", "propertyDetails"),
    ("property",),
    ("data", "home"),
    ("data", "property"),
)


def page_records(document: Document) -> Iterator[SourceRecord | Rejected]:
    """Records of the data that a page carries for its scripts."""
    page = document.content
    if len(page) > PAGE_BYTES_MAX:
        detail = f"{document.url}: {len(page)} bytes, at most {PAGE_BYTES_MAX}"
        yield refused(SOURCE, "page-too-large", detail)
        return
    state = script_text(page, NEXT_DATA)
    if state is None:
        yield refused(SOURCE, "unknown-layout", f"{document.url}: no page data")
        return
    yield from _state_records(state, document)


def json_records(document: Document) -> Iterator[SourceRecord | Rejected]:
    yield from _state_records(document.content, document)


def _state_records(state: bytes, document: Document) -> Iterator[SourceRecord | Rejected]:
    try:
        value = read_json(state)
    except BrokenJsonError as error:
        yield refused(SOURCE, "broken-json", f"{document.url}: {error}")
        return
    if _is_address_feed(value):
        detail = f"{document.url}: {len(value)} addresses of pages and no facts of homes"
        yield refused(SOURCE, "addresses-only", detail)
        return
    rows = _rows(value)
    if rows is None:
        detail = f"{document.url}: neither a result list nor a property"
        yield refused(SOURCE, "unknown-shape", detail)
        return
    for number, row in enumerate(rows):
        yield _record(row, number, document)


def _record(row: object, number: int, document: Document) -> SourceRecord | Rejected:
    if not isinstance(row, dict):
        return refused(SOURCE, "not-a-row", f"{document.url}: row {number} is no object")
    if not is_home(row):
        keys = ", ".join(list(row)[:10])
        detail = f"{document.url}: row {number} is no home: {keys}"
        return refused(SOURCE, "unknown-shape", detail)
    return record_of(home_of_row(row), document)


def _rows(value: object) -> list[Any] | None:
    if isinstance(value, list):
        return value
    if not isinstance(value, dict):
        return None
    if is_home(value):
        return [value]
    page = object_in(value, "props", "pageProps") or value
    for path in _RESULT_PATHS:
        found = cell_in(page, *path)
        if isinstance(found, list):
            return found
    homes = (object_in(page, *path) for path in _PROPERTY_PATHS)
    return next(([home] for home in homes if is_home(home)), None)


def _is_address_feed(value: object) -> bool:
    """Whether the document maps addresses of pages to times, as a site map does."""
    return (
        isinstance(value, dict)
        and bool(value)
        and all(key.startswith("http") and isinstance(cell, str) for key, cell in value.items())
    )
