"""One thing fetched from a source, as its parser gets it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from engine.intake.record import Rejected, Signal, SourceRecord

Parsed = SourceRecord | Rejected | Signal


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A page, result list, table or feed. `fetched_at` is RFC 3339 UTC; `media_type` is the
    Content-Type in lower case without parameters, `charset` its parameter; `market` is the
    market whose run fetched it, a hint only; `licence` the scope under which it was fetched;
    `source` the name in sources.toml, for parsers that read for several sources."""

    url: str
    content: bytes
    media_type: str | None = None
    charset: str | None = None
    fetched_at: str | None = None
    market: str | None = None
    licence: str = "public"
    source: str = ""


# Reads one document, never raises on any bytes, and invents no value: what it can't use
# is Rejected with its reason.
Parser = Callable[[Document], Iterator[Parsed]]
