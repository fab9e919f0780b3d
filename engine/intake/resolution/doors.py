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


def door_of(street: str | None, unit: str | None) -> Door:
    if not street:
        return Door()
    line, unit_in_street = split_unit(street)
    normal = _normal(line)
    if normal is None:
        return _street_only(line)
    number, _, whole = normal.partition(" ")
    return Door(number, _core(whole), whole, normal_unit(unit or unit_in_street))


def _street_only(line: str) -> Door:
    # A made-up house number lets the same reader read the name.
    normal = _normal(f"1 {_CORNER.sub('', line)}")
    if normal is None:
        return Door()
    whole = normal.partition(" ")[2]
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
