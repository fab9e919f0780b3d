"""One seeded market: everything that happens in it apart from what prices decide.

Draws are made once and do not depend on prices, so that all policies meet the same leads and
the same buyers (common random numbers), and differ by their prices alone.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models_ml.pricing.simulation.buyers import (
    Accounts,
    Arrivals,
    BotViews,
    accounts_of,
    arrivals_of,
    bot_views_of,
)
from models_ml.pricing.simulation.leads import Leads, leads_of
from models_ml.pricing.simulation.terms import Terms
from models_ml.pricing.simulation.weather import Weather, weather_of

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class World:
    """A market drawn from `seed`; time in hours since it opened."""

    def __init__(self, terms: Terms, seed: int) -> None:
        self.terms = terms
        self.seed = seed
        streams = np.random.SeedSequence(seed).spawn(6)
        leads, weather, accounts, arrivals, bots, prices = map(np.random.default_rng, streams)
        self.leads: Leads = leads_of(terms, seed, leads)
        self.weather: Weather = weather_of(terms, weather)
        self.accounts: Accounts = accounts_of(terms, accounts)
        self.arrivals: Arrivals = arrivals_of(
            terms, self.leads, self.accounts, self.weather, arrivals
        )
        self.bots: BotViews | None = (
            None
            if terms.bots is None
            else bot_views_of(terms.bots, self.leads, self.arrivals, bots)
        )
        # A policy's own draws: the same for all, and in a run again.
        self.prices_seed = int(prices.integers(2**63))

    def levels(self, lead: Ints, at: Floats) -> Floats:
        """The median valuation of each lead `at` an hour, credits."""
        leads, terms = self.leads, self.terms
        logs = leads.effect[lead] - terms.decay * (at - leads.listed[lead])
        logs += self.weather.level[leads.kind[lead], np.minimum(at, terms.hours - 1).astype(int)]
        logs -= np.where(at >= leads.cut[lead], terms.churn.cut, 0.0)
        levels: Floats = leads.base[lead] * np.exp(logs)
        return levels

    def valuations(self) -> Floats:
        """What each arrival would pay at most, credits."""
        arrivals = self.arrivals
        tastes = np.exp(self.terms.spread * arrivals.taste)
        values: Floats = self.levels(arrivals.lead, arrivals.at) * tastes
        return values
