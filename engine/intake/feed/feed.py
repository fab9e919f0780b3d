"""The `feed` parser: any document that a mapping knows, row by row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, tzinfo
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import msgspec

from engine.intake.document import Document, Parser
from engine.intake.feed.cells import Moment
from engine.intake.feed.document_shape import Shape, choose_mapping, open_shape
from engine.intake.feed.mapping import Mapping as FeedMapping
from engine.intake.feed.reader import RowReader
from engine.intake.feed.rows import Refusal, Row
from engine.intake.readings import content_hash, moment_of, rfc3339
from engine.intake.record import Rejected, SourceRecord
from engine.market_directory import Market

SOURCE = "feed"
UPLOAD_LICENCE = "upload:"


class Line(NamedTuple):
    """A row's outcome: `parsed` is None where the row repeats an earlier one in full."""

    number: int
    parsed: SourceRecord | Rejected | None


def feed_parser(mappings: Mapping[str, FeedMapping], markets: Mapping[str, Market]) -> Parser:
    """The parser of feeds over these mappings; local times are read in the market's zone."""

    def parse(document: Document) -> Iterator[SourceRecord | Rejected]:
        for line in read_feed(document, mappings, markets):
            if line.parsed is not None:
                yield line.parsed

    return parse


def upload_url(upload_id: str, mapping: str | None) -> str:
    """The address of an upload's document, which names the mapping chosen for it."""
    return f"upload:{upload_id}" + (f"?mapping={mapping}" if mapping else "")


def read_feed(
    document: Document, mappings: Mapping[str, FeedMapping], markets: Mapping[str, Market]
) -> Iterator[Line]:
    """Each row's outcome with its number (0: of the whole document); never raises on any bytes.

    Reasons: `unknown-table`, `document-too-large`, `broken-csv`, `broken-json`, `no-rows`,
    `too-many-rows`, `not-a-row`, `ragged-row`, `unexpected-cell`, `no-id`, `no-place`. A row
    that repeats an earlier one's id and cells is counted once.
    """
    source = document.source or document.market or SOURCE
    opened = open_shape(document)
    chosen = opened if isinstance(opened, Refusal) else _chosen(opened, document, mappings, source)
    if isinstance(opened, Refusal) or isinstance(chosen, Refusal):
        refusal = opened if isinstance(opened, Refusal) else chosen
        assert isinstance(refusal, Refusal)
        yield Line(0, _rejected(source, refusal, 0, content_hash(document.content)))
        return
    reader = RowReader(chosen)
    at = _moment(document, chosen, markets)
    scope = _id_scope(document.licence)
    seen: set[tuple[str, str]] = set()
    for number, row in opened.rows(chosen):
        read = (
            reader.read(row, source=source, at=at, id_scope=scope) if isinstance(row, Row) else row
        )
        if isinstance(read, Refusal):
            content = reader.row_hash(row) if isinstance(row, Row) else _refusal_hash(read, number)
            yield Line(number, _rejected(source, read, number, content))
            continue
        key = (read.source_id, read.content_hash)
        if key in seen:
            yield Line(number, None)
            continue
        seen.add(key)
        yield Line(number, _of_document(read, document))


def _chosen(
    shape: Shape, document: Document, mappings: Mapping[str, FeedMapping], source: str
) -> FeedMapping | Refusal:
    """The mapping that an upload's address names, else the one that knows the shape."""
    name = _named_mapping(document.url)
    if name is None:
        return choose_mapping(shape, mappings.values(), source)
    mapping = mappings.get(name)
    if mapping is None:
        return Refusal("unknown-mapping", f"there is no mapping {name[:60]}")
    if mapping.formats.isdisjoint(shape.formats):
        read, given = (" or ".join(sorted(each)) for each in (mapping.formats, shape.formats))
        return Refusal("unknown-table", f"{name} reads {read}, this is {given}")
    return mapping


def _named_mapping(url: str) -> str | None:
    if not url.startswith("upload:"):
        return None
    return parse_qs(urlsplit(url).query).get("mapping", [None])[0]


def _moment(document: Document, mapping: FeedMapping, markets: Mapping[str, Market]) -> Moment:
    market = markets.get(document.market or "")
    name = mapping.zone or (market.time_zone if market else "")
    zone: tzinfo = ZoneInfo(name) if name else UTC
    return Moment(zone, moment_of(document.fetched_at))


def _id_scope(licence: str) -> str:
    """Two uploaders may number their rows alike: an upload's ids are its uploader's."""
    if not licence.startswith(UPLOAD_LICENCE):
        return ""
    return f"{licence.removeprefix(UPLOAD_LICENCE)}:"


def _of_document(record: SourceRecord, document: Document) -> SourceRecord:
    fetched_at = record.fetched_at or rfc3339(moment_of(document.fetched_at))
    return msgspec.structs.replace(record, licence=document.licence, fetched_at=fetched_at)


def _refusal_hash(refusal: Refusal, number: int) -> str:
    """Of the refused row itself; of its place and fault where nothing of it could be read."""
    content = refusal.content or f"{number} {refusal.reason} {refusal.detail}"
    return content_hash(content.encode("utf-8", "replace"))


def _rejected(source: str, refusal: Refusal, number: int, digest: str) -> Rejected:
    where = f"row {number}: " if number else ""
    return Rejected(
        source=source,
        source_id=None,
        reason=refusal.reason,
        detail=f"{where}{refusal.detail}"[:500],
        content_hash=digest,
    )
