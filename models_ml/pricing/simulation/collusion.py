"""How far colluding accounts move prices.

Twice: in twin runs of the same world with and without what they do, where prices also differ by
what then happened otherwise; and in one run whose pricing has a shadow that hears of them, where
nothing else differs, so that every single price can be compared.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.market import events as e
from engine.market.pricing.considering import Signal
from engine.market.pricing.market_prices import MarketPrices
from engine.market.pricing.repricing import view_of
from models_ml.pricing.simulation.desk import OPENED_AT
from models_ml.pricing.simulation.floor import Floor
from models_ml.pricing.simulation.pricers import HOUR_US, RealPricer, Tick
from models_ml.pricing.simulation.schemers import target_of
from models_ml.pricing.simulation.world import World

Floats = npt.NDArray[np.float64]


class Influence(NamedTuple):
    """Relative differences of prices, from when the scheme began.

    In twin runs, means over hours and leads on offer in both with as many seats left: of the
    whole market (`twin_market`) and of the segment aimed at (`twin_target`). In the shadow:
    the mean of that segment (`target`), the mean over its time on offer of the lead, anywhere,
    that differs most (`lead_most`), and the most that any lead differs at any hour (`ever_most`).
    """

    twin_market: float
    twin_target: float
    target: float
    lead_most: float
    ever_most: float


def influence_of(world: World, policy: str) -> Influence:
    """Of the world's colluders on the prices of one of the engine's policies.

    Raises ValueError if nobody colludes in the world.
    """
    collusion = world.terms.collusion
    if collusion is None:
        raise ValueError("nobody colludes in this world")
    acting = Floor(world, RealPricer(policy), acting="market").run()
    pricer = ShadowedPricer(policy, world)
    still = Floor(world, pricer, acting="shadow").run()
    begin = int(24 * collusion.day)
    # Where one seat more was sold by the turn of events, prices differ for that reason.
    both = acting.seats_left[begin:] == still.seats_left[begin:]
    both &= acting.prices[begin:] > 0
    ratio = np.log(np.maximum(1, acting.prices[begin:]) / np.maximum(1, still.prices[begin:]))
    total, hours = np.where(both, ratio, 0.0).sum(axis=0), both.sum(axis=0)
    target = is_target(world)
    return Influence(
        twin_market=_mean(total.sum(), hours.sum()),
        twin_target=_mean(total[target].sum(), hours[target].sum()),
        target=_mean(pricer.total[target].sum(), pricer.hours[target].sum()),
        lead_most=_most(pricer.total / np.maximum(1, pricer.hours)),
        ever_most=_most(pricer.most),
    )


def is_target(world: World) -> npt.NDArray[np.bool_]:
    aimed_at = target_of(world)
    return np.array([key == aimed_at for key in world.leads.segments])


def _mean(total: float, hours: float) -> float:
    return float(np.expm1(total / hours)) if hours else 0.0


def _most(logs: Floats) -> float:
    return float(np.expm1(logs[np.abs(logs).argmax()]))


class ShadowedPricer(RealPricer):
    """Prices as if nobody schemed, beside a shadow that sees the same and the schemers too.

    By number of the lead: `total` and `hours` of ln(shadow's target / own target) while on offer
    since the scheme began, and `most`, the one furthest from 0.
    """

    def __init__(self, policy: str, world: World) -> None:
        super().__init__(policy)
        assert world.terms.collusion is not None
        self._shadow = RealPricer(policy)
        self._begins = OPENED_AT + int(24 * world.terms.collusion.day) * HOUR_US
        self._number = {lead_id: number for number, lead_id in enumerate(world.leads.ids)}
        self.total, self.most = np.zeros(world.leads.size), np.zeros(world.leads.size)
        self.hours = np.zeros(world.leads.size, np.int64)

    def know(self, created_at: dict[str, int]) -> None:
        super().know(created_at)
        self._shadow.know(created_at)

    def credit(self, bought: dict[str, int]) -> None:
        super().credit(bought)
        self._shadow.credit(bought)

    def apply(self, event: e.Event, at: int, parts: Sequence[bytes] = ()) -> None:
        super().apply(event, at, parts)
        self._shadow.apply(event, at, parts)

    def observe(self, signals: Iterable[Signal]) -> None:
        told = list(signals)
        super().observe(told)
        self._shadow.observe(told)

    def value(self, lead_ids: Sequence[str], seen: Sequence[int]) -> None:
        super().value(lead_ids, seen)
        self._shadow.value(lead_ids, seen)

    def pretend(self, signals: list[Signal], events: list[tuple[e.Event, int]]) -> None:
        self._shadow.observe(signals)
        for event, at in events:
            self._shadow.apply(event, at)

    def propose(self, now: int, rng: np.random.Generator) -> list[Tick]:
        same = copy.deepcopy(rng)
        ticks = super().propose(now, rng)
        self._shadow.propose(now, same)
        if now >= self._begins:
            self._compare(now)
        return ticks

    def _compare(self, now: int) -> None:
        columns = self.prices.columns
        rows = columns.offered()
        numbers = np.array([self._number[columns.ids[row]] for row in rows.tolist()], np.intp)
        off = _targets(self._shadow.prices, now) - _targets(self.prices, now)
        self.total[numbers] += off
        self.hours[numbers] += 1
        further = np.abs(off) > np.abs(self.most[numbers])
        self.most[numbers[further]] = off[further]


def _targets(prices: MarketPrices, now: int) -> Floats:
    """What the policy wants of each lead on offer, over its base value, in logs."""
    wanted = prices.arms[0].policy.price(view_of(prices.columns, prices.columns.offered(), now))
    logs: Floats = np.log(wanted.demand) + np.log(wanted.age) + np.log(wanted.seats)
    return logs
