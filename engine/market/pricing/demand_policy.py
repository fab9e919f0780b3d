"""Policy `demand`: learns what buyers pay and how often they come, and prices for most revenue.

Price = argmax of expected revenue over the remaining life under demand as it is sampled from what
is believed (Thompson sampling), see docs/pricing.md.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np

from engine.market.pricing.arrivals import Arrivals
from engine.market.pricing.demand_curve import Curve, DemandCurve
from engine.market.pricing.gliding_draws import GlidingDraws
from engine.market.pricing.hierarchy import HasParents, Hierarchy
from engine.market.pricing.parts import HOUR_US
from engine.market.pricing.policy import Chance, Floats, LeadView, Multipliers, Trials
from engine.market.pricing.price_lookup import Decided, PriceLookup

# Share of the posterior's deviation that is explored. Buyers teach the level whatever the price
# is, so less than a full draw is enough for what only different prices teach (the steepness).
EXPLORATION = 0.5
# Segments' levels and arrivals come so near (1 - 1/e) to what is believed in so many hours.
APPROACH_HOURS = 12.0
# The market's level, steepness and fading.
_MARKET_DRAWS = 3
# Trials that wait for the next decision; more are learnt from at once.
WAITING_MOST = 50_000
_FORMAT = 1


class DemandPolicy:
    name = "demand"
    version = 1

    def __init__(self, segments: HasParents) -> None:
        self._hierarchy = Hierarchy(segments)
        self._curve = DemandCurve(self._hierarchy)
        self._arrivals = Arrivals(self._hierarchy)
        self._market_draws = GlidingDraws(_MARKET_DRAWS)
        self._draws = GlidingDraws(len(self._hierarchy))
        self._waiting: list[Trials] = []
        self._decided_at: int | None = None
        self._decided = self._sampled()
        self._lookup = PriceLookup(self._decided)

    @property
    def decided(self) -> Decided:
        """What prices follow from at present."""
        return self._decided

    @property
    def believed(self) -> Curve:
        """The demand curve in the mean, without exploration; as of the last decision."""
        self._hierarchy.follow()
        return self._curve.curve()

    def profile(self) -> Floats:
        """Arrivals by hour of the week (UTC, from Monday) as a share of the mean."""
        return self._arrivals.profile()

    def learn(self, trials: Trials, now: int) -> None:
        """Take in decisions, those of one call in no order. The arrays are kept until the next
        `decide`, not copied."""
        self._hierarchy.follow()
        self._arrivals.learn(trials)
        self._waiting.append(trials)
        if sum(len(waiting.x) for waiting in self._waiting) > WAITING_MOST:
            self._learn_waiting()

    def pass_time(self, exposure: Floats, left: Floats, hours: float, now: int) -> None:
        """By segment: lead-hours on offer in the last `hours`, and leads withdrawn in them."""
        self._hierarchy.follow()
        self._arrivals.pass_time(exposure, left, hours, now)

    def decide(self, now: int, rng: Chance) -> None:
        """Bring estimates, draws and tables up to `now`."""
        self._hierarchy.follow()
        self._draws.grow(len(self._hierarchy))
        hours = 0.0
        if self._decided_at is not None:
            hours = max(0, now - self._decided_at) / HOUR_US
            self._curve.forget(hours)
            self._market_draws.advance(hours, rng)
            self._draws.advance(hours, rng)
        self._decided_at = now
        self._learn_waiting()
        self._decided = _approached(self._decided, self._sampled(), self._hierarchy, hours)
        self._lookup = PriceLookup(self._decided)

    def price(self, view: LeadView) -> Multipliers:
        """By what was decided last; changes nothing."""
        if len(view.segment) and int(view.segment.max()) >= len(self._lookup):
            view = view._replace(segment=self._known(view.segment))
        return self._lookup.price(view)

    def _known(self, segment: np.ndarray[Any, np.dtype[np.int32]]) -> Any:
        """The nearest ancestors that were decided for."""
        self._hierarchy.follow()
        known = segment.astype(np.intp)
        while (new := known >= len(self._lookup)).any():
            known[new] = self._hierarchy.parents[known[new]]
        return known

    def _learn_waiting(self) -> None:
        if self._waiting:
            columns = zip(*self._waiting, strict=True)
            self._curve.learn(Trials(*(np.concatenate(column) for column in columns)))
            self._waiting = []

    def _sampled(self) -> Decided:
        curve = self._curve.curve(
            EXPLORATION * self._market_draws.values, EXPLORATION * self._draws.values
        )
        return Decided(
            curve.level, self._arrivals.rates(), curve.sigma, curve.decay, self._arrivals.hazard()
        )

    def dump(self) -> bytes:
        """Everything that later decisions depend on."""
        return msgspec.msgpack.encode(
            {
                "format": _FORMAT,
                "policy": [self.name, self.version],
                "decided_at": self._decided_at,
                "curve": self._curve.dump(),
                "arrivals": self._arrivals.dump(),
                "market_draws": self._market_draws.dump(),
                "draws": self._draws.dump(),
                "decided": [
                    self._decided.level.tobytes(),
                    self._decided.arrivals.tobytes(),
                    *self._decided[2:],
                ],
                "waiting": [[column.tobytes() for column in trials] for trials in self._waiting],
            }
        )

    def load(self, data: bytes) -> None:
        """Raises ValueError on what is no dump of this policy and version."""
        try:
            dumped = msgspec.msgpack.decode(data)
            if (dumped["format"], dumped["policy"]) != (_FORMAT, [self.name, self.version]):
                raise ValueError("this is the dump of another policy")
            self._load(dumped)
        except (msgspec.DecodeError, KeyError, TypeError) as error:
            raise ValueError("this is no dump of the demand policy") from error

    def _load(self, dumped: dict[str, Any]) -> None:
        self._hierarchy.follow()
        self._curve.load(dumped["curve"])
        self._arrivals.load(dumped["arrivals"])
        self._market_draws.load(dumped["market_draws"])
        self._draws.load(dumped["draws"])
        self._decided_at = dumped["decided_at"]
        level, arrivals, sigma, decay, hazard = dumped["decided"]
        self._decided = Decided(
            np.frombuffer(level, np.float64),
            np.frombuffer(arrivals, np.float64),
            sigma,
            decay,
            hazard,
        )
        self._lookup = PriceLookup(self._decided)
        self._waiting = [
            Trials(*(np.frombuffer(c, kind) for c, kind in zip(columns, _TRIAL_TYPES, strict=True)))
            for columns in dumped["waiting"]
        ]


def _approached(before: Decided, now: Decided, hierarchy: Hierarchy, hours: float) -> Decided:
    """Where segments' levels and arrivals are on their way from `before` to `now`, relative to
    the market's: one buyer more or less in a thin segment does not make its prices jump."""
    share = -math.expm1(-hours / APPROACH_HOURS)
    return now._replace(
        level=_approach(before.level, now.level, hierarchy, share),
        arrivals=np.exp(_approach(np.log(before.arrivals), np.log(now.arrivals), hierarchy, share)),
    )


def _approach(before: Floats, now: Floats, hierarchy: Hierarchy, share: float) -> Floats:
    """A segment that is new starts as its parent."""
    known = len(before)
    own = np.concatenate((before, np.zeros(len(now) - known))) - before[0]
    for place in range(known, len(now)):
        own[place] = own[hierarchy.parents[place]]
    return np.asarray(now[0] + own + share * (now - now[0] - own))


_TRIAL_TYPES = (np.int32, np.float64, np.float64, np.float64, np.bool_, np.int64)
