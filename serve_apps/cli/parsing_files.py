"""The files of a captures folder: which parser reads each, and why some are not read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from engine.adapters.sources.captures import captured_files

POSTS = "craigslist/posts_html"
REFERENCE = "craigslist/posts_parsed"
# Parsers by the folder's name; local portals and lists are read by mappings.
_PARSER_OF_FOLDER = {
    **{name: name for name in ("craigslist", "zillow", "fsbo", "redfin", "realtor")},
    **{name: name for name in ("facebook", "linkedin", "reso")},
    "zumper": "feed",
    "fortworth_deals": "feed",
}
_MEDIA_TYPES = {
    **{".html": "text/html", ".htm": "text/html", ".csv": "text/csv"},
    **{".json": "application/json", ".geojson": "application/geo+json"},
    ".xml": "application/xml",
}
_RESO_DOCUMENTS = ("reso/payloads/", "reso/odata_pages_synthetic/")
_NOT_SOURCES = {
    "labels": "answers, no source",
    "fraud": "a table of labels, no source",
    "specs": "descriptions of interfaces, no source",
    "reso": "the standard itself, no source",
}


class SourceFile(NamedTuple):
    """`name` is its path within the captures; `source` and `market` are what a run knows."""

    name: str
    path: Path
    parser: str
    source: str
    market: str | None
    media_type: str


class NotRead(NamedTuple):
    name: str
    reason: str


def find_files(captures: Path, markets: frozenset[str]) -> Iterator[SourceFile | NotRead]:
    """Every file of the folder, in the order of their names."""
    cities = {
        each.path: city for city in sorted(markets) for each in captured_files(captures, city)
    }
    for path in sorted(captures.rglob("*")):
        name = path.relative_to(captures)
        if path.is_file() and not any(part.startswith(".") for part in name.parts):
            yield _file(path, name.as_posix(), cities, markets)


def _file(
    path: Path, name: str, cities: dict[Path, str], markets: frozenset[str]
) -> SourceFile | NotRead:
    folder = name.partition("/")[0] if "/" in name else ""
    reason = _reason_not_to_read(name, folder, path.suffix.lower())
    if reason is not None:
        return NotRead(name, reason)
    parser = _PARSER_OF_FOLDER[folder]
    market = _market(path.parent.name, markets) if name.startswith(POSTS) else cities.get(path)
    source = (cities.get(path) or "feed") if parser == "feed" else parser
    return SourceFile(name, path, parser, source, market, _MEDIA_TYPES[path.suffix.lower()])


def _reason_not_to_read(name: str, folder: str, suffix: str) -> str | None:
    if not folder:
        return "about the captures"
    if name.startswith(f"{REFERENCE}/"):
        return "the reference that pages are compared with"
    if name.startswith(POSTS) and suffix == ".csv":
        return "an index of the pages"
    if folder == "reso" and name.startswith(_RESO_DOCUMENTS) and suffix in _MEDIA_TYPES:
        return None
    if folder in _NOT_SOURCES:
        return _NOT_SOURCES[folder]
    if folder not in _PARSER_OF_FOLDER:
        return "no parser for this folder"
    return None if suffix in _MEDIA_TYPES else f"no parser for {suffix or 'files without suffix'}"


def _market(folder: str, markets: frozenset[str]) -> str | None:
    """`lasvegas` is las-vegas."""
    plain = folder.replace("-", "").lower()
    return next((slug for slug in markets if slug.replace("-", "") == plain), None)
