"""What a trained recommender consists of: numbers, each with a name and bounds."""

from __future__ import annotations

import math
from typing import Final, Literal, get_args

import msgspec

from engine.market.fair_housing import inputs

SCHEMA: Final = 1
FEATURES: Final = (
    "similarity",
    "text_likeness",
    "kind_fit",
    "list_price_fit",
    "size_fit",
    "place_fit",
    "price_fit",
    "likeness",
    "asked",
    "freshness",
    "quality",
    "popularity",
)
"""What leads are ranked by; see `ranking.features`."""
COLD: Final = ("asked", "freshness", "quality", "popularity")
"""Those that are known of a lead without knowing anything of the buyer."""
inputs("recommendation", FEATURES)

ActKind = Literal["bought", "held", "viewed"]
ACT_KINDS: Final[tuple[ActKind, ...]] = get_args(ActKind)
INTERESTS_MAX: Final = 5


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`act_weights` and `half_life_days` are of each kind of act; an act of age t counts
    weight * 2^(-t / half life). Acts nearer than `apart` (Ward's distance of unit vectors) are
    one interest, and at most `interests` are kept.

    A lead's score is the warm weights' for a buyer whose acts weigh far more than
    `known_at`, the cold ones' for one without acts, and in between as far as they are known:
    w / (w + known_at). `fresh_days` is the half-life of freshness. Of leads alike, those behind
    the first lose `diversity` times how alike they are. One place in `explore_every` of a buyer
    who is hardly known is given to a lead that few have seen.
    """

    act_weights: dict[str, float]
    half_life_days: dict[str, float]
    interests: int
    apart: float
    known_at: float
    fresh_days: float
    diversity: float
    explore_every: int
    warm: dict[str, float]
    cold: dict[str, float]

    def problem(self) -> str | None:
        """What can't be of these numbers; None if all can."""
        for name, numbers, names in (
            ("act_weights", self.act_weights, ACT_KINDS),
            ("half_life_days", self.half_life_days, ACT_KINDS),
            ("warm", self.warm, FEATURES),
            ("cold", self.cold, COLD),
        ):
            if set(numbers) != set(names):
                return f"{name} must name exactly {', '.join(names)}"
            if not all(math.isfinite(each) and 0 <= each <= 1_000 for each in numbers.values()):
                return f"{name} must be numbers from 0 to 1,000"
        if min(self.half_life_days.values()) <= 0:
            return "half_life_days must be above 0"
        if not 1 <= self.interests <= INTERESTS_MAX:
            return f"interests must be 1 to {INTERESTS_MAX}"
        if not all(0 < each <= 1_000 for each in (self.apart, self.known_at, self.fresh_days)):
            return "apart, known_at and fresh_days must be above 0, and at most 1,000"
        if not 0 <= self.diversity <= 100 or not 2 <= self.explore_every <= 1_000:
            return "diversity must be 0 to 100, explore_every 2 to 1,000"
        return None


STARTING: Final = Settings(
    act_weights={"bought": 1.0, "held": 0.6, "viewed": 0.15},
    half_life_days={"bought": 30.0, "held": 20.0, "viewed": 7.0},
    interests=INTERESTS_MAX,
    apart=1.0,
    known_at=1.0,
    fresh_days=3.0,
    diversity=0.5,
    explore_every=7,
    warm={**dict.fromkeys(FEATURES, 1.0), "similarity": 4.0, "text_likeness": 4.0, "asked": 2.0},
    cold={**dict.fromkeys(COLD, 1.0), "asked": 2.0},
)
"""Where fitting sets out from."""
