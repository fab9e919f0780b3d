"""What sets the prices of a simulated market: the pricing of the real one, or one who knows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from engine.market import events as e
from engine.market.commands import REPRICE_LEADS_MAX
from engine.market.pricing import policies
from engine.market.pricing.considering import Signal
from engine.market.pricing.market_prices import MarketPrices
from engine.market.pricing.repricing import Arm
from engine.market.pricing.segments import Segments
from models_ml.pricing.simulation.clairvoyant import Ideal
from models_ml.pricing.simulation.world import World

HOUR_US = 3_600_000_000
Ints = npt.NDArray[np.int64]


class Tick(NamedTuple):
    """New prices of some leads and those before, in step; `parts` may be empty."""

    lead_ids: tuple[str, ...]
    previous: tuple[int, ...]
    prices: tuple[int, ...]
    parts: tuple[bytes, ...]
    reason: str


class Pricer(Protocol):
    """Follows a market and proposes its prices; `at` and `now` in µs."""

    def know(self, created_at: dict[str, int]) -> None:
        """Accounts, and when they were made."""

    def credit(self, bought: dict[str, int]) -> None:
        """Leads that accounts paid for before."""

    def apply(self, event: e.Event, at: int, parts: Sequence[bytes] = ()) -> None:
        """One event of the journal."""

    def observe(self, signals: Iterable[Signal]) -> None:
        """Who saw what, in order of time."""

    def value(self, lead_ids: Sequence[str], seen: Sequence[int]) -> None:
        """Base values of leads new or changed, in thousandths of a credit."""

    def propose(self, now: int, rng: np.random.Generator) -> list[Tick]:
        """Prices that are to change."""


class RealPricer:
    """The engine's own pricing under one of its policies."""

    def __init__(self, policy: str) -> None:
        segments = Segments()
        arm = Arm(policies.number_of(policy), policies.make(policy, segments))
        self.prices = MarketPrices(segments, [arm])

    def know(self, created_at: dict[str, int]) -> None:
        self.prices.accounts.know(created_at)

    def credit(self, bought: dict[str, int]) -> None:
        for user_id, count in bought.items():
            for _ in range(count):
                self.prices.accounts.paid(user_id)

    def apply(self, event: e.Event, at: int, parts: Sequence[bytes] = ()) -> None:
        self.prices.apply(event, at, parts)

    def observe(self, signals: Iterable[Signal]) -> None:
        self.prices.observe(signals)

    def value(self, lead_ids: Sequence[str], seen: Sequence[int]) -> None:
        self.prices.set_base(lead_ids, seen)

    def propose(self, now: int, rng: np.random.Generator) -> list[Tick]:
        return [
            Tick(each.lead_ids, each.previous, each.prices, each.parts, each.reason)
            for each in self.prices.propose(now, rng)
        ]


class KnownPricer:
    """Prices by a rule that learns nothing and is held by no rail; follows what is on offer."""

    def __init__(self, world: World) -> None:
        self._number = {lead_id: number for number, lead_id in enumerate(world.leads.ids)}
        self._left = np.zeros(world.leads.size, np.int64)
        self._price = np.zeros(world.leads.size, np.int64)
        self._ids = world.leads.ids

    def know(self, created_at: dict[str, int]) -> None:
        """Nobody need be trusted."""

    def credit(self, bought: dict[str, int]) -> None:
        """Nobody need be trusted."""

    def observe(self, signals: Iterable[Signal]) -> None:
        """Nothing is to be learnt."""

    def value(self, lead_ids: Sequence[str], seen: Sequence[int]) -> None:
        """Base values are not asked for."""

    def apply(self, event: e.Event, at: int, parts: Sequence[bytes] = ()) -> None:
        match event:
            case e.LeadListed(lead_id=lead_id):
                self._left[self._number[lead_id]] = event.max_buyers
                self._price[self._number[lead_id]] = event.price
            case e.LeadSold(lead_id=lead_id):
                self._left[self._number[lead_id]] -= 1
            case e.LeadWithdrawn(lead_id=lead_id):
                self._left[self._number[lead_id]] = 0
            case e.LeadsRepriced():
                for lead_id, price in zip(event.lead_ids, event.prices, strict=True):
                    self._price[self._number[lead_id]] = price
            case _:
                pass

    def propose(self, now: int, rng: np.random.Generator) -> list[Tick]:
        offered = np.flatnonzero(self._left > 0)
        prices = self.prices_of(offered, self._left[offered], now)
        changed = np.flatnonzero(prices != self._price[offered])
        ticks = []
        for start in range(0, len(changed), REPRICE_LEADS_MAX):
            some = changed[start : start + REPRICE_LEADS_MAX]
            ids = tuple(self._ids[number] for number in offered[some].tolist())
            before = tuple(self._price[offered[some]].tolist())
            ticks.append(Tick(ids, before, tuple(prices[some].tolist()), (), "value"))
        return ticks

    def prices_of(self, lead: Ints, seats_left: Ints, now: int) -> Ints:
        """What each of these leads on offer should cost at `now`."""
        raise NotImplementedError


class ConstantPricer(KnownPricer):
    """The price of each lead, for as long as it is on offer."""

    def __init__(self, world: World, prices: Ints) -> None:
        super().__init__(world)
        self._constant = prices

    def prices_of(self, lead: Ints, seats_left: Ints, now: int) -> Ints:
        return self._constant[lead]


class ClairvoyantPricer(KnownPricer):
    """The best posted prices by dynamic programming on what is hidden from all others."""

    def __init__(self, world: World, ideal: Ideal, opened_at: int) -> None:
        super().__init__(world)
        self._ideal = ideal
        self._opened_at = opened_at

    def prices_of(self, lead: Ints, seats_left: Ints, now: int) -> Ints:
        hour = (now - self._opened_at) // HOUR_US
        return self._ideal.prices_at(lead, hour, seats_left)
