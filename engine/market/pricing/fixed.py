"""Policy `fixed`: a lead costs its base value for as long as it is on offer."""

from __future__ import annotations

import numpy as np

from engine.market.pricing.parts import ONE
from engine.market.pricing.policy import Chance, Floats, LeadView, Multipliers, Trials


class FixedPolicy:
    name = "fixed"
    version = 1

    def learn(self, trials: Trials, now: int) -> None:
        """Nothing is learnt."""

    def pass_time(self, exposure: Floats, left: Floats, hours: float, now: int) -> None:
        """Time changes nothing."""

    def decide(self, now: int, rng: Chance) -> None:
        """Nothing is to be decided."""

    def price(self, view: LeadView) -> Multipliers:
        one = np.full(len(view.base), ONE, np.int64)
        return Multipliers(one, one, one, np.zeros(len(view.base), np.int64))

    def dump(self) -> bytes:
        return b""

    def load(self, data: bytes) -> None:
        if data:
            raise ValueError("the fixed policy keeps nothing, so this is not its dump")
