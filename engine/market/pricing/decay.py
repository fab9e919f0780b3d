"""Policy `decay`: base value falling with age alone, whatever the demand."""

from __future__ import annotations

import math

import numpy as np

from engine.market.pricing.fixed import FixedPolicy
from engine.market.pricing.parts import ONE, RATE_SCALE
from engine.market.pricing.policy import LeadView, Multipliers

# As the freshness in a lead's quality: half as much after three weeks.
HALF_LIFE_HOURS = 21 * 24.0
_RATE = math.log(2) / HALF_LIFE_HOURS


class DecayPolicy(FixedPolicy):
    name = "decay"
    version = 1

    def price(self, view: LeadView) -> Multipliers:
        one = np.full(len(view.base), ONE, np.int64)
        age = np.rint(ONE * np.exp(-_RATE * view.age)).astype(np.int64)
        # Rounded down: what is committed to falls no faster than the price does.
        rate = np.full(len(view.base), math.floor(_RATE * RATE_SCALE), np.int64)
        return Multipliers(one, np.maximum(age, 1), one, rate)
