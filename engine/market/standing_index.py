"""Which standing orders ask for a lead, without asking every one of them.

What an order may limit is cut into steps. Every step has a row of bits, every order a
column: a bit says that the order may want something in that step. The rows in which a
lead's facts lie, ANDed, leave few orders, and those are asked one by one.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from engine.market.listing import Listing
from engine.market.standing_rules import Facts, Wanted, facts, is_wanted, wanted
from engine.market.standing_steps import ROWS, rows_of_lead, rows_of_order
from engine.market.standing_terms import StandingTerms

# Orders have their columns in pages, so that none has to wait while all are moved.
# 127 words a row: a power of two would crowd a column into one corner of the cache.
_WORDS = 127
PAGE = 64 * _WORDS
_ROW_BYTES = -(-ROWS // 8)

Page = npt.NDArray[np.uint64]


class StandingIndex:
    """The standing orders of one market that may buy: those paused are not among them.

    Adding takes about 20 µs and removing 5 however many there are. A page takes 1.7 MiB
    and an order some 900 bytes beside its terms; room once taken is used again, not given back.
    """

    def __init__(self) -> None:
        self._pages: list[Page] = []
        # By column; a removed order leaves a hole, and the hole's number in `_holes`.
        self._ids: list[str] = []
        self._wanted: list[Wanted | None] = []
        self._holes: list[int] = []
        self._columns: dict[str, int] = {}
        self._with_text: set[str] = set()

    def __len__(self) -> int:
        return len(self._columns)

    def add(self, standing_order_id: str, terms: StandingTerms) -> None:
        """Find the order from now on by these terms, whatever it had before; not if paused."""
        self.remove(standing_order_id)
        if terms.is_paused:
            return
        order = wanted(terms)
        column = self._column(standing_order_id, order)
        bits = rows_of_order(order, terms.filter).to_bytes(_ROW_BYTES, "little")
        rows = np.unpackbits(np.frombuffer(bits, np.uint8), count=ROWS, bitorder="little")
        page, word, bit = _place(column)
        self._pages[page][:, word] |= rows.astype(np.uint64) << np.uint64(bit)
        if terms.filter.q is not None:
            self._with_text.add(standing_order_id)

    def _column(self, standing_order_id: str, order: Wanted) -> int:
        if self._holes:
            column = self._holes.pop()
            self._ids[column], self._wanted[column] = standing_order_id, order
        else:
            column = len(self._ids)
            self._ids.append(standing_order_id)
            self._wanted.append(order)
            if column == len(self._pages) * PAGE:
                self._pages.append(np.zeros((ROWS, _WORDS), np.uint64))
        self._columns[standing_order_id] = column
        return column

    def remove(self, standing_order_id: str) -> None:
        """Find the order no more; nothing to do if it was not found before."""
        column = self._columns.pop(standing_order_id, None)
        if column is None:
            return
        page, word, bit = _place(column)
        self._pages[page][:, word] &= np.uint64(~(1 << bit) & 0xFFFF_FFFF_FFFF_FFFF)
        self._wanted[column] = None
        self._holes.append(column)
        self._with_text.discard(standing_order_id)

    def find(self, listing: Listing, price: int, max_buyers: int) -> list[str]:
        """Ids of the orders that ask for this lead, text, hours and limits apart. Unordered.

        `price` is undiscounted, in credits.
        """
        lead = facts(listing, price, max_buyers)
        ids, orders = self._ids, self._wanted
        return [
            ids[column]
            for column in self._candidates(lead)
            if (order := orders[column]) is not None and is_wanted(order, lead)
        ]

    def with_text(self, standing_order_ids: Iterable[str]) -> list[str]:
        """Those whose terms have a `q`, which is not looked at here."""
        return [each for each in standing_order_ids if each in self._with_text]

    def _candidates(self, lead: Facts) -> list[int]:
        """Columns of all that want the lead, and of few others."""
        words = np.empty((len(self._pages), _WORDS), np.uint64)
        every, any_of = rows_of_lead(lead)
        for page, found in zip(self._pages, words, strict=True):
            np.bitwise_and.reduce(page.take(every, axis=0), axis=0, out=found)
            if any_of:
                found &= np.bitwise_or.reduce(page.take(any_of, axis=0), axis=0)
        return _bits_set(words.reshape(-1))


def _place(column: int) -> tuple[int, int, int]:
    """(page, word, bit)"""
    page, column = divmod(column, PAGE)
    return page, column >> 6, column & 63


def _bits_set(words: npt.NDArray[np.uint64]) -> list[int]:
    some = words.nonzero()[0]
    octets = words[some].astype("<u8", copy=False).view(np.uint8)
    bits = np.unpackbits(octets, bitorder="little").nonzero()[0]
    found: list[int] = ((some[bits >> 6] << 6) + (bits & 63)).tolist()
    return found
