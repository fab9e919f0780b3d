"""An address in parts that can be compared one by one, in one spelling for all sources."""

from __future__ import annotations

import re
from typing import NamedTuple

from engine.intake.address import address_key, normal_unit, split_unit
from engine.intake.address_words import DIRECTIONALS, SUFFIX_SPELLINGS

_DIRECTIONS = frozenset(DIRECTIONALS.values())
_SUFFIXES = frozenset(SUFFIX_SPELLINGS.values())
# Classified posts name a corner instead of a door: the first street counts.
_CORNER = re.compile(r"\s*(?:&|/|\bnear\b|\band\b|\bat\b|@).*", re.I | re.S)


class Door(NamedTuple):
    """None is what the address does not tell. `street` leaves direction and suffix out."""

    number: str | None = None
    street: str | None = None
    whole_street: str | None = None
    unit: str | None = None


def door_of(street: str | None, unit: str | None, *, unparsed: str | None = None) -> Door:
    """`unparsed` is the whole address as stated: where `street` holds no door, its first
    part may still name a street."""
    line, unit_in_street = split_unit(street or "")
    normal = _normal(line)
    if normal is None:
        return _street_only((street or unparsed or "").split(",")[0])
    number, _, whole = normal.partition(" ")
    return Door(number, _core(whole), whole, normal_unit(unit or unit_in_street))


def _street_only(line: str) -> Door:
    """A corner, or words with a street's suffix: other words may be a city's or an advert's."""
    name = _CORNER.sub("", line)
    # A made-up house number lets the same reader read the name.
    normal = _normal(f"1 {name}") if name.strip()[:1].isalpha() else None
    if normal is None:
        return Door()
    whole = normal.partition(" ")[2]
    if name == line and not _SUFFIXES.intersection(whole.split()[1:]):
        return Door()
    return Door(None, _core(whole), whole)


def _normal(line: str) -> str | None:
    key = address_key(line, None, "00000", None)
    return key.split("|")[1] if key else None


def _core(whole: str) -> str:
    words = whole.split()
    if len(words) > 1 and words[-1] in _DIRECTIONS:
        words.pop()
    if len(words) > 1 and words[-1] in _SUFFIXES:
        words.pop()
    if len(words) > 1 and words[0] in _DIRECTIONS:
        words.pop(0)
    return " ".join(words)
