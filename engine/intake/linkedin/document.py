"""Any document of the network: JSON of one of its shapes, or a page that carries it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from selectolax.lexbor import LexborHTMLParser

from engine.intake.charset import decoded
from engine.intake.document import Document, Parsed, Parser
from engine.intake.linkedin.company import read_company
from engine.intake.linkedin.jobs import is_job_posting, is_job_row, read_job_posting, read_job_row
from engine.intake.linkedin.person import read_person
from engine.intake.linkedin.signals import rejected
from engine.intake.stated_json import BrokenJsonError, read_json
from engine.market_directory import Market

DOCUMENT_BYTES_MAX = 16 * 1024 * 1024
OBJECTS_MAX = 10_000
# Under what the collectors' and the site's own lists keep the objects themselves.
_WRAPPERS = ("profile", "@graph", "jobs", "results", "data", "elements")


def linkedin_parser(markets: Mapping[str, Market]) -> Parser:
    """The parser, with the markets in which its places are looked for."""

    def parse_with_markets(document: Document) -> Iterator[Parsed]:
        return _parse(document, markets)

    return parse_with_markets


def parse(document: Document) -> Iterator[Parsed]:
    """Signals of each person, company and opening, without their market.

    Documents are refused as `empty-document`, `document-too-large`, `broken-json`,
    `no-objects`; what they hold as `unknown-object`, `no-id`, `no-title`,
    `not-real-estate`. Never raises on any bytes.
    """
    return _parse(document, {})


def _parse(document: Document, markets: Mapping[str, Market]) -> Iterator[Parsed]:
    content = document.content
    if not content.strip():
        yield rejected(document, "empty-document", "the document has no content")
        return
    if len(content) > DOCUMENT_BYTES_MAX:
        detail = f"{len(content)} bytes, at most {DOCUMENT_BYTES_MAX}"
        yield rejected(document, "document-too-large", detail)
        return
    try:
        objects = _objects(_values(content))
    except BrokenJsonError as error:
        yield rejected(document, "broken-json", str(error))
        return
    if not objects:
        yield rejected(document, "no-objects", "no person, company or opening")
    for each in objects:
        yield from _read(each, document, markets)


def _values(content: bytes) -> list[Any]:
    if not content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return [read_json(content)]
    values = []
    page = LexborHTMLParser(decoded(content)[0])
    for node in page.css('script[type="application/ld+json"]'):
        try:
            values.append(read_json(node.text().strip()))
        except BrokenJsonError:
            continue  # Another script's text; what is whole can be read.
    return values


def _objects(values: list[Any]) -> list[dict[str, Any]]:
    """The objects of a list, or of the list or object that an object wraps."""
    found: list[dict[str, Any]] = []
    for value in values:
        each_of = value if isinstance(value, list) else [value]
        for each in each_of[:OBJECTS_MAX]:
            if isinstance(each, dict):
                found.extend(_unwrapped(each))
    return found[:OBJECTS_MAX]


def _unwrapped(value: dict[str, Any]) -> list[dict[str, Any]]:
    if "overview" in value or "@type" in value or is_job_row(value):
        return [value]
    for name in _WRAPPERS:
        inner = value.get(name)
        if isinstance(inner, dict):
            return [inner]
        if isinstance(inner, list):
            return [each for each in inner if isinstance(each, dict)]
    return [value]


def _read(
    value: dict[str, Any], document: Document, markets: Mapping[str, Market]
) -> Iterator[Parsed]:
    if "overview" in value:
        yield from read_company(value, document, markets)
    elif value.get("@type") == "Person":
        yield from read_person(value, document, markets)
    elif is_job_posting(value):
        yield read_job_posting(value, document, markets)
    elif is_job_row(value):
        yield read_job_row(value, document, markets)
    else:
        keys = ", ".join(sorted(map(str, value))[:12])
        yield rejected(document, "unknown-object", f"an object of {keys}", value)
