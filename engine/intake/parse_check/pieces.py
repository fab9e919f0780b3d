"""A document in the pieces from which records are read: its rows, objects or the page."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator
from functools import cached_property
from html import unescape
from typing import Any

from selectolax.lexbor import LexborHTMLParser

from engine.intake.charset import decoded
from engine.intake.stated_json import BrokenJsonError, read_json
from engine.intake.tables import CELL_CHARACTERS_MAX

_TAG = re.compile(r"<[^>]*>")
_NOT_WORD = re.compile(r"[\W_]+")
_NUMBER = re.compile(
    r"(-?)(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)(?:[eE]([-+]?\d{1,3})\b)?"
)
_COUNT = re.compile(r"\d{1,3}(?:\.\d{1,4})?")
_COUNT_LENGTH_MAX = 12
_ROOM_WORD = r"(?:br|bds?|ba|bths?|bed|bath)(?:room)?s?\b"
_ROOMS = re.compile(
    rf"(\d{{1,3}}(?:\.\d{{1,2}})?)\+?[\s-]{{0,3}}(?:full |half )?{_ROOM_WORD}"
    rf"|\b{_ROOM_WORD}[\s:=\"']{{1,4}}(\d{{1,3}}(?:\.\d{{1,2}})?)",
    re.I,
)
_DEPTH_MAX = 6


def words_of(text: str) -> str:
    """Lower-case words between single spaces, one at either end."""
    return f" {_NOT_WORD.sub(' ', text.casefold()).strip()} "


class Piece:
    """The text of one row, object or page, asked for words and numbers."""

    def __init__(self, texts: list[str], around: Piece | None = None) -> None:
        self._texts = texts
        self.around = around

    @cached_property
    def text(self) -> str:
        return "\n".join(self._texts)

    @cached_property
    def words(self) -> str:
        """As it stands, and without markup, and without what a site hides behind a link."""
        plain = unescape(self.text)
        bare = words_of(_TAG.sub(" ", plain))
        joined = words_of(_TAG.sub("", plain))
        # Brackets that the page escapes are text, not tags.
        escaped = words_of(unescape(_TAG.sub(" ", self.text)))
        shown = escaped.replace(" show contact info ", " ")
        return "|".join((words_of(plain), bare, joined, escaped, shown))

    @cached_property
    def letters(self) -> str:
        return self.words.replace(" ", "")

    @cached_property
    def counts(self) -> frozenset[float]:
        """Numbers that are a cell of their own, or stand beside a word for rooms."""
        plain = _TAG.sub("", unescape(self.text))
        beside = [number for pair in _ROOMS.findall(plain) for number in pair if number]
        cells = [text.strip() for text in self._texts if len(text) <= _COUNT_LENGTH_MAX]
        numbers = [*beside, *(cell for cell in cells if _COUNT.fullmatch(cell))]
        return frozenset(map(float, numbers))

    @cached_property
    def numbers(self) -> frozenset[float]:
        found = set()
        for sign, digits, exponent in _NUMBER.findall(unescape(self.text)):
            value = float(digits.replace(",", "") + (f"e{exponent}" if exponent else ""))
            found |= {value, -value} if sign else {value}
        return frozenset(value for value in found if math.isfinite(value))


def pieces_of(content: bytes, charset: str | None = None, *, is_one: bool = False) -> list[Piece]:
    """The rows of a table, the objects of a JSON list, or the one page.

    `is_one`: the document speaks of one thing only, so its lists are parts of it.
    """
    text, _doubt = decoded(content, charset)
    start = text.lstrip()[:1]
    if start in {"[", "{"}:
        try:
            value = read_json(content)
            return [Piece(list(_leaves(value)))] if is_one else list(_objects(value))
        except BrokenJsonError:
            return [Piece([text])]
    return [_page(text)] if start == "<" else _rows(text)


def _rows(text: str) -> list[Piece]:
    """Table rows; the first one, mostly a header, is around them all."""
    csv.field_size_limit(CELL_CHARACTERS_MAX)
    try:
        rows = [cells for cells in csv.reader(io.StringIO(text, newline="")) if cells]
    except csv.Error:
        return [Piece([text])]
    around = Piece(rows[0]) if rows else None
    return [Piece(cells, around) for cells in rows]


def _page(text: str) -> Piece:
    """The page, its scripts' JSON taken apart, in which escapes hide what it says."""
    texts = [text]
    for node in LexborHTMLParser(text).css("script"):
        script = node.text().strip()
        if script[:1] in {"{", "["}:
            try:
                texts.extend(_leaves(read_json(script)))
            except BrokenJsonError:
                continue
    return Piece(texts)


def _objects(value: Any) -> Iterator[Piece]:
    lists: list[list[Any]] = []
    rest = list(_leaves_outside(value, lists, 0))
    around = Piece(rest)
    if not lists:
        yield around
    for found in lists:
        for each in found:
            yield Piece(list(_leaves(each)), around)


def _leaves_outside(value: Any, lists: list[list[Any]], depth: int) -> Iterator[str]:
    """The leaves outside the first lists of objects, which are put into `lists`."""
    if isinstance(value, list):
        if value and depth < _DEPTH_MAX and all(isinstance(each, dict) for each in value):
            lists.append(value)
            return
        for each in value:
            yield from _leaves_outside(each, lists, depth + 1)
    elif isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from _leaves_outside(each, lists, depth + 1)
    else:
        yield _leaf(value)


def _leaves(value: Any) -> Iterator[str]:
    stack = [value]
    while stack:
        each = stack.pop()
        if isinstance(each, list):
            stack.extend(each)
        elif isinstance(each, dict):
            stack.extend(each.values())
            stack.extend(each.keys())
        else:
            yield _leaf(each)


def _leaf(value: Any) -> str:
    """A number without its exponent, as a row states it: 1e3 is 1000.0."""
    return "" if value is None else str(value)
