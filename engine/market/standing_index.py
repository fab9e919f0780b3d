"""Which standing orders ask for a lead, without asking every one of them.

What an order may limit is cut into steps. Every step has a row of bits, every order a
place in the rows: its bit says that it may want something in that step. The rows in which a
lead's facts lie, ANDed, leave few orders, and those are compared with the lead all at once.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from engine.market.listing import Listing
from engine.market.standing_columns import Places, StandingColumns
from engine.market.standing_rules import Facts, facts, is_wanted, wanted
from engine.market.standing_steps import ROWS, NamesInUse, rows_of_lead, rows_of_order
from engine.market.standing_terms import StandingTerms

# Orders have their places in pages, so that none has to wait while all are moved. 127 words
# a row: a power of two would crowd the bits of a place into one corner of the cache.
_WORDS = 127
PAGE = 64 * _WORDS
_ROW_BYTES = -(-ROWS // 8)

Page = npt.NDArray[np.uint64]


class StandingIndex:
    """The standing orders of one market that may buy: those paused are not among them.

    Adding takes about 25 µs and removing 5 however many there are. A page of 8,128 orders
    takes 1.5 MiB and an order some 500 bytes beside its terms; what the most orders there
    ever were have taken is used again, not given back.
    """

    def __init__(self) -> None:
        self._pages: list[Page] = []
        self._columns = StandingColumns()
        # By place; a removed order leaves its place to another.
        self._ids: list[str] = []
        self._terms: list[StandingTerms | None] = []
        self._free: list[int] = []
        self._places: dict[str, int] = {}
        self._names = NamesInUse()

    def __len__(self) -> int:
        return len(self._places)

    def add(self, standing_order_id: str, terms: StandingTerms) -> None:
        """Find the order from now on by these terms, whatever it had before; not if paused.

        Raises OverflowError if a bound is no bigint; the order is then not found.
        """
        self.remove(standing_order_id)
        if terms.is_paused:
            return
        order = wanted(terms)
        place = self._free[-1] if self._free else len(self._ids)
        self._columns.put(place, order)
        self._mark(place, rows_of_order(order, terms.filter))
        self._names.count(terms.filter, 1)
        self._settle(place, standing_order_id, terms)

    def _mark(self, place: int, rows: int) -> None:
        page, word, bit = _position(place)
        if page == len(self._pages):
            self._pages.append(np.zeros((ROWS, _WORDS), np.uint64))
        octets = np.frombuffer(rows.to_bytes(_ROW_BYTES, "little"), np.uint8)
        bits = np.unpackbits(octets, count=ROWS, bitorder="little").astype(np.uint64)
        self._pages[page][:, word] |= bits << np.uint64(bit)

    def _settle(self, place: int, standing_order_id: str, terms: StandingTerms) -> None:
        if self._free:
            self._free.pop()
            self._ids[place], self._terms[place] = standing_order_id, terms
        else:
            self._ids.append(standing_order_id)
            self._terms.append(terms)
        self._places[standing_order_id] = place

    def remove(self, standing_order_id: str) -> None:
        """Find the order no more; nothing to do if it was not found before."""
        place = self._places.pop(standing_order_id, None)
        if place is None:
            return
        page, word, bit = _position(place)
        self._pages[page][:, word] &= np.uint64(~(1 << bit) & 0xFFFF_FFFF_FFFF_FFFF)
        terms = self._terms[place]
        assert terms is not None
        self._names.count(terms.filter, -1)
        self._terms[place] = None
        self._free.append(place)

    def find(self, listing: Listing, price: int, max_buyers: int) -> list[str]:
        """Ids of the orders that ask for this lead, text, hours and limits apart. Unordered.

        `price` is undiscounted, in credits.
        """
        lead = facts(listing, price, max_buyers)
        ids = self._ids
        places = self._columns.wanting(self._candidates(lead), lead).tolist()
        if self._names.are_mixed(lead):
            places = [place for place in places if self._asks_for(place, lead)]
        return [ids[place] for place in places]

    def _asks_for(self, place: int, lead: Facts) -> bool:
        terms = self._terms[place]
        return terms is not None and is_wanted(wanted(terms), lead)

    def with_text(self, standing_order_ids: Iterable[str]) -> list[str]:
        """Those that may be found and whose terms have a `q`, which is not looked at here."""
        return [each for each in standing_order_ids if self._has_text(each)]

    def _has_text(self, standing_order_id: str) -> bool:
        place = self._places.get(standing_order_id)
        terms = None if place is None else self._terms[place]
        return terms is not None and terms.filter.q is not None

    def _candidates(self, lead: Facts) -> Places:
        """Places of all that want the lead, and of few others."""
        words = np.empty((len(self._pages), _WORDS), np.uint64)
        every, any_of = rows_of_lead(lead)
        for page, found in zip(self._pages, words, strict=True):
            np.bitwise_and.reduce(page.take(every, axis=0), axis=0, out=found)
            if any_of:
                found &= np.bitwise_or.reduce(page.take(any_of, axis=0), axis=0)
        return _bits_set(words.reshape(-1))


def _position(place: int) -> tuple[int, int, int]:
    """(page, word, bit)"""
    page, place = divmod(place, PAGE)
    return page, place >> 6, place & 63


def _bits_set(words: npt.NDArray[np.uint64]) -> Places:
    some = words.nonzero()[0]
    octets = words[some].astype("<u8", copy=False).view(np.uint8)
    bits = np.unpackbits(octets, bitorder="little").view(np.bool_).nonzero()[0]
    places: Places = (some[bits >> 6] << 6) + (bits & 63)
    return places
