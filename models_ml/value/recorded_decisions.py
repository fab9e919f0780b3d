"""Decisions to buy or not out of a market's journal, as rows of the table to train on.

Who considers what, until when, and how far an account is believed, is pricing's own account of
it (engine/market/pricing/considering.py); here each decision keeps its lead and its price.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from engine.intake.offer import starting_price
from engine.market import events as e
from engine.market.listing import Listing
from engine.market.pricing.considering import Considered, Considering
from engine.market.pricing.market_prices import MarketPrices
from models_ml.value.comparables import ComparablesIndex
from models_ml.value.features import NAMES, feature_matrix

FRESH_HOURS: Final = 24.0
"""A base is what a lead is worth when fresh: what was decided later is left out."""
Row = dict[str, Any]


class RecordedDecisions:
    """Give `before` every entry before `prices` folds it, and `take` what was decided since.

    It takes the place of what `prices` kept of considerations, so it starts with them.
    """

    def __init__(self, prices: MarketPrices) -> None:
        self._prices = prices
        self._homes = ComparablesIndex()
        self._leads: dict[str, tuple[Listing, int]] = {}
        self._rows: list[Row] = []
        prices.considering = _Listening(self._price, self._decided)

    def before(self, event: e.Event) -> None:
        """Note what the lead says now."""
        if isinstance(event, e.LeadListed):
            self._leads[event.lead_id] = (event.listing, event.max_buyers)
        elif isinstance(event, e.LeadUpdated) and event.lead_id in self._leads:
            self._leads[event.lead_id] = (event.listing, self._leads[event.lead_id][1])
        else:
            return
        if event.listing.fraud_flag:
            self._homes.drop(event.lead_id)
        else:
            self._homes.put(event.lead_id, event.listing)

    def take(self) -> list[Row]:
        """The rows since the last call, in the order of the decisions."""
        rows, self._rows = self._rows, []
        return rows

    def _price(self, lead_id: str) -> int:
        columns = self._prices.columns
        return int(columns.price[columns.row[lead_id]])

    def _decided(self, lead_id: str, considered: Considered, price: int, bought: bool) -> None:
        if considered.age > FRESH_HOURS or lead_id not in self._leads:
            return
        listing, max_buyers = self._leads[lead_id]
        compared = self._homes.compare([lead_id], [listing])
        (features,) = feature_matrix([listing], [max_buyers], compared)
        self._rows.append(
            {
                "lead": lead_id,
                "price": price,
                "bought": int(bought),
                "weight": round(considered.weight, 6),
                "table": starting_price(listing, max_buyers),
                **{
                    name: None if np.isnan(value) else round(float(value), 6)
                    for name, value in zip(NAMES, features, strict=True)
                },
            }
        )


class _Listening(Considering):
    """Tells of each decision on which lead, and at which price it was considered."""

    def __init__(
        self,
        price: Callable[[str], int],
        decided: Callable[[str, Considered, int, bool], None],
    ) -> None:
        super().__init__()
        self._price = price
        self._tell = decided
        self._prices: dict[tuple[str, str], tuple[int, int]] = {}
        self._ahead_prices: dict[tuple[str, str], int] = {}

    def put(self, lead_id: str, user_id: str, considered: Considered) -> None:
        super().put(lead_id, user_id, considered)
        at, price = self._prices.get((lead_id, user_id), (-1, 0))
        if self.get(lead_id, user_id) is considered and at != considered.at:
            price = self._price(lead_id)
            self._prices[lead_id, user_id] = (considered.at, price)

    def decide(self, lead_id: str, user_id: str, *, bought: bool) -> None:
        considered = self.get(lead_id, user_id)
        super().decide(lead_id, user_id, bought=bought)
        if considered is not None:
            _, price = self._prices.pop((lead_id, user_id))
            self._tell(lead_id, considered, price, bought)

    def bought_ahead(self, lead_id: str, user_id: str, considered: Considered) -> None:
        super().bought_ahead(lead_id, user_id, considered)
        self._ahead_prices[lead_id, user_id] = self._price(lead_id)

    def seen_late(self, lead_id: str, user_id: str, share: float) -> bool:
        considered = self._ahead.get((lead_id, user_id))
        if considered is not None:
            weighed = considered._replace(weight=share * considered.weight)
            self._tell(lead_id, weighed, self._ahead_prices.pop((lead_id, user_id)), True)
        return super().seen_late(lead_id, user_id, share)

    def expire(self, now: int) -> None:
        super().expire(now)
        for pair in self._ahead_prices.keys() - self._ahead.keys():
            del self._ahead_prices[pair]

    def leave(self, lead_id: str) -> None:
        for user_id in self._open.get(lead_id, ()):
            self._prices.pop((lead_id, user_id), None)
        super().leave(lead_id)
