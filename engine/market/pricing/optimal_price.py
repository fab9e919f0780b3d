"""The best price of a lead with n seats and a finite life, solved once for a whole grid.

A buyer comes by at the rate `arrival` and buys if the price is below a valuation, which is
lognormal with spread `sigma` around a level that falls by `decay` an hour; the lead leaves the
market unsold at the rate `hazard`, and at the end of its life for sure. What is left to earn from
n seats then follows Gallego & van Ryzin (1994), here in units of the level at the time:

    dv_n / ds = ratio * max_p [ P(V > p) * (p - (v_n - v_(n-1))) ] - v_n,    v_n(0) = v_0 = 0

with s = (hazard + decay) * (remaining life) and ratio = arrival / (hazard + decay). In these units
the level's fall is one more discount, so that two numbers, s and ratio, stand for all of
arrival, hazard, decay, age and life. The best price itself depends on the worth of the seat
alone and is in closed form along the buyer's margin (see `lognormal_margins`).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from engine.market.pricing.normal_curve import Floats, mills, upper

SEATS_MOST = 5
SIGMA_LEAST, SIGMA_MOST = 0.15, 1.5
# Arrivals while a lead's value falls to 1/e, of the grid.
RATIO_LEAST, RATIO_MOST = 1e-2, 1e4
_RATIOS = 61
# Life in units of 1 / (hazard + decay): beyond the longest nothing changes any more.
LIFE_LEAST, LIFE_MOST = 1e-5, 12.0
_LIVES = 161
# Tables are solved for spreads so far apart (natural logarithm), and blended in between.
_SIGMA_STEP = 0.04
_GAMMA = 1.0 - 1.0 / math.sqrt(2.0)


class PriceTable(NamedTuple):
    """Best prices and what is left to earn, in units of the level of valuations at the time.

    Both are [seats - 1, life, ratio]; `lives` and `ratios` are the grid. The first life is 0.
    """

    sigma: float
    lives: Floats
    ratios: Floats
    price: Floats
    value: Floats

    def prices(self, seats: int, life: Floats | float, ratio: Floats | float) -> Floats:
        """Bilinear in the logarithms of life and ratio. Outside the grid, its border."""
        log_life = np.log(np.maximum(life, LIFE_LEAST))
        at_life = (log_life - math.log(LIFE_LEAST)) * ((_LIVES - 2) / _SPAN_LIFE) + 1.0
        at_life = np.where(np.asarray(life) < LIFE_LEAST, np.asarray(life) / LIFE_LEAST, at_life)
        log_ratio = np.log(np.clip(ratio, RATIO_LEAST, RATIO_MOST))
        at_ratio = (log_ratio - math.log(RATIO_LEAST)) * ((_RATIOS - 1) / _SPAN_RATIO)
        return _bilinear(self.price[seats - 1], at_life, at_ratio)


_SPAN_LIFE = math.log(LIFE_MOST / LIFE_LEAST)
_SPAN_RATIO = math.log(RATIO_MOST / RATIO_LEAST)


class Margins(NamedTuple):
    """By what a seat is worth unsold (`worth`, ascending): the best price, the share it sells to,
    and what an arrival then earns over that worth."""

    worth: Floats
    price: Floats
    sold: Floats
    earning: Floats


def lognormal_margins(sigma: float) -> Margins:
    """Margins where ln(valuation) ~ N(0, sigma^2).

    A price p = exp(sigma z) sells to a share P(Z > z). By the first-order condition it is best for
    a seat worth c = p (1 - sigma M(z)), M being Mills' ratio, which falls: so c rises with z, and a
    fine grid of z gives everything by interpolation in c.
    """
    z = np.linspace(-5.0, 9.0, 4_001)
    price = np.exp(sigma * z)
    margin = sigma * mills(z)
    worth = price * (1.0 - margin)
    first = max(int(np.searchsorted(worth, 0.0)) - 1, 0)
    sold = upper(z)
    return Margins(*(column[first:] for column in (worth, price, sold, price * margin * sold)))


def solve(sigma: float) -> PriceTable:
    """The table for one spread of ln(valuation)."""
    ratios = np.geomspace(RATIO_LEAST, RATIO_MOST, _RATIOS)
    lives = np.concatenate(([0.0], np.geomspace(LIFE_LEAST, LIFE_MOST, _LIVES - 1)))
    price, value = integrate(lognormal_margins(sigma), ratios, lives)
    return PriceTable(sigma, lives, ratios, price, value)


def integrate(
    margins: Margins, ratios: Floats, lives: Floats, discount: float = 1.0
) -> tuple[Floats, Floats]:
    """Best prices and values, both [seats - 1, life, ratio]; `lives` ascending from 0.

    By ROS2 (Verwer et al. 1999), linearly implicit, of second order and L-stable: many arrivals
    make the equations stiff. Steps may grow with life, as the solution flattens.
    """
    value = np.zeros((SEATS_MOST, len(lives), len(ratios)))
    price = np.empty_like(value)
    state = np.zeros((SEATS_MOST, len(ratios)))

    def slope(v: Floats) -> Floats:
        earning = np.interp(_seat_worth(v), margins.worth, margins.earning)
        return np.asarray(ratios * earning - discount * v)

    for step in range(len(lives)):
        if step:
            width = lives[step] - lives[step - 1]
            # The slope's derivative in what a seat is worth, by the envelope theorem.
            selling = ratios * np.interp(_seat_worth(state), margins.worth, margins.sold)
            first = _implicit(slope(state), selling, discount, width)
            second = slope(state + width * first) - 2.0 * first
            second = _implicit(second, selling, discount, width)
            state = state + width * (1.5 * first + 0.5 * second)
        value[:, step] = state
        price[:, step] = np.interp(_seat_worth(state), margins.worth, margins.price)
    return price, value


def _implicit(right: Floats, selling: Floats, discount: float, width: float) -> Floats:
    """Solve (I - gamma width J) k = right, J having the seats' sales on two diagonals."""
    reach = _GAMMA * width
    solved = np.empty_like(right)
    for seat in range(SEATS_MOST):
        above = reach * selling[seat] * solved[seat - 1] if seat else 0.0
        solved[seat] = (right[seat] + above) / (1.0 + reach * (selling[seat] + discount))
    return solved


def _seat_worth(value: Floats) -> Floats:
    """v_n - v_(n-1), with v_0 = 0; never negative."""
    worth = value.copy()
    worth[1:] -= value[:-1]
    return np.maximum(worth, 0.0)


@lru_cache(maxsize=64)
def _solved(step: int) -> PriceTable:
    return solve(math.exp(step * _SIGMA_STEP))


def table_for(sigma: float) -> PriceTable:
    """The blend of the two solved tables around `sigma`, so that it moves smoothly with it.

    What is blended is monotone wherever both tables are.
    """
    place = math.log(min(max(sigma, SIGMA_LEAST), SIGMA_MOST)) / _SIGMA_STEP
    low = math.floor(place)
    share = place - low
    below, above = _solved(low), _solved(low + 1)
    return PriceTable(
        sigma,
        below.lives,
        below.ratios,
        (1.0 - share) * below.price + share * above.price,
        (1.0 - share) * below.value + share * above.value,
    )


def myopic_price(sigma: float) -> float:
    """The best price where nothing is lost by selling, in units of the level of valuations."""
    margins = lognormal_margins(sigma)
    return float(np.interp(0.0, margins.worth, margins.price))


def sold_share(price: Floats, sigma: float) -> Floats:
    """P(V > price), prices in units of the level of valuations."""
    return upper(np.log(price) / sigma)


def _bilinear(table: Floats, row: Floats, column: Floats) -> Floats:
    rows, columns = table.shape
    row = np.clip(row, 0.0, rows - 1.0)
    column = np.clip(column, 0.0, columns - 1.0)
    top = np.minimum(row.astype(np.intp), rows - 2)
    left = np.minimum(column.astype(np.intp), columns - 2)
    down, across = row - top, column - left
    flat = table.ravel()
    at = top * columns + left
    upper_row = flat[at] * (1.0 - across) + flat[at + 1] * across
    lower_row = flat[at + columns] * (1.0 - across) + flat[at + columns + 1] * across
    return np.asarray(upper_row * (1.0 - down) + lower_row * down)
