"""What a table of labelled advertisements says of words and prices: counts, and nothing else.

A rate is how often scams were among those seen with the same value (of a place, a browser, a
mail domain), drawn towards the rate of all by a weight of 20 advertisements. How odd two values
are together is counted without looking at labels.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models_ml.fraud.advertisements import Advertisement

WEIGHT: Final = 20.0
PAIR_WEIGHT: Final = 3.0
MEDIAN_OF_LEAST: Final = 5
JOINT: Final = "\x1f"
RATES: Final = ("place", "login", "country", "route", "mail", "program", "kind")
PAIRS: Final = (
    ("place", "country"), ("place", "login"), ("country", "login"), ("login", "mail"),
    ("country", "mail"), ("country", "ending"), ("mail", "browser"), ("login", "browser"),
    ("kind", "band"), ("place", "band"), ("browser", "system"), ("picture", "completeness"),
)  # fmt: skip


class Knowledge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`seen` and `scams` by facet and value, `together` by pair of facets and joined values,
    `usual_log` the median ln price by place and kind, country and kind, kind, and "" of all."""

    rows: int
    scam_rows: int
    seen: dict[str, dict[str, int]]
    scams: dict[str, dict[str, int]]
    together: dict[str, dict[str, int]]
    usual_log: dict[str, float]

    def rate(self, facet: str, value: str) -> float:
        """Log odds of a scam among those seen with the value, drawn towards the odds of all."""
        overall = (self.scam_rows + 0.5) / (self.rows + 1)
        scams = self.scams[facet].get(value, 0) + WEIGHT * overall
        honest = self.times_seen(facet, value) - self.scams[facet].get(value, 0)
        return math.log(scams / (honest + WEIGHT * (1 - overall)))

    def times_seen(self, facet: str, value: str) -> int:
        return self.seen[facet].get(value, 0)

    def odd(self, first: str, second: str, values: Mapping[str, str], own: int = 0) -> float:
        """ln chance of the second value among those with the first, drawn towards its share of
        all: the lower, the odder. `own` is 1 for an advertisement that was itself counted."""
        one, other = values[first], values[second]
        share = max(self.times_seen(second, other) - own, 0.2) / max(1, self.rows)
        both = self.together[first + JOINT + second].get(one + JOINT + other, 0) - own
        return math.log(
            (both + PAIR_WEIGHT * share) / (self.times_seen(first, one) - own + PAIR_WEIGHT)
        )

    def usual(self, ad: Advertisement) -> float:
        """The median ln price of the narrowest group with 5 prices; NaN if there is none."""
        for group in _groups(ad):
            if group in self.usual_log:
                return self.usual_log[group]
        return math.nan


def facets(ad: Advertisement) -> dict[str, str]:
    """The values that are counted."""
    return {
        "place": ad.place,
        "login": ad.login_country,
        "country": ad.country,
        "route": ad.login_country + JOINT + ad.country,
        "mail": ad.mail_domain,
        "ending": ad.mail_domain.rpartition(".")[2],
        "program": ad.browser + JOINT + ad.system,
        "browser": ad.browser,
        "system": ad.system,
        "kind": ad.kind,
        "band": "" if math.isnan(ad.price) else str(math.floor(math.log(ad.price) * 4)),
        "picture": f"{ad.has_picture:.0f}",
        "completeness": f"{ad.completeness:.0f}",
    }


def learn(ads: Sequence[Advertisement], scam: NDArray[np.bool_]) -> Knowledge:
    """Counts over the advertisements."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    scams: dict[str, Counter[str]] = {facet: Counter() for facet in RATES}
    together: dict[str, Counter[str]] = {JOINT.join(pair): Counter() for pair in PAIRS}
    prices: dict[str, list[float]] = defaultdict(list)
    for ad, is_scam in zip(ads, scam.tolist(), strict=True):
        values = facets(ad)
        for facet, value in values.items():
            seen[facet][value] += 1
        for first, second in PAIRS:
            together[first + JOINT + second][values[first] + JOINT + values[second]] += 1
        if is_scam:
            for facet in RATES:
                scams[facet][values[facet]] += 1
        if not math.isnan(ad.price):
            for group in _groups(ad):
                prices[group].append(math.log(ad.price))
    usual = {
        group: round(median(found), 4)
        for group, found in prices.items()
        if len(found) >= MEDIAN_OF_LEAST
    }
    return Knowledge(
        len(ads),
        int(scam.sum()),
        {facet: dict(found) for facet, found in seen.items()},
        {facet: dict(found) for facet, found in scams.items()},
        {pair: dict(found) for pair, found in together.items()},
        usual,
    )


def _groups(ad: Advertisement) -> tuple[str, ...]:
    return (
        JOINT.join(("place", ad.place, ad.kind)),
        JOINT.join(("country", ad.country, ad.kind)),
        JOINT.join(("kind", ad.kind)),
        "",
    )
