"""A page of an owners' site: its facts are the JSON-LD that it carries for search engines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from selectolax.lexbor import LexborHTMLParser

from engine.intake.document import Document
from engine.intake.fsbo.linked_data import homes_in
from engine.intake.page_state import PAGE_BYTES_MAX, is_sample_page
from engine.intake.portal_home import PortalHome, record_of, refused
from engine.intake.record import Rejected, SourceRecord
from engine.intake.stated_json import BrokenJsonError, read_json

SCRIPTS_MAX = 200


def page_records(document: Document, *, source: str) -> Iterator[SourceRecord | Rejected]:
    page = document.content
    if len(page) > PAGE_BYTES_MAX:
        detail = f"{document.url}: {len(page)} bytes, at most {PAGE_BYTES_MAX}"
        yield refused(source, "page-too-large", detail)
        return
    homes = homes_in(_linked_data(page), source)
    if not homes:
        detail = f"{document.url}: no home in the page's linked data"
        yield refused(source, "unknown-layout", detail)
        return
    for home in homes:
        yield record_of(_marked(home, page), document)


def _linked_data(page: bytes) -> list[Any]:
    """The values of the page's JSON-LD scripts; a broken one is passed over."""
    values = []
    for script in LexborHTMLParser(page).css('script[type="application/ld+json"]')[:SCRIPTS_MAX]:
        try:
            values.append(read_json(script.text()))
        except BrokenJsonError:
            # Other scripts of the page may still say everything; without any the page
            # is refused as a whole.
            continue
    return values


def _marked(home: PortalHome, page: bytes) -> PortalHome:
    return msgspec.structs.replace(home, is_sample=True) if is_sample_page(page) else home
