"""A market played through: leads come and go, buyers look, hold and buy by their hidden tastes."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models_ml.recommend.simulation.homes import Homes
from models_ml.recommend.simulation.tastes import (
    Floats,
    Seen,
    Segment,
    Weights,
    draw_segment,
    draw_weights,
    seen,
    worth,
)

DAY_US: Final = 86_400_000_000
DAYS: Final = 60
# Leads are listed from so many days before the first.
_BEFORE: Final = 15
_ON_OFFER_DAYS: Final = 18.0
_VISITS_A_DAY: Final = 0.55
_LATE_SHARE: Final = 0.25
_LATE_DAY: Final = 46
_SHOWN_AT_RANDOM: Final = 80
_SHOWN_NEWEST: Final = 10
_VIEWED: Final = 3
_BUYS: Final = 0.6
_HOLDS: Final = 0.3
_BY_CHANCE: Final = 0.08
_DRIFTS: Final = 0.4
_APPEAL_SD: Final = 0.4
_CHANCE: Final = 0.5
# How long before its purchase a visit begins.
_VISIT_DAYS: Final = 0.003

Kind = Literal["listed", "gone", "visit", "viewed", "held", "bought"]


class Event(NamedTuple):
    """`at` is in days; `home` a place in the homes, `buyer` a number, -1 without one. A visit
    comes before what is done in it, and its `home` is the one that will be bought."""

    at: float
    kind: Kind
    home: int
    buyer: int
    is_noise: bool = False


class Buyer(NamedTuple):
    """From `turns_at` (days) on, the later segments are what is looked for."""

    weights: Weights
    segments: list[Segment]
    later: list[Segment]
    shares: Floats
    turns_at: float
    enters: float


class Played(NamedTuple):
    """`events` in order of time; `appeal` is what all buyers see in each home."""

    homes: Homes
    buyers: list[Buyer]
    events: list[Event]
    about: Seen
    appeal: Floats


def play(homes: Homes, buyers: int, seed: int) -> Played:
    """The market of `buyers` over DAYS days; the same seed plays the same."""
    rng = np.random.default_rng(seed)
    about = seen(homes)
    appeal = rng.normal(0.0, _APPEAL_SD, len(homes.lead_ids))
    drawn = [_buyer(about, rng) for _ in range(buyers)]
    market = _Market(homes, about, appeal, drawn, rng)
    return Played(homes, drawn, market.run(), about, appeal)


def wanted(played: Played, buyer: int, at: float) -> Floats:
    """What each home is worth to the buyer at a time, the best segment's, without chance."""
    one = played.buyers[buyer]
    values = [worth(played.about, each, one.weights) for each in segments_at(one, at)]
    return np.asarray(np.max(values, axis=0) + played.appeal)


def segments_at(buyer: Buyer, at: float) -> list[Segment]:
    return buyer.later if at >= buyer.turns_at else buyer.segments


def _buyer(about: Seen, rng: np.random.Generator) -> Buyer:
    count = int(rng.choice((1, 2, 3, 4), p=(0.2, 0.35, 0.3, 0.15)))
    segments = [draw_segment(about, rng) for _ in range(count)]
    later, turns_at = list(segments), float("inf")
    if rng.random() < _DRIFTS:
        later[int(rng.integers(count))] = draw_segment(about, rng)
        turns_at = float(rng.uniform(15, 52))
    late = rng.random() < _LATE_SHARE
    enters = float(rng.uniform(_LATE_DAY, DAYS)) if late else 0.0
    return Buyer(
        draw_weights(rng), segments, later, rng.dirichlet(np.full(count, 2.0)), turns_at, enters
    )


class _Market:
    def __init__(
        self,
        homes: Homes,
        about: Seen,
        appeal: Floats,
        buyers: list[Buyer],
        rng: np.random.Generator,
    ) -> None:
        self._about = about
        self._appeal = appeal
        self._buyers = buyers
        self._rng = rng
        size = len(homes.lead_ids)
        self._listed_at = np.sort(rng.uniform(-_BEFORE, DAYS, size))[rng.permutation(size)]
        self._goes_at = self._listed_at + rng.exponential(_ON_OFFER_DAYS, size)
        self._left = homes.seats.copy()
        self._bought: list[set[int]] = [set() for _ in buyers]
        self._worth: dict[tuple[int, int, bool], Floats] = {}

    def run(self) -> list[Event]:
        events: list[Event] = []
        visits = sorted(
            (float(at), number)
            for number, buyer in enumerate(self._buyers)
            for at in self._rng.uniform(
                buyer.enters, DAYS, self._rng.poisson(_VISITS_A_DAY * (DAYS - buyer.enters))
            )
        )
        for at, number in visits:
            events += self._visit(at, number)
        for home, (listed_at, goes_at) in enumerate(
            zip(self._listed_at, self._goes_at, strict=True)
        ):
            events.append(Event(float(listed_at), "listed", home, -1))
            if goes_at < DAYS:
                events.append(Event(float(goes_at) + 1e-9, "gone", home, -1))
        return sorted(events, key=lambda event: event.at)

    def _visit(self, at: float, number: int) -> list[Event]:
        open_now = np.flatnonzero(
            (self._listed_at <= at - _VISIT_DAYS) & (self._goes_at > at) & (self._left > 0)
        )
        mine = self._bought[number]
        open_now = np.setdiff1d(open_now, list(mine), assume_unique=True)
        if len(open_now) < _SHOWN_NEWEST:
            return []
        shown = self._shown(open_now)
        if self._rng.random() < _BY_CHANCE:
            return self._buy(at, number, int(self._rng.choice(shown)), is_noise=True)
        values = self._values(number, at)[shown]
        values = values + self._appeal[shown] + self._rng.gumbel(0.0, _CHANCE, len(shown))
        best = shown[np.argsort(-values)[:_VIEWED]]
        events = [Event(at - 0.002, "viewed", int(home), number) for home in best]
        if self._rng.random() < _HOLDS:
            events.append(Event(at - 0.001, "held", int(best[self._rng.integers(2)]), number))
        if self._rng.random() < _BUYS:
            events += self._buy(at, number, int(best[0]), is_noise=False)
        return events

    def _shown(self, open_now: NDArray[np.int64]) -> NDArray[np.int64]:
        """What a buyer happens to find: some at random, and the newest."""
        count = min(_SHOWN_AT_RANDOM, len(open_now))
        some = self._rng.choice(open_now, size=count, replace=False)
        newest = open_now[np.argsort(-self._listed_at[open_now])[:_SHOWN_NEWEST]]
        return np.union1d(some, newest)

    def _values(self, number: int, at: float) -> Floats:
        """What the homes are worth to the segment that the buyer looks for this time."""
        buyer = self._buyers[number]
        turned = at >= buyer.turns_at
        which = int(self._rng.choice(len(buyer.shares), p=buyer.shares))
        key = (number, which, turned)
        if key not in self._worth:
            segment = segments_at(buyer, at)[which]
            self._worth[key] = worth(self._about, segment, buyer.weights)
        return self._worth[key]

    def _buy(self, at: float, number: int, home: int, *, is_noise: bool) -> list[Event]:
        self._left[home] -= 1
        self._bought[number].add(home)
        if not self._left[home]:
            self._goes_at[home] = at
        return [
            Event(at - _VISIT_DAYS, "visit", home, number, is_noise),
            Event(at, "bought", home, number, is_noise),
        ]
