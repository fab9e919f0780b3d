"""Finding the row or object of a document that a record was read from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from engine.intake.parse_check.pieces import Piece, words_of
from engine.intake.parse_check.tracing import INVENTED, Traced, fields_of, trace
from engine.intake.record import Signal, SourceRecord

_CANDIDATES_MAX = 40
_KEY_LENGTH_MIN = 4


class Tracer:
    """Traces the records of one document, which are expected in the order of its pieces.

    A record belongs to the piece in which most of it stands: the next one in order, or one
    that shares a word with its ids, addresses and numbers.
    """

    def __init__(self, pieces: list[Piece], document_url: str) -> None:
        self._pieces = pieces
        self._url = document_url
        self._next = 0
        self._by_word: dict[str, list[int]] | None = None

    def trace(self, record: SourceRecord | Signal) -> list[Traced]:
        """The record's fields, each with the rule by which it stands in its piece."""
        best: list[Traced] = []
        fewest = -1
        for index in self._candidates(record):
            traced = trace(record, self._pieces[index], self._url)
            invented = sum(each.rule == INVENTED for each in traced)
            if fewest < 0 or invented < fewest:
                best, fewest = traced, invented
                self._next = index + 1
            if invented == 0:
                break
        return best or [Traced(name, value, INVENTED) for name, value in fields_of(record)]

    def _candidates(self, record: SourceRecord | Signal) -> Iterator[int]:
        count = len(self._pieces)
        near = [self._next, self._next - 1, self._next + 1, 0]
        given = dict.fromkeys(index for index in near if 0 <= index < count)
        yield from given
        if count <= len(given):
            return
        shared = (index for word in self._keys(record) for index in self._index().get(word, ()))
        for number, index in enumerate(dict.fromkeys(shared)):
            if number >= _CANDIDATES_MAX:
                return
            if index not in given:
                yield index

    def _keys(self, record: SourceRecord | Signal) -> Iterator[str]:
        """Words that few pieces have, ids first."""
        for _name, value in fields_of(record):
            words = words_of(str(value)).split()
            yield from (each for each in words if len(each) >= _KEY_LENGTH_MIN and _rare(each))

    def _index(self) -> dict[str, list[int]]:
        if self._by_word is None:
            self._by_word = defaultdict(list)
            for index, piece in enumerate(self._pieces):
                for word in set(words_of(piece.text).split()):
                    if len(word) >= _KEY_LENGTH_MIN and _rare(word):
                        self._by_word[word].append(index)
        return self._by_word


def _rare(word: str) -> bool:
    return any(character.isdigit() for character in word)
