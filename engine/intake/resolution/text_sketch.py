"""A listing's text as a sketch from which likeness can be read, but not the text.

The sketch holds, for each of 24 hash functions, the least hash over the text's triples of
words (MinHash, 16 bits kept): the share of equal places estimates the Jaccard likeness.
"""

from __future__ import annotations

import re
import zlib

import numpy as np
from numpy.typing import NDArray

PLACES = 24
SHINGLE_WORDS = 3
WORDS_LEAST = 8
LETTERS_LEAST = 50
_WORDS_MOST = 2_000
_WORD = re.compile(r"[^\W\d_]+")
# Links differ from copy to copy, and a hidden contact leaves its button behind.
_NO_PROSE = re.compile(r"https?://\S+|\bwww\.\S+|<url>|\bshow contact info\b", re.I)
# Odd multipliers from a fixed sequence: the sketch of a text never changes.
_MULTIPLIERS = (
    np.arange(1, PLACES + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
) | np.uint64(1)
_MIX = np.uint64(0xFF51AFD7ED558CCD)
_SHIFT = np.uint64(32)


def text_sketch(remarks: str | None) -> bytes:
    """48 bytes, or none if the text has fewer than eight words. Only words of letters
    count: prices, sizes and unit numbers are compared as such elsewhere."""
    words = _words(remarks)[:_WORDS_MOST]
    if len(words) < WORDS_LEAST:
        return b""
    hashes = np.fromiter((zlib.crc32(word.encode()) for word in words), np.uint64, len(words))
    shingles = _shingles(hashes)
    with np.errstate(over="ignore"):
        permuted = (shingles[:, None] * _MULTIPLIERS[None, :]) >> _SHIFT
    sketch: bytes = permuted.min(axis=0).astype("<u2").tobytes()
    return sketch


def letters_of(remarks: str | None) -> str | None:
    """The text's letters alone, by which one text posted twice is the same; None for less
    than 50 of them."""
    letters = "".join(_words(remarks))
    return letters if len(letters) >= LETTERS_LEAST else None


def _words(remarks: str | None) -> list[str]:
    return _WORD.findall(_NO_PROSE.sub(" ", remarks).lower()) if remarks else []


def _shingles(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        mixed = hashes[:-2] * np.uint64(31 * 31) + hashes[1:-1] * np.uint64(31) + hashes[2:]
        mixed = (mixed ^ (mixed >> np.uint64(29))) * _MIX
        return np.unique(mixed ^ (mixed >> _SHIFT))
