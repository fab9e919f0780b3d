"""Any Marketplace document: rows of a search, a listing's data, or a page that carries it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from selectolax.lexbor import LexborHTMLParser

from engine.intake.charset import decoded
from engine.intake.document import Document, Parsed
from engine.intake.facebook.listing import SOURCE, is_listing, read_listing
from engine.intake.page_state import is_sample_page
from engine.intake.readings import content_hash
from engine.intake.record import Rejected
from engine.intake.stated_json import BrokenJsonError, read_json

DOCUMENT_BYTES_MAX = 16 * 1024 * 1024
LISTINGS_MAX = 10_000
_VALUES_MAX = 2_000_000


def parse(document: Document) -> Iterator[Parsed]:
    """A record of each listing that is property, each listing once.

    Documents are refused as `empty-document`, `document-too-large`, `broken-json` and
    `no-listings`; listings as `not-property`, `no-id` and `no-place`. Never raises on any
    bytes.
    """
    try:
        values, is_sample = _values(document.content), is_sample_page(document.content)
    except _Refused as refusal:
        yield _rejected(document, *refusal.args)
        return
    listings = _listings(values)
    if not listings:
        yield _rejected(document, "no-listings", "no listing of a known shape")
    for listing in listings:
        yield read_listing(listing, document, is_sample=is_sample)


class _Refused(Exception):
    """(reason, detail) why a document can't be read."""


def _values(content: bytes) -> list[Any]:
    """The JSON of the document: itself, lines of it, or what a page's scripts hold."""
    if not content.strip():
        raise _Refused("empty-document", "the document has no content")
    if len(content) > DOCUMENT_BYTES_MAX:
        raise _Refused("document-too-large", f"{len(content)} bytes, at most {DOCUMENT_BYTES_MAX}")
    if content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return _scripts(decoded(content)[0])
    try:
        return [read_json(content)]
    except BrokenJsonError as error:
        # The site streams its answers as one JSON value a line.
        lines = content.splitlines()
        if len(lines) < 2:
            raise _Refused("broken-json", str(error)) from error
    try:
        return [read_json(line) for line in lines if line.strip()]
    except BrokenJsonError as error:
        raise _Refused("broken-json", str(error)) from error


def _scripts(page: str) -> list[Any]:
    values = []
    for node in LexborHTMLParser(page).css('script[type*="json"]'):
        try:
            values.append(read_json(node.text().strip()))
        except BrokenJsonError:
            continue  # Another script's text; what is a listing can be read.
    return values


def _listings(values: list[Any]) -> list[dict[str, Any]]:
    """Listings in the order of the document. A listing told in parts is put together."""
    found: dict[str, dict[str, Any]] = {}
    stack: list[Any] = list(reversed(values))
    for _ in range(_VALUES_MAX):
        if not stack or len(found) >= LISTINGS_MAX:
            break
        value = stack.pop()
        if isinstance(value, dict):
            if is_listing(value):
                known = found.setdefault(str(value.get("id") or f"row {len(found)}"), {})
                known.update({k: v for k, v in value.items() if known.get(k) in (None, "", [])})
            stack.extend(each for each in reversed(value.values()) if isinstance(each, dict | list))
        elif isinstance(value, list):
            stack.extend(each for each in reversed(value) if isinstance(each, dict | list))
    return list(found.values())


def _rejected(document: Document, reason: str, detail: str) -> Rejected:
    return Rejected(
        source=SOURCE,
        source_id=None,
        reason=reason,
        detail=f"{document.url}: {detail}"[:500],
        content_hash=content_hash(document.content),
    )
