"""Odds of a fill: how soon leads sold that were offered at a price, by what was recorded.

A level is a price relative to the lead's base value. Leads on offer at a level for so many
hours, of which so many seats sold, sell at a rate per lead-hour; the odds of at least one sale
within an hour are 1 - exp(-rate) (a Poisson process). What is old counts less, by half a week
after week.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from engine.market.pricing.lead_columns import LeadColumns
from engine.market.pricing.parts import CREDIT, HOUR_US

# Lower ends of the levels, price / base.
LEVELS = (0.0, 0.7, 0.85, 0.95, 1.05, 1.2, 1.5)
# What the level is called by: about its middle.
NAMED = (0.6, 0.8, 0.9, 1.0, 1.1, 1.35, 1.75)
HALF_LIFE_HOURS = 7 * 24.0
# Sales seen at all levels together, below which nothing is said.
SALES_MIN = 20.0
# Lead-hours seen at a level, below which nothing is said of it.
LEAD_HOURS_MIN = 50.0


class Odds(NamedTuple):
    """`within_hour` in [0, 1], None where too little was seen at this level."""

    level: float
    within_hour: float | None


class FillOdds:
    """Counts of one market: `pass_time` while leads are on offer, `sold` for each sale."""

    def __init__(self) -> None:
        self._hours = np.zeros(len(LEVELS))
        self._sales = np.zeros(len(LEVELS))
        self._at = 0

    def pass_time(self, columns: LeadColumns, now: int) -> None:
        """The leads on offer were so since the last call, at the prices they have at `now` (µs)."""
        hours = max(0, now - self._at) / HOUR_US if self._at else 0.0
        self._at = max(now, self._at)
        if not hours:
            return
        kept = 2.0 ** (-hours / HALF_LIFE_HOURS)
        rows = columns.offered()
        level = columns.price[rows] * CREDIT / np.maximum(columns.base[rows], 1)
        numbers = np.searchsorted(LEVELS, level, side="right") - 1
        counts = np.bincount(numbers, minlength=len(LEVELS))
        self._hours = self._hours * kept + counts * hours
        self._sales *= kept

    def sold(self, price: int, base: int) -> None:
        """A seat sold of a lead offered at `price` credits, worth `base` thousandths of one."""
        level = price * CREDIT / max(1, base)
        self._sales[np.searchsorted(LEVELS, level, side="right") - 1] += 1.0

    def why_unknown(self) -> str | None:
        """Why nothing is said yet; None if something is."""
        total = float(self._sales.sum())
        if total < SALES_MIN:
            return f"{total:.0f} recent sales were seen; it takes {SALES_MIN:.0f}"
        return None

    def odds(self) -> list[Odds]:
        """By level, lowest first; nothing while too little was seen."""
        if self.why_unknown() is not None:
            return []
        return [
            Odds(
                level,
                round(1 - math.exp(-sales / hours), 4) if hours >= LEAD_HOURS_MIN else None,
            )
            for level, hours, sales in zip(
                NAMED, self._hours.tolist(), self._sales.tolist(), strict=True
            )
        ]

    def dump(self) -> list[Any]:
        return [self._hours.tolist(), self._sales.tolist(), self._at]

    @classmethod
    def load(cls, dumped: Sequence[Any]) -> FillOdds:
        """Raises ValueError if it is of other levels."""
        loaded = cls()
        hours, sales, loaded._at = dumped
        loaded._hours, loaded._sales = np.array(hours, float), np.array(sales, float)
        if loaded._hours.shape != (len(LEVELS),) or loaded._sales.shape != (len(LEVELS),):
            raise ValueError("these odds are of other price levels")
        return loaded
