"""One spelling per address, so that the same home is found under every source's writing.

Words are replaced by their USPS abbreviations (Publication 28) wherever they stand:
the key is for comparing, not for printing on an envelope.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import takewhile

from engine.intake.address_words import ABBREVIATIONS, UNIT_DESIGNATORS

_WORD = re.compile(r"#|[A-Z0-9]+(?:['’][A-Z]+)?(?:-[A-Z0-9]+)*")
_HOUSE_NUMBER = re.compile(r"\d{1,7}(?:-?[A-Z])?(?:-\d{1,7})?")
_FRACTION = re.compile(r"(\d)\s*/\s*(\d)")
_INTERSTATE = re.compile(
    r"\b(?:INTERSTATE(?:\s+HIGHWAY)?|IH|I)[\s-]*(?:I[\s-]*|IH[\s-]*)?(\d{1,3})\b"
)
_POSTAL = re.compile(r"\d{5}")
_UNIT_LENGTH_MAX = 7
_NOT_PLAIN = re.compile(r"[^A-Z0-9]+")
# `1-4` is not `14`; `B-12` is `B12`.
_BETWEEN_DIGITS = re.compile(r"(?<=\d)-(?=\d)")
_HEX_HASH = re.compile(r"(?=.*\d)[0-9A-F]{8,}")


def address_key(
    street: str | None, unit: str | None, postal_code: str | None, city: str | None
) -> str | None:
    """The address in one normal spelling: `75219|4034 RAWLINS ST|207`.

    The first part is the five-digit ZIP, else the city; the last is the unit, blank if
    none is known. A unit inside `street` counts when `unit` is None. None if there is no
    house number, no street name, or neither ZIP nor city.
    """
    if not street:
        return None
    place = _place(postal_code, city)
    if place is None:
        return None
    line, unit_in_street = split_unit(street)
    name = _normal_line(line)
    if name is None:
        return None
    unit_key = normal_unit(unit) if unit else normal_unit(unit_in_street)
    return f"{place}|{name}|{unit_key or ''}"


def split_unit(street: str) -> tuple[str, str | None]:
    """(`4034 Rawlins St`, `207`) of `4034 Rawlins St APT 207, Dallas, TX 75219`.

    What follows a comma is dropped unless it starts like a unit.
    """
    head, *tail = street.split(",")
    designated = takewhile(_starts_like_unit, tail)
    words = " ".join((head, *designated)).split()
    for position, word in enumerate(words):
        if position < 2:
            continue
        bare = word.upper().strip(".:")
        if bare.startswith("#"):
            return " ".join(words[:position]), " ".join(words[position:])
        if bare in UNIT_DESIGNATORS and _is_unit_number(words, position + 1):
            return " ".join(words[:position]), " ".join(words[position:])
    return " ".join(words), None


def normal_unit(unit: str | None) -> str | None:
    """`207` of `APT 207`, `# 207`, `Unit #207`; `3-204` of `Bldg 3 Apt 204`.

    None for what names no door: listing hashes such as `#28bbe9026`, floor plans.
    """
    if not unit:
        return None
    parts = []
    for word in unit.upper().replace("#", " # ").replace(",", " ").split():
        bare = word.strip(".:")
        if bare == "#" or bare in UNIT_DESIGNATORS:
            continue
        plain = "-".join(_NOT_PLAIN.sub("", part) for part in _BETWEEN_DIGITS.split(bare))
        if plain:
            parts.append(plain)
    joined = "-".join(parts)
    if not joined or len(joined) > _UNIT_LENGTH_MAX or _HEX_HASH.fullmatch(joined):
        return None
    return joined


def _starts_like_unit(part: str) -> bool:
    words = part.split()
    if not words:
        return False
    first = words[0].upper().strip(".:")
    return first.startswith("#") or (first in UNIT_DESIGNATORS and _is_unit_number(words, 1))


def _is_unit_number(words: list[str], position: int) -> bool:
    if position >= len(words):
        return False
    following = words[position].upper().strip(".:,")
    return following.startswith("#") or any(c.isdigit() for c in following) or len(following) == 1


def _place(postal_code: str | None, city: str | None) -> str | None:
    match = _POSTAL.match(postal_code.strip()) if postal_code else None
    if match:
        return match[0]
    name = _NOT_PLAIN.sub(" ", city.upper()).strip() if city else ""
    return name or None


@lru_cache(maxsize=65_536)
def _normal_line(line: str) -> str | None:
    upper = _FRACTION.sub(r"\1-\2", line.upper().replace(".", ""))
    upper = _INTERSTATE.sub(r"I \1", upper)
    words = _WORD.findall(upper)
    if len(words) < 2 or not _HOUSE_NUMBER.fullmatch(words[0]):
        return None
    number = words[0].replace("-", "") if words[0][-1].isalpha() else words[0]
    name = [ABBREVIATIONS.get(word, word) for word in _plain_words(words[1:])]
    return f"{number} {' '.join(name)}" if name else None


def _plain_words(words: list[str]) -> list[str]:
    return [part for word in words if word != "#" for part in _without_marks(word)]


def _without_marks(word: str) -> list[str]:
    return word.replace("'", "").replace("’", "").split("-")
