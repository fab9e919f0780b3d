"""Text read as a reader reads it: case, accents, full-width and foreign digits folded.

The folded text keeps for each of its characters where it came from, so that what is
found in it can be covered in the original.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

# Letters and digits: what `str.isalnum` says, as a pattern.
WORD_RUNS = re.compile(r"[^\W_]+")
_ASCII_OR_ONE = re.compile(r"[\x00-\x7f]+|.", re.S)


class FoldedText:
    """`text` is the folded text; `origin[i]` the position in the original of `text[i]`."""

    __slots__ = ("origin", "text")

    def __init__(self, original: str) -> None:
        self.text: str
        self.origin: Sequence[int]
        if original.isascii():
            self.text, self.origin = original.lower(), range(len(original))
            return
        pieces: list[str] = []
        origin: list[int] = []
        for part in _ASCII_OR_ONE.finditer(original):
            start, end = part.span()
            if end - start > 1 or original[start].isascii():
                pieces.append(part[0].lower())
                origin.extend(range(start, end))
            else:
                folded = _folded(part[0])
                pieces.append(folded)
                origin.extend([start] * len(folded))
        self.text, self.origin = "".join(pieces), origin

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The original positions of `text[start:end]`, which must not be empty."""
        return self.origin[start], self.origin[end - 1] + 1


def bare_text(text: str) -> str:
    """Only the letters and digits of the folded text: what a value is compared by."""
    return "".join(WORD_RUNS.findall(FoldedText(text).text))


@lru_cache(maxsize=16_384)
def _folded(character: str) -> str:
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(digit)
    if character.isspace():
        return character
    if unicodedata.category(character) in {"Cf", "Mn", "Me"}:
        return ""  # Invisible characters and accents hide a value without changing it.
    decomposed = unicodedata.normalize("NFKD", character).casefold()
    return "".join(c for c in decomposed if unicodedata.category(c) not in {"Cf", "Mn", "Me"})
