"""The standing orders of a market, as demand: who would have bought at a lower price."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from engine.market.listing import Listing
from engine.market.standing_index import StandingIndex
from engine.market.standing_terms import StandingTerms

_decode_terms = msgspec.msgpack.Decoder(StandingTerms).decode
_encode = msgspec.msgpack.Encoder().encode


class RestingDemand:
    """Live standing orders by id, found by the leads they ask for."""

    def __init__(self) -> None:
        self._orders: dict[str, tuple[str, StandingTerms]] = {}
        self._index = StandingIndex()

    def __len__(self) -> int:
        return len(self._orders)

    def place(self, order_id: str, user_id: str, terms: StandingTerms) -> None:
        self._orders[order_id] = (user_id, terms)
        self._index.add(order_id, _at_any_price(terms))

    def change(self, order_id: str, terms: StandingTerms) -> None:
        self.place(order_id, self._orders[order_id][0], terms)

    def cancel(self, order_id: str) -> None:
        del self._orders[order_id]
        self._index.remove(order_id)

    def missed(self, listing: Listing, price: int, max_buyers: int) -> list[str]:
        """Buyers whose orders ask for the lead but for its price, each once, in order of id.

        Orders that look for words are left out: what they would find is not known here.
        """
        found = self._index.find(listing, price, max_buyers)
        wordy = set(self._index.with_text(found))
        return sorted(
            {
                self._orders[order_id][0]
                for order_id in found
                if order_id not in wordy and self._orders[order_id][1].price_max < price
            }
        )

    def top_prices(self) -> Iterator[tuple[str, int]]:
        """(buyer, top price in credits) of each order that is not paused."""
        for user_id, terms in self._orders.values():
            if not terms.is_paused:
                yield user_id, terms.price_max

    def dump(self) -> list[list[Any]]:
        return [
            [order_id, user_id, _encode(terms)]
            for order_id, (user_id, terms) in self._orders.items()
        ]

    @classmethod
    def load(cls, dumped: list[list[Any]]) -> RestingDemand:
        loaded = cls()
        for order_id, user_id, terms in dumped:
            loaded.place(order_id, user_id, _decode_terms(terms))
        return loaded


def _at_any_price(terms: StandingTerms) -> StandingTerms:
    return msgspec.structs.replace(terms, price_max=2**62)
