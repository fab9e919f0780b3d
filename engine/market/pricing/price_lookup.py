"""The optimal prices of all leads of a market as a lookup: three multipliers and a decay.

The optimal price at age a with n of N seats is base * exp(level) * exp(-decay a) * p_n(life left).
Its parts are ratios along the way from a fresh lead with all seats to this one,
    demand = exp(level) p_N(fresh)
    age = exp(-decay a) p_N(a) / p_N(fresh)
    seats = p_n(a) / p_N(a)
so that their product is the price. `demand` is exact for each segment; the ratios hardly depend
on how often leads are considered, and come from the nearest of the solved rates.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.market.pricing.normal_curve import Floats
from engine.market.pricing.optimal_price import (
    RATIO_LEAST,
    RATIO_MOST,
    SEATS_MOST,
    PriceTable,
    table_for,
)
from engine.market.pricing.parts import (
    AGE_MAX,
    COMMIT_HOURS,
    DEMAND_MAX,
    ONE,
    RATE_SCALE,
    SEATS_MAX,
    Ints,
)
from engine.market.pricing.policy import LeadView, Multipliers

# A lead is sold within so long or hardly ever; from then on its price stays.
LIFE_HOURS = 60 * 24.0
_AGE_STEP_HOURS = 12.0
_AGES = int(LIFE_HOURS / _AGE_STEP_HOURS) + 1
_AGE_GRID: Floats = np.arange(_AGES, dtype=np.float64) * _AGE_STEP_HOURS
# Ten-thousandths.
DEMAND_LEAST, AGE_LEAST = 500, 100
RATE_MOST = 30_000
# Leads at a time, so that what is computed in between stays in the cache.
_CHUNK = 16_384


class Decided(NamedTuple):
    """What prices follow from. `level` and `arrivals` (a lead-hour) are by segment; `decay` of
    values and `hazard` of leaving the market an hour."""

    level: Floats
    arrivals: Floats
    sigma: float
    decay: float
    hazard: float


class PriceLookup:
    def __init__(self, decided: Decided) -> None:
        fading = decided.hazard + decided.decay
        table = table_for(decided.sigma)
        ratio = np.clip(decided.arrivals / fading, RATIO_LEAST, RATIO_MOST)
        self._demand = _demand(decided, table, ratio, fading * LIFE_HOURS)
        ratios = table.ratios
        step = np.log(ratios[1] / ratios[0])
        nearest = np.rint(np.log(ratio / ratios[0]) / step).astype(np.intp)
        # First place of the segment's rate in a table [rate, age].
        self._first = nearest * _AGES
        self._size = len(ratios) * _AGES
        price = _prices(table, decided.decay, fading)
        self._shape = _shape(price)
        self._rate = _rates(price, table, decided.decay, fading)

    def __len__(self) -> int:
        """Segments."""
        return len(self._first)

    def price(self, view: LeadView) -> Multipliers:
        """Their segments must be among those decided for."""
        count = len(view.base)
        answer = Multipliers(*(np.empty(count, np.int64) for _ in Multipliers._fields))
        for start in range(0, count, _CHUNK):
            chunk = slice(start, start + _CHUNK)
            self._price_chunk(
                LeadView(
                    view.base[chunk],
                    view.segment[chunk],
                    view.age[chunk],
                    view.seats_left[chunk],
                    view.max_buyers[chunk],
                ),
                Multipliers(*(column[chunk] for column in answer)),
            )
        return answer

    def _price_chunk(self, view: LeadView, answer: Multipliers) -> None:
        seats = np.clip(view.max_buyers, 1, SEATS_MOST).astype(np.intp)
        left = np.clip(view.seats_left, 1, seats).astype(np.intp)
        segment = view.segment.astype(np.intp)
        np.take(self._demand, segment * SEATS_MOST + (seats - 1), out=answer.demand, mode="clip")
        # No number counts as fresh.
        at = np.fmax(view.age, 0.0)
        at *= 1.0 / _AGE_STEP_HOURS
        np.minimum(at, _AGES - 1, out=at)
        step = at.astype(np.intp)
        at -= step
        place = np.take(self._first, segment, mode="clip")
        place += step
        np.take(self._rate, (left - 1) * self._size + place, out=answer.rate, mode="clip")
        place += ((seats - 1) * SEATS_MOST + left - 1) * self._size
        shape = np.take(self._shape, place, mode="clip").view(np.float32).reshape(-1, 4)
        share = at.astype(np.float32)
        answer.age[:] = _whole(shape[:, 0], shape[:, 1], share)
        answer.seats[:] = _whole(shape[:, 2], shape[:, 3], share)


def _whole(
    value: npt.NDArray[np.float32], rise: npt.NDArray[np.float32], share: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    interpolated = rise * share
    interpolated += value
    return np.asarray(np.rint(interpolated, out=interpolated))


def _demand(decided: Decided, table: PriceTable, ratio: Floats, life: float) -> Ints:
    """Ten-thousandths [segment, seats - 1], flat."""
    level = np.exp(decided.level)
    columns = [level * table.prices(seats, life, ratio) for seats in range(1, SEATS_MOST + 1)]
    demand = np.clip(np.rint(np.stack(columns, axis=1) * ONE), DEMAND_LEAST, DEMAND_MAX)
    return demand.astype(np.int64).ravel()


def _at_ages(table: PriceTable, decay: float, fading: float, ages: Floats) -> Floats:
    """[seats - 1, rate, age], in units of the level of a fresh lead."""
    life = fading * np.maximum(LIFE_HOURS - ages, 0.0)
    fallen = np.exp(-decay * np.minimum(ages, LIFE_HOURS))
    return np.stack(
        [
            table.prices(seats, life[None, :], table.ratios[:, None]) * fallen
            for seats in range(1, SEATS_MOST + 1)
        ]
    )


def _prices(table: PriceTable, decay: float, fading: float) -> Floats:
    return _at_ages(table, decay, fading, _AGE_GRID)


def _shape(price: Floats) -> npt.NDArray[np.complex128]:
    """Multipliers of age and seats, in ten-thousandths, each with its rise to the next age.

    Four numbers side by side in one element of [seats, seats left, rate, age], for one access.
    """
    shape = np.zeros((SEATS_MOST, SEATS_MOST, *price.shape[1:], 4), np.float32)
    for seats in range(SEATS_MOST):
        age = np.clip(price[seats] / price[seats][:, :1] * ONE, AGE_LEAST, AGE_MAX)
        shape[seats, : seats + 1, ..., 0] = age
        shape[seats, : seats + 1, :, :-1, 1] = np.diff(age, axis=-1)
        left = np.clip(price[: seats + 1] / price[seats] * ONE, ONE, SEATS_MAX)
        shape[seats, : seats + 1, ..., 2] = left
        shape[seats, : seats + 1, ..., :-1, 3] = np.diff(left, axis=-1)
    return shape.reshape(-1, 4).view(np.complex128).ravel()


def _rates(price: Floats, table: PriceTable, decay: float, fading: float) -> Ints:
    """How fast the price falls in the next COMMIT_HOURS, millionths an hour, flat.

    Rounded down, so that what is committed to falls no faster than the price does.
    """
    ages = _AGE_GRID + COMMIT_HOURS
    later = _at_ages(table, decay, fading, ages)
    fall = np.log(price / later) / COMMIT_HOURS
    return np.clip(np.floor(fall * RATE_SCALE), 0, RATE_MOST).astype(np.int64).ravel()
