"""Which parser reads the documents of a source: the names that sources.toml uses."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from engine.intake.craigslist import parse_post
from engine.intake.document import Document, Parsed, Parser
from engine.intake.redfin import redfin_records
from engine.intake.reso import parse as parse_reso
from engine.intake.zillow import zillow_records


def _craigslist(document: Document) -> Iterator[Parsed]:
    yield parse_post(document.content, url=document.url)


def _zillow(document: Document) -> Iterator[Parsed]:
    return zillow_records(_filename(document), document.content)


def _redfin(document: Document) -> Iterator[Parsed]:
    return redfin_records(_filename(document), document.content)


def _filename(document: Document) -> str:
    return unquote(urlsplit(document.url).path.rpartition("/")[2])


PARSERS: dict[str, Parser] = {
    "craigslist": _craigslist,
    "redfin": _redfin,
    "reso": parse_reso,
    "zillow": _zillow,
}
