"""Words whose letters were exchanged or drawn apart so that a filter does not know them."""

from __future__ import annotations

import re
from typing import NamedTuple

# `g.i.f.t`, `g-i-f-t`, `z e l l e`: four single letters or more. Possessive, hence linear.
_APART = re.compile(r"(?<![a-z0-9])[a-z@$](?:[.\-_*][a-z0-9@$]){3,30}+(?![a-z0-9])")
_SPACED = re.compile(r"(?<![a-z0-9])[a-z](?: [a-z]){3,30}+(?![a-z0-9])")
_BETWEEN = re.compile(r"[.\-_* ]")
# A word in which a letter meets a sign or digit that looks like one.
_MIXED = re.compile(r"[a-z0-9@$!]{3,40}")
_LIKE_LETTERS = str.maketrans("@0315$!", "aoeissi")
_ORDINARY = re.compile(
    r"\d+(?:st|nd|rd|th|br|bd|ba|bed|beds|bath|baths|k|am|pm|sf|sqft|x\d+|ft|mo|min|mins|hr|hrs|yr)"
    r"|[a-z]{1,3}\d{1,6}|\d+[a-z]{1,2}|\$\d\w*|[a-z]+!+|\d+"
)


class Undisguised(NamedTuple):
    """`disguised` counts the words that were written so."""

    text: str
    disguised: int


def undisguised(folded: str) -> Undisguised:
    """The folded text with such words as they are meant; the rest stays as it is."""
    count = 0

    def joined(match: re.Match[str]) -> str:
        nonlocal count
        count += 1
        return _BETWEEN.sub("", match[0]).translate(_LIKE_LETTERS)

    def meant(match: re.Match[str]) -> str:
        nonlocal count
        word = match[0]
        letters = sum(map(str.isalpha, word))
        if letters == len(word) or letters * 2 < len(word) or _ORDINARY.fullmatch(word):
            return word
        count += 1
        return word.translate(_LIKE_LETTERS)

    text = _SPACED.sub(joined, _APART.sub(joined, folded))
    return Undisguised(_MIXED.sub(meant, text), count)
