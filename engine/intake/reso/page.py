"""Pages of a RESO Web API: OData JSON with Properties in `value`, or one Property by key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from engine.intake.document import Document, Parsed
from engine.intake.readings import content_hash
from engine.intake.record import Rejected
from engine.intake.reso.listing_record import SOURCE, listing_records
from engine.intake.reso.names import KEY

PAGE_BYTES_MAX = 64 * 1024 * 1024
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def parse(document: Document) -> Iterator[Parsed]:
    """A record for each Property of a page; what else a page holds (media, rooms, units,
    names of other dictionaries) is passed over.

    Reasons beside those of `listing_records`: `page-too-large`, `not-json` (XML, as the
    metadata is), `broken-json`, `odata-error`, `unknown-document`, `not-a-row`. Never raises
    on any bytes.
    """
    if len(document.content) > PAGE_BYTES_MAX:
        detail = f"{len(document.content)} bytes, at most {PAGE_BYTES_MAX}; ask for less by $top"
        yield _refused(document, "page-too-large", detail)
        return
    content = document.content.removeprefix(_BYTE_ORDER_MARK)
    if content.lstrip()[:1] == b"<":
        yield _refused(document, "not-json", "XML or HTML; listings come as JSON")
        return
    try:
        page = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        yield _refused(document, "broken-json", str(error))
        return
    rows = _rows(page)
    if rows is None:
        yield _refused(document, *_why_no_rows(page))
        return
    for number, row in enumerate(rows):
        if isinstance(row, dict):
            yield from listing_records(row, document)
        else:
            yield _refused(document, "not-a-row", f"item {number} of value is no object")


def _rows(page: Any) -> list[Any] | None:
    if not isinstance(page, dict):
        return None
    rows = page.get("value")
    if isinstance(rows, list):
        return rows
    # A Property asked for by its key stands at the top level.
    return [page] if KEY in page else None


def _why_no_rows(page: Any) -> tuple[str, str]:
    if not isinstance(page, dict):
        return "unknown-document", f"a {type(page).__name__}, not an object with value"
    error = page.get("error")
    if isinstance(error, dict):
        return "odata-error", f"{error.get('code')}: {error.get('message')}"
    names = ", ".join(list(page)[:20])
    return "unknown-document", f"neither value nor {KEY}, but {names or 'nothing'}"


def _refused(document: Document, reason: str, detail: str) -> Rejected:
    return Rejected(
        source=document.source or SOURCE,
        source_id=None,
        reason=reason,
        detail=detail[:500],
        content_hash=content_hash(document.content),
    )
