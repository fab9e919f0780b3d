"""What happened in one run of a simulated market, read off the journal of its book."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.market import events as e
from models_ml.pricing.simulation.pricers import HOUR_US
from models_ml.pricing.simulation.world import World

Ints = npt.NDArray[np.int64]


class Sale(NamedTuple):
    """One seat sold; `at` in µs since the epoch, `lead` a number of the world."""

    at: int
    lead: int
    price: int
    user_id: str
    is_standing: bool


class Record:
    """Folded from events. `prices` and `seats_left` are [hour, lead] right after each hour's
    tick, 0 where a lead is not on offer."""

    def __init__(self, world: World) -> None:
        count, hours = world.leads.size, world.terms.hours
        self.sales: list[Sale] = []
        self.prices = np.zeros((hours, count), np.int32)
        self.seats_left = np.zeros((hours, count), np.int8)
        self.changes = np.zeros(count, np.int64)
        self.turns = np.zeros(count, np.int64)
        self.seen = self.lost_to_rival = self.holds = self.holds_ended = 0
        self._price = np.zeros(count, np.int64)
        self._left = np.zeros(count, np.int64)
        self._moved = np.zeros(count, np.int64)

    def see(self, event: e.Event, at: int, numbers: Mapping[str, int]) -> None:
        """One event of the journal; `numbers` are those of the leads in the world."""
        match event:
            case e.LeadsRepriced():
                rows = np.array([numbers[lead_id] for lead_id in event.lead_ids])
                self._reprice(rows, np.array(event.prices))
            case e.LeadSold(lead_id=lead_id):
                number = numbers[lead_id]
                self._left[number] -= 1
                is_standing = event.standing_order_id is not None
                self.sales.append(Sale(at, number, event.price, event.user_id, is_standing))
            case e.LeadListed(lead_id=lead_id):
                self._left[numbers[lead_id]] = event.max_buyers
                self._price[numbers[lead_id]] = event.price
            case e.LeadWithdrawn(lead_id=lead_id):
                self._left[numbers[lead_id]] = 0
            case e.LeadHeld():
                self.holds += 1
            case e.LeadReleased():
                self.holds_ended += 1
            case _:
                pass

    def _reprice(self, rows: Ints, prices: Ints) -> None:
        moved = np.sign(prices - self._price[rows])
        # The first price of a policy replaces that of the listing table: no change of its mind.
        before = self._moved[rows]
        self.changes[rows] += 1
        self.turns[rows] += (moved * before) < 0
        self._moved[rows] = moved
        self._price[rows] = prices

    def tick(self, hour: int) -> None:
        """An hour's prices have been set."""
        offered = self._left > 0
        self.prices[hour] = np.where(offered, self._price, 0)
        self.seats_left[hour] = np.maximum(self._left, 0)

    def sale_hours(self, opened_at: int) -> npt.NDArray[np.float64]:
        """When each sale was, in hours since the market opened."""
        return (np.array([sale.at for sale in self.sales], np.float64) - opened_at) / HOUR_US
