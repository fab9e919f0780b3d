"""Documents and mappings for the tests of feeds."""

from __future__ import annotations

import json
from typing import Any

from engine.intake.document import Document
from engine.intake.feed.feed import Line, read_feed
from engine.intake.feed.mapping_text import mapping_of
from engine.intake.record import Rejected, SourceRecord
from engine.mapping_directory import load_mappings
from engine.market_directory import load_markets

MAPPINGS = load_mappings()
MARKETS = load_markets()
FETCHED_AT = "2026-05-01T12:00:00Z"


def document(content: Any, **more: Any) -> Document:
    """Text or bytes as they are, anything else as JSON; fetched for Austin."""
    if not isinstance(content, bytes):
        text = content if isinstance(content, str) else json.dumps(content)
        content = text.encode()
    given: dict[str, Any] = {
        "url": "https://feed.example/x",
        "fetched_at": FETCHED_AT,
        "market": "austin",
        "source": "austin",
    }
    return Document(content=content, **(given | more))


def lines(content: Any, mapping: str | None = None, **more: Any) -> list[Line]:
    """Every row's outcome, by the mapping of this TOML text alone or by those shipped."""
    own = mapping_of(mapping, "test") if mapping else None
    known = {own.name: own} if own else MAPPINGS
    return list(read_feed(document(content, **more), known, MARKETS))


def records(content: Any, mapping: str | None = None, **more: Any) -> list[SourceRecord]:
    return [
        line.parsed
        for line in lines(content, mapping, **more)
        if isinstance(line.parsed, SourceRecord)
    ]


def refusals(content: Any, mapping: str | None = None, **more: Any) -> list[tuple[int, str]]:
    """(row, reason) of what was refused."""
    return [
        (line.number, line.parsed.reason)
        for line in lines(content, mapping, **more)
        if isinstance(line.parsed, Rejected)
    ]


def minimal(fields: str = "", **sections: str) -> str:
    """A mapping of CSV tables with the columns `id` and `street`, and more fields."""
    head = sections.get("head", 'format = "csv"')
    return f"""
name = "test"
title = "Made for a test"
exercised = "Here."
{head}
{sections.get("tables", "")}
[recognise]
columns = ["id", "street"]
[rows]
{sections.get("rows", "")}
[id]
from = ["id"]
[fields]
street_address = "street"
{fields}
"""
