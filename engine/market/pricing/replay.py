"""A recorded market under another policy: what each lead would have cost, beside what it did.

The policy learns from what was recorded, at the prices at which it was recorded: nobody knows
what buyers would have done at others. So a replay says which prices sales would have met, not
what would have been sold.
"""

from __future__ import annotations

from array import array
from typing import NamedTuple

import numpy as np

from engine.market import events as e
from engine.market.pricing.lead_columns import LeadColumns
from engine.market.pricing.market_prices import MarketPrices
from engine.market.pricing.policy import Chance
from engine.market.pricing.repricing import Change, changes

# What a price leaves behind in the columns: the replay's own, the rest is as recorded.
_OWN = (
    "price",
    "changed_at",
    "rate",
    "committed",
    "committed_at",
    "drawn_base",
    "drawn_demand",
    "drawn_age",
    "drawn_seats",
)


class Sales(NamedTuple):
    """Recorded sales by the price they would have met, and credits: as recorded, undiscounted,
    and had each sold at its other price."""

    same: int = 0
    higher: int = 0
    lower: int = 0
    credits_recorded: int = 0
    credits_replayed: int = 0


class LeadPath(NamedTuple):
    """(µs, credits) of each price of a lead, recorded and replayed; both begin with its listing."""

    lead_id: str
    recorded: list[tuple[int, int]]
    replayed: list[tuple[int, int]]

    @property
    def difference(self) -> int:
        """Of the last prices, credits."""
        return self.replayed[-1][1] - self.recorded[-1][1]


class Replay:
    """Beside `prices`, which folds what was recorded: call `before` with every entry first.

    The market is priced anew every `every_us`.
    """

    def __init__(self, prices: MarketPrices, rng: Chance, every_us: int) -> None:
        self.prices = prices
        self.sales = Sales()
        self.recorded_changes = 0
        self.replayed_changes = 0
        # Over leads on offer at every tick: how many, and sums of their prices.
        self.seen, self.sum_recorded, self.sum_replayed, self.sum_apart = 0, 0, 0, 0
        self._rng = rng
        self._every_us = every_us
        self._tick_at = 0
        self._own = LeadColumns()
        self._recorded: list[array[int]] = []
        self._replayed: list[array[int]] = []

    def before(self, event: e.Event, at: int) -> None:
        """The market up to `at` (µs), when `event` is about to be folded."""
        if not self._tick_at:
            self._tick_at = at + self._every_us
        self.until(at)
        match event:
            case e.LeadListed(lead_id=lead_id, price=price):
                self._list(lead_id, price, at)
            case e.LeadsRepriced(lead_ids=lead_ids, prices=prices):
                self.recorded_changes += len(lead_ids)
                for lead_id, price in zip(lead_ids, prices, strict=True):
                    self._recorded[self._own.row[lead_id]].extend((at, price))
            case e.LeadSold(lead_id=lead_id):
                self._sell(lead_id)
            case _:
                pass

    def until(self, at: int) -> None:
        """Price the market up to `at` (µs), nothing having happened; nothing before its first
        entry."""
        while 0 < self._tick_at <= at:
            self._tick(self._tick_at)
            self._tick_at += self._every_us

    def paths(self) -> list[LeadPath]:
        """Every lead's, in order of listing."""
        pairs = zip(self._own.ids, self._recorded, self._replayed, strict=True)
        return [LeadPath(id_, _points(was), _points(would)) for id_, was, would in pairs]

    def _list(self, lead_id: str, price: int, at: int) -> None:
        row = self._own.add(lead_id)
        self._own.price[row] = price
        self._recorded.append(array("q", (at, price)))
        self._replayed.append(array("q", (at, price)))

    def _sell(self, lead_id: str) -> None:
        row = self._own.row[lead_id]
        recorded, replayed = int(self.prices.columns.price[row]), int(self._own.price[row])
        was = self.sales
        self.sales = Sales(
            was.same + (replayed == recorded),
            was.higher + (replayed > recorded),
            was.lower + (replayed < recorded),
            was.credits_recorded + recorded,
            was.credits_replayed + replayed,
        )

    def _tick(self, now: int) -> None:
        prices, own = self.prices, self._own
        prices.learn(now)
        for arm in prices.arms:
            arm.policy.decide(now, self._rng)
        rows = prices.columns.offered()
        if not len(rows):
            return
        self._put(changes(self._columns(), rows, prices.arms, prices.rails, now), now)
        recorded, replayed = prices.columns.price[rows], own.price[rows]
        self.seen += len(rows)
        self.sum_recorded += int(recorded.sum())
        self.sum_replayed += int(replayed.sum())
        self.sum_apart += int(np.abs(replayed - recorded).sum())

    def _columns(self) -> LeadColumns:
        """The recorded market at the replay's prices."""
        mixed = LeadColumns()
        vars(mixed).update(vars(self.prices.columns))
        for name in _OWN:
            setattr(mixed, name, getattr(self._own, name))
        return mixed

    def _put(self, change: Change, now: int) -> None:
        own, rows, parts = self._own, change.rows, change.parts
        self.replayed_changes += len(rows)
        own.price[rows] = change.prices
        own.changed_at[rows] = now
        for name in ("rate", "committed", "committed_at"):
            getattr(own, name)[rows] = getattr(parts, name)
        for name in ("base", "demand", "age", "seats"):
            getattr(own, f"drawn_{name}")[rows] = getattr(parts, name)
        for row, price in zip(rows.tolist(), change.prices.tolist(), strict=True):
            self._replayed[row].extend((now, price))


def _points(flat: array[int]) -> list[tuple[int, int]]:
    return list(zip(flat[::2], flat[1::2], strict=True))
