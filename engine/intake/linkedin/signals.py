"""A signal with what all kinds have: its market, its facts without blanks, its hash."""

from __future__ import annotations

from collections.abc import Mapping

from engine.intake.document import Document
from engine.intake.linkedin.places import StatedPlace, market_of
from engine.intake.linkedin.relevance import real_estate_word
from engine.intake.readings import text_of
from engine.intake.record import Rejected, Signal, SignalKind
from engine.intake.stated_json import row_hash
from engine.market_directory import Market

SOURCE = "linkedin"
TEXT_LENGTH_MAX = 300

Fact = str | int | float | bool | None


def line_of(cell: object) -> str | None:
    """One line of stated text, at most 300 characters."""
    text = text_of(cell) if isinstance(cell, str | int | float) else None
    return " ".join(text.split())[:TEXT_LENGTH_MAX] or None if text else None


def id_in_address(cell: object) -> str | None:
    """`company/apple` of `https://www.linkedin.com/company/apple?trk=x`."""
    address = line_of(cell)
    if address is None or "linkedin.com/" not in address:
        return None
    path = address.partition("linkedin.com/")[2].partition("?")[0].partition("#")[0]
    return path.strip("/") or None


def signal(
    kind: SignalKind,
    source_id: str,
    facts: Mapping[str, Fact],
    place: StatedPlace,
    raw: object,
    document: Document,
    markets: Mapping[str, Market],
    *,
    spoken_of: tuple[str | None, ...],
) -> Signal:
    """`real_estate` says whether one of `spoken_of` speaks of it, and `real_estate_word` how."""
    word = real_estate_word(*spoken_of)
    stated: dict[str, Fact] = {
        **facts,
        "city": place.city,
        "state": place.state,
        "real_estate": word is not None,
        "real_estate_word": word,
    }
    return Signal(
        source=SOURCE,
        source_id=source_id,
        kind=kind,
        market=market_of(place, markets),
        facts={name: fact for name, fact in stated.items() if fact is not None},
        seen_at=document.fetched_at,
        content_hash=row_hash(raw),
        is_sample=isinstance(raw, dict) and raw.get("is_sample") is True,
    )


def rejected(
    document: Document, reason: str, detail: str, raw: object = None, source_id: str | None = None
) -> Rejected:
    return Rejected(
        source=SOURCE,
        source_id=source_id,
        reason=reason,
        detail=f"{document.url}: {detail}"[:500],
        content_hash=row_hash(raw) if raw is not None else "",
    )
