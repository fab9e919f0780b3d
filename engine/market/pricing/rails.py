"""The guard rails of a price: how low, how high, how far at once, and how often."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.market.pricing.parts import CREDIT, Ints

MINUTE_US = 60_000_000
# How far from a price its target must lie to be rounded to another, credits; half is the least.
ROUNDING_SLACK = 0.75


class Bounds(NamedTuple):
    """Credits; parallel arrays."""

    floor: Ints
    ceiling: Ints


class Rails(NamedTuple):
    """What no policy may do.

    Shares are in thousandths: of the base value for `floor_share` and `ceiling_share`, of the
    price before for `step_share` and `material_share`. `floor` and `ceiling` are credits, for
    every lead. A change below the material one is not made, nor one within `cool_down_us` of
    the last, unless what was committed asks for it.
    """

    floor: int = 5
    ceiling: int = 500
    floor_share: int = 150
    ceiling_share: int = 3_000
    step_share: int = 100
    material_share: int = 20
    cool_down_us: int = 15 * MINUTE_US

    def bounds(self, base: Ints) -> Bounds:
        """By the base values, thousandths of a credit."""
        low = base * self.floor_share // (CREDIT * 1_000)
        high = -(-base * self.ceiling_share // (CREDIT * 1_000))
        ceiling = np.clip(high, self.floor, self.ceiling)
        return Bounds(np.minimum(np.maximum(low, self.floor), ceiling), ceiling)

    def steps(self, previous: Ints) -> Ints:
        """The most each price may move, credits: 1 at least."""
        return np.maximum(1, previous * self.step_share // 1_000)

    def is_material(
        self, previous: Ints, prices: Ints, targets: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.bool_]:
        """Whether the change is worth telling. `targets` are the prices before rounding.

        A target that lies just beyond where it rounds to another credit moves nothing: it would
        come back with the next breath, and a cheap lead's price swing by a tenth.
        """
        change = np.clip(targets, prices - 0.5, prices + 0.5)
        change -= previous
        np.abs(change, out=change)
        material: npt.NDArray[np.bool_] = change * 1_000 >= previous * self.material_share
        material &= change >= ROUNDING_SLACK
        material &= prices != previous
        return material
