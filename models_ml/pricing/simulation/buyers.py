"""Who comes to look at which lead, when, and what they would pay: drawn before any price is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models_ml.pricing.simulation.leads import Leads
from models_ml.pricing.simulation.terms import Bots, Terms
from models_ml.pricing.simulation.weather import Weather

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Accounts are up to so old when the market opens, in hours; some come later.
_OLDEST = 24 * 400
_LATE_SHARE = 0.15
# How unequally accounts look around: the standard deviation of the log of how often.
_ZEAL_SD = 1.0
# The market is not new, only its pricing: it has traded for so many days, and an account buys
# so many leads a day on average.
_TRADED_DAYS = 60
_BOUGHT_A_DAY = 0.15


class Accounts(NamedTuple):
    """`created` in hours since the market opened, before it where negative; `bought` counts leads
    paid for before; `zeal` is how often an account looks around, compared with others."""

    ids: list[str]
    created: Floats
    bought: Ints
    zeal: Floats


class Arrivals(NamedTuple):
    """One buyer looking at one lead; parallel arrays in order of time, in hours.

    `taste` is the standard normal part of the valuation; `manner`, `patience` and `other` are
    uniform draws for how they go about it. No account looks at one lead twice.
    """

    at: Floats
    lead: Ints
    account: Ints
    taste: Floats
    manner: Floats
    patience: Floats
    other: Floats

    @property
    def size(self) -> int:
        return len(self.at)


class BotViews(NamedTuple):
    """Views by accounts that never buy, in order of time; `fresh` numbers their accounts."""

    at: Floats
    lead: Ints
    account: Ints
    created: Floats


def accounts_of(terms: Terms, rng: np.random.Generator) -> Accounts:
    ids = [f"buyer-{number:04d}" for number in range(terms.accounts)]
    created = -_OLDEST * rng.random(terms.accounts)
    late = rng.random(terms.accounts) < _LATE_SHARE
    created[late] = 24 * terms.days * rng.random(int(late.sum()))
    zeal = np.exp(_ZEAL_SD * rng.standard_normal(terms.accounts))
    zeal /= zeal.mean()
    before = np.clip(-created / 24, 0.0, _TRADED_DAYS)
    return Accounts(ids, created, rng.poisson(_BOUGHT_A_DAY * before * zeal), zeal)


def arrivals_of(
    terms: Terms, leads: Leads, accounts: Accounts, weather: Weather, rng: np.random.Generator
) -> Arrivals:
    """A Poisson process for each lead while it is on offer, by thinning (Lewis & Shedler 1979)."""
    most = weather.traffic.max(axis=1)[leads.kind]
    spans = leads.left - leads.listed
    counts = rng.poisson(leads.traffic * most * spans)
    lead = np.repeat(np.arange(leads.size), counts)
    at = leads.listed[lead] + spans[lead] * rng.random(len(lead))
    kind = leads.kind[lead]
    kept = rng.random(len(lead)) * most[lead] < weather.traffic[kind, at.astype(np.int64)]
    lead, at = lead[kept], at[kept]
    account = _distinct(terms, accounts, leads, lead, at, rng)
    # Who would be the second time before a lead is nobody.
    lead, at, account = lead[account >= 0], at[account >= 0], account[account >= 0]
    order = np.argsort(at, kind="stable")
    draws = rng.random((3, len(at)))
    return Arrivals(at[order], lead[order], account[order], rng.standard_normal(len(at)), *draws)


def _distinct(
    terms: Terms,
    accounts: Accounts,
    leads: Leads,
    lead: Ints,
    at: Floats,
    rng: np.random.Generator,
) -> Ints:
    """An account for each arrival, none twice before one lead: for each lead the accounts in an
    order drawn by how often they look around. -1 where there is no other left."""
    # Equal-time order statistics of exponentials: successive draws without replacement.
    order = np.argsort(rng.exponential(1.0, (leads.size, terms.accounts)) / accounts.zeal, axis=1)
    by_lead = np.lexsort((at, lead))
    starts = np.searchsorted(lead[by_lead], np.arange(leads.size))
    account = np.full(len(lead), -1, np.int64)
    for number in range(leads.size):
        end = starts[number + 1] if number + 1 < leads.size else len(lead)
        own = by_lead[starts[number] : end]
        # Nobody looks before they have an account.
        known = order[number][accounts.created[order[number]] <= leads.listed[number]]
        count = min(len(own), len(known))
        account[own[:count]] = known[:count]
    return account


def bot_views_of(
    bots: Bots, leads: Leads, arrivals: Arrivals, rng: np.random.Generator
) -> BotViews:
    """Views spread as the buyers' are, each day from accounts made the day before."""
    chosen = rng.integers(0, arrivals.size, round(bots.views * arrivals.size))
    at: Floats = np.minimum(
        arrivals.at[chosen] + rng.random(len(chosen)), leads.left[arrivals.lead[chosen]] - 1e-6
    )
    order = np.argsort(at, kind="stable")
    at, lead = at[order], arrivals.lead[chosen][order]
    day = (at // 24).astype(np.int64)
    account = day * bots.accounts + rng.integers(0, bots.accounts, len(at))
    made = np.asarray(24.0 * (day - 1.0), np.float64)
    return BotViews(at, lead, account, made)
