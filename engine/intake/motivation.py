"""What in a listing's words tells that its owner wants to part with it soon.

The lexicon names what is said of the sale, never of the people: nothing about family,
marriage, health, faith, origin or age is read, so no lead is worth more for it.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from engine.intake.record import SourceRecord


class _Signal(NamedTuple):
    """What it adds, words of which every phrase holds one, and its phrases as patterns."""

    adds: float
    hints: tuple[str, ...]
    phrases: tuple[str, ...]


# Several add up to less than their sum.
_LEXICON = {
    "must-sell": _Signal(
        0.6, ("sell", " go"), ("must (?:sell|go)", "needs? to sell", "has to sell")
    ),
    "motivated": _Signal(
        0.5,
        ("motivated",),
        (
            "motivated (?:sellers?|owners?|landlord|to sell)",
            "(?:seller|owner|landlord)s? (?:is|are) (?:(?!not )[a-z]{1,12} )?motivated",
        ),
    ),
    "bring-offers": _Signal(
        0.35,
        ("offer", "obo"),
        ("bring (?:all |any |your )?offers?", "all offers considered", "make an offer", "obo"),
    ),
    "price-reduced": _Signal(
        0.4,
        ("reduc", "drop", "slash", " cut", "improvement"),
        (
            "(?:price|rent|recently|just|newly|huge)[ -]"
            "(?:just |recently |has been |was )?(?:reduced|dropped|slashed)",
            "(?:price|rent) (?:reduction|drop|cut|improvement)",
            "reduced (?:price|rent)",
        ),
    ),
    "priced-to-sell": _Signal(
        0.35,
        ("priced to", "below "),
        ("priced to (?:sell|move)", "below (?:market|apprais(?:al|ed))"),
    ),
    "quick-sale": _Signal(
        0.4,
        ("quick ", "fast", "asap"),
        ("quick (?:sale|clos(?:e|ing))", "fast clos(?:e|ing)", "sell(?:ing)? (?:fast|asap)"),
    ),
    "as-is": _Signal(
        0.25,
        ("as-is", "as is"),
        ("as-is", "(?:sold|selling|sale|sells|strictly) [\"'“]?as is", "as is condition"),
    ),
    "relocating": _Signal(
        0.35,
        ("relocat", "transfer", "moving"),
        (
            "relocat(?:ing|ion)",
            "job transfer",
            "(?:owner|seller)s? (?:is|are) moving",
            "moving out of state",
        ),
    ),
    "probate": _Signal(0.35, ("probate", "estate sale"), ("probate", "(?<!real )estate sale")),
    "distressed": _Signal(
        0.45,
        ("foreclosure", "short sale", "owned", "reo"),
        ("foreclosure", "short sale", "bank[ -]owned", "reo"),
    ),
    "owner-financing": _Signal(
        0.2, ("financ", "carry"), ("(?:owner|seller) (?:will )?(?:financ(?:e|ing)|carry)",)
    ),
    "handyman": _Signal(
        0.2,
        ("fixer", "handyman", "needs "),
        ("fixer[ -]?upper", "handyman special", "needs (?:some )?(?:work|tlc|updating)"),
    ),
    "concession": _Signal(
        0.2,
        ("special", "free", "fee", "closing cost"),
        (
            "(?:move[ -]in|rent|lease) specials?",
            "(?:weeks?|months?) (?:rent )?free",
            "free (?:month|rent)",
            "(?:waived|no) (?:admin|application) fees?",
            "closing costs? (?:paid|credit)",
        ),
    ),
}
PRICE_CUT = "price-cut"
_PRICE_CUT_ADDS = 0.4
_PATTERNS = {
    name: re.compile(rf"(?<![a-z])(?:{'|'.join(signal.phrases)})(?![a-z])")
    for name, signal in _LEXICON.items()
}
# `not desperate`, `isn't a short sale`, `no price reduction`: what is denied is no signal.
_DENIED = re.compile(
    r"(?:\b(?:not|never|no|without|neither|nor|cannot)|n['’]t)(?:[ -]\w{1,12}){0,2}[ -]?$"
)
_DENIED_REACH = 40
_TEXT_LENGTH_MAX = 20_000


def motivation_signals(text: str) -> tuple[str, ...]:
    """The names of the signals in a text, in the lexicon's order, negated ones left out."""
    words = " ".join(text[:_TEXT_LENGTH_MAX].lower().split())
    return tuple(name for name in _LEXICON if _is_said(name, words))


def motivation_of(record: SourceRecord) -> float:
    """How strongly title, remarks and price history say it, in [0, 1]; 0 if they don't."""
    text = "\n".join(part for part in (record.title, record.remarks) if part)
    adds = [_LEXICON[name].adds for name in motivation_signals(text)] if text else []
    if is_price_cut(record):
        adds.append(_PRICE_CUT_ADDS)
    return round(1.0 - math.prod(1.0 - each for each in adds), 4)


def is_price_cut(record: SourceRecord) -> bool:
    """Whether the source shows a higher price before, or a change below zero."""
    before, change = record.extra.get("previous_list_price"), record.extra.get("price_change")
    if isinstance(before, int | float) and record.list_price is not None:
        return before > record.list_price
    return isinstance(change, int | float) and change < 0


def _is_said(name: str, words: str) -> bool:
    if not any(hint in words for hint in _LEXICON[name].hints):
        return False
    return any(
        _DENIED.search(words, max(0, found.start() - _DENIED_REACH), found.start()) is None
        for found in _PATTERNS[name].finditer(words)
    )
