"""Words whose letters were exchanged or drawn apart so that a filter does not know them."""

from __future__ import annotations

import re
from typing import NamedTuple

# `g.i.f.t`, `g-i-f-t`, `z e l l e`: four single letters or more. Possessive, hence linear.
_APART = re.compile(r"(?<![a-z0-9])[a-z@$](?:[.\-_*][a-z0-9@$](?![a-z0-9])){3,30}+")
_SPACED = re.compile(r"(?<![a-z0-9])[a-z](?: [a-z](?![a-z0-9])){3,30}+")
_BETWEEN = re.compile(r"[.\-_* ]")
# A word in which a sign or digit stands between letters that looks like one, or `$` before it:
# `z3lle`, `c@sh`, `$end`, `d3p0s1t`.
_MIXED = re.compile(
    r"(?<![a-z0-9@$])(?:[a-z]++(?:[@0315$]{1,2}[a-z]++){1,5}+[@03$]?|\$[a-z]++(?:[@0315$]{1,2}[a-z]++){0,5}+)"
    r"(?![a-z0-9@$])"
)
_LIKE_LETTERS = str.maketrans("@0315$", "aoeiss")
_WORD_LEAST = 4
# Codes (`kfhfvkq0q`, `loop101`, `50lbs`) have digits too, but no signs: a word with digits is
# one only if a filter would look for it.
_WORDS = (
    "account bank bitcoin card cards cash cashapp check code credit crypto deposit dinero email"
    " fedex first gift gmail hold identity inside keys license mail message messenger money"
    " moneygram overseas paid passport paypal payment refund report reserve security send signal"
    " social steam telegram today tonight transfer union venmo western whatsapp wire zelle"
)
_SOUGHT = frozenset(_WORDS.split())


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
        if len(word) < _WORD_LEAST:
            return word
        plain = word.translate(_LIKE_LETTERS)
        count += plain in _SOUGHT or "@" in word or "$" in word
        return plain

    text = _SPACED.sub(joined, _APART.sub(joined, folded))
    return Undisguised(_MIXED.sub(meant, text), count)
