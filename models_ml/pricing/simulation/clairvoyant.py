"""The best posted prices of one who knows arrival rates and demand curves, not the draws.

Expected revenue V of a lead with n seats left obeys (Gallego & van Ryzin 1994)

    -dV_n/dt = rate(t) * max over p of P(value >= p) * (p - (V_n - V_{n-1})) - hazard(age) * V_n

with V_0 = 0 and V = 0 when its time on offer is over. It is solved backwards in steps of an
hour, the time between price ticks, for whole prices that are no lower than the market allows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.market.pricing.rails import Rails
from models_ml.pricing.simulation.world import World

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
SEATS_MOST = 3
# The market's rule for every price, whoever sets it.
LEAST = Rails().floor


class Normal:
    """The standard normal distribution's upper tail, and the price it makes best, by tables."""

    def __init__(self, spread: float) -> None:
        """`spread` is the standard deviation of the logs of valuations around their level."""
        self.spread = spread
        self._points = np.linspace(-6.0, 6.0, 4801)
        density = np.exp(-(self._points**2) / 2) / np.sqrt(2 * np.pi)
        steps = (density[1:] + density[:-1]) / 2 * np.diff(self._points)
        self._tail = np.concatenate((np.cumsum(steps[::-1])[::-1], [0.0]))
        # The best price p over a cost y, both over the level, solves p - y = tail / density of
        # the lognormal there: y as a function of z is rising, so it is read backwards.
        hazard = density[:-1] / self._tail[:-1]
        prices = np.exp(spread * self._points[:-1])
        self._costs = prices * (1 - spread / hazard)
        self._rising = np.maximum.accumulate(self._costs)

    def tail(self, point: Floats) -> Floats:
        """P(Z >= point)."""
        found: Floats = np.interp(point, self._points, self._tail, left=1.0, right=0.0)
        return found

    def sale(self, price: Floats, level: Floats) -> Floats:
        """P(value >= price) for valuations level * exp(spread * Z)."""
        return self.tail(np.log(price / level) / self.spread)

    def best(self, cost: Floats) -> Floats:
        """The price that maximises P(value >= price) * (price - cost), both over the level."""
        point = np.interp(cost, self._rising, self._points[:-1])
        prices: Floats = np.exp(self.spread * point)
        return prices


class Ideal:
    """Best prices and expected revenues for every lead, hour on offer and number of seats left.

    `prices[seats - 1, lead, hour]` and `revenue[seats - 1, lead]` at listing.
    """

    def __init__(self, world: World) -> None:
        terms, leads = world.terms, world.leads
        self._listed = leads.listed
        life = 24 * terms.life_days_most
        self.prices = np.full((SEATS_MOST, leads.size, life), LEAST, np.int32)
        self._normal = Normal(terms.spread)
        self._rival_share = 0.0 if terms.rival is None else terms.rival.share
        rows = np.arange(leads.size)
        worth = np.zeros((SEATS_MOST + 1, leads.size))
        for age in range(life - 1, -1, -1):
            hour = leads.listed + age
            level = world.levels(rows, hour.astype(np.float64) + 0.5)
            rate = leads.traffic * world.weather.traffic[leads.kind, hour]
            stays = np.exp(-terms.churn.hazard_at(np.array([age / 24]))[0] / 24)
            waves = world.weather.rival
            rival = None if waves is None else level * np.exp(waves[hour])
            before = worth.copy()
            for seats in range(1, SEATS_MOST + 1):
                cost = before[seats] - before[seats - 1]
                price, gain = self._best(level, cost, rival)
                worth[seats] = stays * (before[seats] + rate * gain)
                self.prices[seats - 1, :, age] = price
        self.revenue = worth[1:]

    def _best(self, level: Floats, cost: Floats, rival: Floats | None) -> tuple[Ints, Floats]:
        """The best whole price, and what an arrival is then worth beyond the cost of its seat."""
        wanted = level * self._normal.best(cost / level)
        tries = [wanted]
        if rival is not None:
            # Either as if there was no rival, or just as cheap.
            tries.append(np.minimum(wanted, rival))
        best = np.full(len(level), LEAST, np.int64)
        most = np.full(len(level), -np.inf)
        for price in tries:
            for whole in (np.floor(price), np.ceil(price)):
                whole = np.maximum(LEAST, whole)
                gain = self._sale(whole, level, rival) * (whole - cost)
                better = gain > most
                best[better], most[better] = whole[better].astype(np.int64), gain[better]
        return best, np.maximum(most, 0.0)

    def _sale(self, price: Floats, level: Floats, rival: Floats | None) -> Floats:
        sale = self._normal.sale(price, level)
        if rival is None:
            return sale
        return sale * np.where(price > rival, 1 - self._rival_share, 1.0)

    def expected_of(self, world: World) -> float:
        """What the leads listed after the learning period are expected to bring, credits."""
        leads = world.leads
        first = self.revenue[leads.seats - 1, np.arange(leads.size)]
        return float(first[leads.listed >= 24 * world.terms.learning_days].sum())

    def prices_at(self, lead: Ints, hour: int, seats_left: Ints) -> Ints:
        """Of leads on offer at that hour of the run."""
        age = np.minimum(hour - self._listed[lead], self.prices.shape[2] - 1)
        found: Ints = self.prices[seats_left - 1, lead, age].astype(np.int64)
        return found


def expected_revenue(world: World, price_of: Floats, counted: npt.NDArray[np.bool_]) -> float:
    """What the `counted` leads are expected to bring at constant prices, credits in all.

    `price_of` is the price of each lead. The same recursion as of `Ideal`, without a choice.
    """
    terms, leads = world.terms, world.leads
    normal = Normal(terms.spread)
    rows = np.flatnonzero(counted)
    worth = np.zeros((SEATS_MOST + 1, len(rows)))
    for age in range(24 * terms.life_days_most - 1, -1, -1):
        hour = leads.listed[rows] + age
        level = world.levels(rows, hour.astype(np.float64) + 0.5)
        sale = normal.sale(price_of[rows], level)
        if world.weather.rival is not None and terms.rival is not None:
            dearer = price_of[rows] > level * np.exp(world.weather.rival[hour])
            sale *= np.where(dearer, 1 - terms.rival.share, 1.0)
        chance = leads.traffic[rows] * world.weather.traffic[leads.kind[rows], hour] * sale
        stays = np.exp(-terms.churn.hazard_at(np.array([age / 24]))[0] / 24)
        before = worth.copy()
        for seats in range(1, SEATS_MOST + 1):
            gain = price_of[rows] + before[seats - 1] - before[seats]
            worth[seats] = stays * (before[seats] + chance * gain)
    return float(worth[leads.seats[rows], np.arange(len(rows))].sum())
