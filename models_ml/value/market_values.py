"""One market's base values as its pricing agent asks for them: the model over its comparables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from engine.market.listing import Listing
from engine.market.pricing.market_prices import Unvalued
from models_ml.value.comparables import ComparablesIndex
from models_ml.value.value_model import Contribution, ValueModel


class MarketValues:
    """`know` the homes that are known already after a start, else the first leads valued have
    nothing to be compared with. A lead is compared with those that came before and with it."""

    def __init__(self, model: ValueModel) -> None:
        self.model = model
        self.homes = ComparablesIndex()

    def know(self, homes: Iterable[tuple[str, Listing]]) -> None:
        """Take in homes to compare with: lead ids and listings."""
        for lead_id, listing in homes:
            self._take(lead_id, listing)

    def values(self, leads: Sequence[Unvalued]) -> list[int]:
        """In thousandths of a credit, in step with `leads`; they are known from now on."""
        self.know((each.lead_id, each.listing) for each in leads)
        listings = [each.listing for each in leads]
        compared = self.homes.compare([each.lead_id for each in leads], listings)
        seats = np.array([each.max_buyers for each in leads], dtype=np.int64)
        return self.model.values(listings, seats, compared).tolist()

    def explain(self, lead: Unvalued, most: int = 3) -> list[Contribution]:
        """What moves the lead's value furthest, against the homes known now."""
        compared = self.homes.compare([lead.lead_id], [lead.listing])
        return self.model.explain([lead.listing], [lead.max_buyers], compared, most)[0]

    def _take(self, lead_id: str, listing: Listing) -> None:
        # An invented price is no comparable.
        if listing.fraud_flag:
            self.homes.drop(lead_id)
        else:
            self.homes.put(lead_id, listing)
