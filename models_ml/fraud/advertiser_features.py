"""What the advertiser model looks at: one function for training and for serving.

The names are compiled against the fair-housing allow-list when this module is imported. What
is learnt of the labels comes in by `Knowledge`; rows that a model learns from see only the
knowledge of other advertisers (`out_of_fold`), as later advertisements will.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.market.fair_housing import inputs
from models_ml.fraud.advertisements import Advertisement, Labelled, parts
from models_ml.fraud.knowledge import PAIRS, RATES, Knowledge, facets, learn

SCHEMA: Final = 1
"""Goes up when a feature is added, dropped or means something else."""
FOLDS: Final = 5
_FREE_MAIL = (
    "gmail googlemail hotmail outlook live msn yahoo ymail rocketmail icloud me mac aol gmx web"
    " mail email inbox protonmail proton yandex zoho hushmail tutanota libero virgilio orange"
    " wanadoo laposte free telenet skynet ziggo kpnmail telia"
)
FREE_MAIL: Final = frozenset(_FREE_MAIL.split())
_MOBILE = frozenset({"ios", "android", "windows phone", "blackberry"})


class Feature(NamedTuple):
    """`monotone`: +1 if more of it is never less suspicious, -1 never more, 0 either way. `words`
    say in a reason what it is."""

    name: str
    monotone: Literal[-1, 0, 1]
    words: str


_WORDS = {
    "place": "the place",
    "login": "the country of the session",
    "country": "the country of the home",
    "route": "the way from session to home",
    "mail": "the mail domain",
    "ending": "the ending of the mail domain",
    "program": "browser and system",
    "browser": "the browser",
    "system": "the system",
    "kind": "the kind of home",
    "band": "the price band",
    "picture": "having a picture",
    "completeness": "the profile's completeness",
}
FEATURES: Final = (
    Feature("price_log", 0, "the rent"),
    Feature("price_to_usual", 0, "the rent against what is usual there"),
    Feature("price_round_50", 0, "a rent in whole fifties"),
    Feature("price_round_100", 0, "a rent in whole hundreds"),
    Feature("completeness", 0, "the profile's completeness"),
    Feature("completeness_round", 0, "a completeness in whole fives"),
    Feature("has_picture", -1, "a profile picture"),
    Feature("is_managed", -1, "a managed account"),
    Feature("registration_possible", 0, "registration at the address"),
    Feature("login_elsewhere", 0, "a session from another country than the home's"),
    Feature("program_unknown", 0, "no browser told"),
    Feature("is_mobile", 0, "a mobile device"),
    Feature("mail_free", 0, "a free mail service"),
    *(Feature(f"rate_{each}", 1, f"scams seen with {_WORDS[each]}") for each in RATES),
    *(Feature(f"seen_{each}", 0, f"how often {_WORDS[each]} was seen") for each in RATES),
    *(
        Feature(f"odd_{one}_{two}", 0, f"how {_WORDS[two]} fits {_WORDS[one]}")
        for one, two in PAIRS
    ),
)
NAMES: Final = tuple(feature.name for feature in FEATURES)
PLACES: Final = tuple(
    name for name in NAMES if {"place", "login", "country", "route", "ending"} & {*name.split("_")}
    and name != "login_elsewhere"
)  # fmt: skip
"""Those that know which place or country it is, not only whether two of them agree."""
inputs("fraud", NAMES)


def feature_matrix(ads: Sequence[Advertisement], knowledge: Knowledge) -> NDArray[np.float32]:
    """(advertisements, features), in the order of FEATURES; NaN is unknown."""
    return _matrix(ads, knowledge, knowledge, 0)


def out_of_fold(data: Labelled) -> NDArray[np.float32]:
    """As `feature_matrix`: usual rents and rates by what the four fifths of other advertisers
    tell, counts that look at no label by all rows but the own one."""
    found = np.empty((len(data.advertisements), len(FEATURES)), dtype=np.float32)
    fold = parts(data.advertiser, FOLDS, "knowledge")
    counted = learn(data.advertisements, data.scam)
    for number in range(FOLDS):
        inside = fold == number
        others = data.rows(~inside)
        told = learn(others.advertisements, others.scam)
        found[inside] = _matrix(data.rows(inside).advertisements, told, counted, 1)
    return found


def _matrix(
    ads: Sequence[Advertisement], told: Knowledge, counted: Knowledge, own: int
) -> NDArray[np.float32]:
    found = np.full((len(ads), len(FEATURES)), np.nan, dtype=np.float32)
    for row, ad in enumerate(ads):
        values = facets(ad)
        found[row] = (
            *_own(ad, told),
            *(told.rate(facet, values[facet]) for facet in RATES),
            *(math.log1p(counted.times_seen(facet, values[facet]) - own) for facet in RATES),
            *(counted.odd(first, second, values, own) for first, second in PAIRS),
        )
    return found


def _own(ad: Advertisement, knowledge: Knowledge) -> tuple[float, ...]:
    known = bool(ad.login_country and ad.country)
    price_log = math.log(ad.price) if ad.price > 0 else math.nan
    return (
        price_log,
        price_log - knowledge.usual(ad),
        _whole(ad.price, 50),
        _whole(ad.price, 100),
        ad.completeness,
        _whole(ad.completeness, 5),
        ad.has_picture,
        ad.is_managed,
        ad.registration_possible,
        float(ad.login_country != ad.country) if known else math.nan,
        float(not ad.browser),
        float(ad.system in _MOBILE) if ad.system else math.nan,
        float(is_free_mail(ad.mail_domain)) if ad.mail_domain else math.nan,
    )


def is_free_mail(domain: str) -> bool:
    """`yahoo.it` and `hotmail.co.uk` are free mail services."""
    return domain.partition(".")[0] in FREE_MAIL


def _whole(value: float, step: int) -> float:
    return math.nan if math.isnan(value) else float(value % step == 0)
