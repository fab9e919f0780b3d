"""What a simulated market is like: plain numbers, one value for each thing that can be set."""

from __future__ import annotations

import msgspec

from models_ml.pricing.churn import DALLAS_2026, Churn

# Offered for sale or lease, and the group of the property's type; as the segments tell them.
KINDS = ("sale house", "sale attached", "lease house", "lease attached")
ALL_KINDS = -1


class Shock(msgspec.Struct, frozen=True, kw_only=True):
    """From `day` until `until_day` values are times exp(`level`) and arrivals times exp(`traffic`)
    for leads of kind number `kind`, or of all."""

    day: float
    until_day: float
    kind: int = ALL_KINDS
    level: float = 0.0
    traffic: float = 0.0


class Rival(msgspec.Struct, frozen=True, kw_only=True):
    """Another market that has the same leads: `share` of the buyers buy there when it is cheaper.

    Its price is the lead's hidden value level times exp(`middle` + a slow wave of standard
    deviation `sd` that forgets half in `half_life_days`).
    """

    share: float = 0.5
    middle: float = 0.15
    sd: float = 0.25
    half_life_days: float = 3.0


class Bots(msgspec.Struct, frozen=True, kw_only=True):
    """`views` for each view of a buyer, from accounts made a day before, `accounts` a day;
    none ever buys."""

    views: float = 3.0
    accounts: int = 40


class Collusion(msgspec.Struct, frozen=True, kw_only=True):
    """`accounts` act together on the leads of one segment from `day` on: every `every_hours` each
    views all of them, and holds and gives back one. `paid` leads each bought long before;
    they registered `age_days` before the market opens."""

    accounts: int = 10
    day: float = 14.0
    every_hours: int = 6
    paid: int = 0
    age_days: float = 0.0


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """Values are in logs unless said otherwise.

    Leads are listed for `days`; those of the first `learning_days` are not counted. Each is on
    offer for `life_days_most` at most, so the market runs that much longer. A buyer values a
    lead at base * exp(segment + level - decay * age + spread * N(0, 1)).
    """

    days: int = 28
    learning_days: int = 10
    life_days_most: int = 21
    leads: int = 2_000
    arrivals: int = 40_000
    accounts: int = 400
    areas: int = 6
    churn: Churn = DALLAS_2026
    half_life_days: float = 10.0
    spread: float = 0.4
    # Hidden effects: of kind and price band, of the area, of both together; 0.25 in all.
    band_sd: float = 0.15
    area_sd: float = 0.12
    segment_sd: float = 0.16
    level_sd: float = 0.15
    traffic_sd: float = 0.3
    # What a policy sees of the base: noise, and wrong weights of price, quality, exclusivity
    # (three of them); 0.1 off in all.
    base_noise: float = 0.08
    misweighted: float = 0.035
    # Of the buyers who would pay the price; of those who would not.
    held_share: float = 0.3
    idle_hold_share: float = 0.03
    standing_share: float = 0.03
    impressions: int = 2
    has_rhythm: bool = False
    shocks: tuple[Shock, ...] = ()
    rival: Rival | None = None
    bots: Bots | None = None
    collusion: Collusion | None = None

    @property
    def hours(self) -> int:
        """How long the market runs."""
        return 24 * (self.days + self.life_days_most)

    @property
    def decay(self) -> float:
        """Of values, an hour."""
        return 0.6931471805599453 / (24 * self.half_life_days)


SCENARIOS: dict[str, Terms] = {
    "stationary": Terms(),
    "rhythm": Terms(has_rhythm=True),
    "shock": Terms(
        has_rhythm=True,
        shocks=(
            Shock(day=15, until_day=99, level=-0.35),
            Shock(day=21, until_day=99, kind=0, level=0.3, traffic=0.7),
        ),
    ),
    "rival": Terms(has_rhythm=True, rival=Rival()),
    "bots": Terms(has_rhythm=True, bots=Bots()),
    "collusion": Terms(has_rhythm=True, collusion=Collusion()),
}
