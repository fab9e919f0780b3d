"""Pages and JSON of the site: result lists, properties, and cards where there is neither."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from selectolax.lexbor import LexborHTMLParser

from engine.intake.document import Document
from engine.intake.page_state import NEXT_DATA, PAGE_BYTES_MAX, script_text
from engine.intake.portal_home import record_of, refused
from engine.intake.readings import text_of
from engine.intake.record import Rejected, SourceRecord
from engine.intake.stated_json import BrokenJsonError, cell_in, list_in, object_in, read_json
from engine.intake.zillow.buildings import homes_of_building, is_building
from engine.intake.zillow.cards import card_records
from engine.intake.zillow.details import home_of_property, is_property
from engine.intake.zillow.results import homes_of_result, is_result
from engine.intake.zillow.words import SOURCE

_PRELOADED = b"hdpApolloPreloadedData"
_BLOCK_MARKS = (b"px-captcha", b"Press &amp; Hold", b"Access to this page has been denied")
_RESULT_LISTS = ("listResults", "mapResults", "relaxedResults")
_BUILDING_PATH = ("componentProps", "initialReduxState", "gdp", "building")
_CATEGORIES = ("cat1", "cat2")


def page_records(document: Document) -> Iterator[SourceRecord | Rejected]:
    """Records of an HTML page, from its data where it has any, else from its cards."""
    page = document.content
    if len(page) > PAGE_BYTES_MAX:
        detail = f"{document.url}: {len(page)} bytes, at most {PAGE_BYTES_MAX}"
        yield refused(SOURCE, "page-too-large", detail)
        return
    for marker in (NEXT_DATA, _PRELOADED):
        state = script_text(page, marker)
        if state is not None:
            yield from _state_records(state, document)
            return
    found = False
    for record in card_records(LexborHTMLParser(page), document):
        found = True
        yield record
    if not found:
        yield _without_homes(document)


def json_records(document: Document) -> Iterator[SourceRecord | Rejected]:
    """Records of a JSON document: a list of rows, one row, or a page's data."""
    yield from _state_records(document.content, document)


def _state_records(state: bytes, document: Document) -> Iterator[SourceRecord | Rejected]:
    try:
        value = read_json(state)
    except BrokenJsonError as error:
        yield refused(SOURCE, "broken-json", f"{document.url}: {error}")
        return
    rows = _rows(value)
    if rows is None:
        detail = f"{document.url}: neither a result list nor a property"
        yield refused(SOURCE, "unknown-shape", detail)
        return
    for number, row in enumerate(rows):
        yield from _row_records(row, number, document)


def _row_records(row: object, number: int, document: Document) -> Iterator[SourceRecord | Rejected]:
    if not isinstance(row, dict):
        yield refused(SOURCE, "not-a-row", f"{document.url}: row {number} is no object")
    elif is_result(row):
        for home in homes_of_result(row, document):
            yield record_of(home, document)
    elif is_building(row):
        for home in homes_of_building(row):
            yield record_of(home, document)
    elif is_property(row):
        yield record_of(home_of_property(row), document)
    else:
        keys = ", ".join(list(row)[:10])
        detail = f"{document.url}: row {number} is neither a result nor a property: {keys}"
        yield refused(SOURCE, "unknown-shape", detail)


def _rows(value: object) -> list[Any] | None:
    """The rows of what is known to hold rows, None of anything else."""
    if isinstance(value, list):
        return value
    if not isinstance(value, dict):
        return None
    page = object_in(value, "props", "pageProps") or object_in(value, "data") or value
    state = object_in(page, "searchPageState") or page
    results = [object_in(state, each, "searchResults") for each in _CATEGORIES]
    results.append(object_in(state, "searchResults"))
    if any(any(name in each for name in _RESULT_LISTS) for each in results):
        return _listed_once(results)
    building = object_in(page, *_BUILDING_PATH) or object_in(page, "building")
    if is_building(building):
        return [building]
    properties = _properties(page)
    if properties:
        return properties
    return [value] if is_result(value) or is_building(value) or is_property(value) else None


def _listed_once(results: list[dict[str, Any]]) -> list[Any]:
    """Every row of the lists; the map repeats what the list shows."""
    rows: list[Any] = []
    known: set[str] = set()
    for found in results:
        for name in _RESULT_LISTS:
            for row in list_in(found, name):
                key = _id_of(row) or f"row {len(rows)}"
                if key not in known:
                    known.add(key)
                    rows.append(row)
    return rows


def _id_of(row: object) -> str | None:
    return text_of(cell_in(row, "zpid")) or text_of(cell_in(row, "buildingId"))


def _properties(page: dict[str, Any]) -> list[Any]:
    """The properties of a page's data: plain, or in a cache that is JSON text in JSON."""
    plain = object_in(page, "property") or object_in(page, "componentProps", "property")
    if plain:
        return [plain]
    for cell in (
        cell_in(page, "componentProps", "gdpClientCache"),
        cell_in(page, "gdpClientCache"),
        cell_in(page, "apiCache"),
    ):
        found = _cached(cell)
        if found:
            return found
    return []


def _cached(cell: object) -> list[Any]:
    if isinstance(cell, str):
        try:
            cell = read_json(cell)
        except BrokenJsonError:
            return []
    cache = cell if isinstance(cell, dict) else {}
    found = [object_in(entry, "property") for entry in cache.values()]
    # A page asks for its property more than once, with more or fewer of its fields.
    fullest = {_id_of(each): each for each in sorted(found, key=len) if "zpid" in each}
    return list(fullest.values())


def _without_homes(document: Document) -> Rejected:
    if any(mark in document.content for mark in _BLOCK_MARKS):
        detail = f"{document.url}: the site asks for proof of being human"
        return refused(SOURCE, "blocked", detail)
    detail = f"{document.url}: no page data and no property cards"
    return refused(SOURCE, "unknown-layout", detail)
