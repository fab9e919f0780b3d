"""What kinds of fraudulent offers the sample world has, and what each does.

Prices run from two fifths of the usual rent to nearly all of it, a part of every kind says
nothing suspicious at all, and many use a phone that was never seen before: no single thing
tells them from honest homes (`lookalikes.py`).
"""

from __future__ import annotations

import random
from typing import Literal, NamedTuple

from engine.intake.sample_world.home import Person
from engine.intake.sample_world.people import (
    crook_anywhere,
    fresh_crook_of,
    scammer_of,
)

Victim = Literal["none", "pictures", "let", "sold"]


class Kind(NamedTuple):
    """`share` is of all scams. Asked is between `cheapest` and `dearest` times the usual rent.
    `fresh` is the share under a contact that nobody else has. The victim is another home,
    whose pictures alone are shown, or that is let or sold and offered as if it were theirs."""

    name: str
    share: int
    cheapest: float
    dearest: float
    fresh: float
    victim: Victim = "none"


KINDS = (
    Kind("price-bait", 12, 0.4, 0.7, 0.3),
    Kind("advance-fee", 16, 0.5, 0.95, 0.5),
    Kind("clone", 14, 0.5, 0.82, 0.5, "let"),
    Kind("hijacked-pictures", 12, 0.6, 0.95, 0.5, "pictures"),
    Kind("absent-owner", 14, 0.5, 0.9, 0.6),
    Kind("application-phishing", 11, 0.65, 1.0, 0.4),
    Kind("rent-to-own", 8, 0.5, 0.9, 0.4),
    Kind("sold-relisted", 8, 0.6, 0.95, 0.5, "sold"),
    Kind("bulk-poster", 12, 0.55, 0.95, 1.0),
)
# Pictures put up anew have a new name, and nobody can tell where they come from.
_PICTURES_PUT_UP_ANEW_SHARE = 0.35
_POINT_ELSEWHERE_SHARE = 0.15
_ANYWHERE_SHARE = 0.35
_BULK_TEXTS = 6


class Plot(NamedTuple):
    """What was drawn for one scam. `text_seed` replaces the own text of a bulk poster's."""

    kind: Kind
    share_asked: float
    person: Person
    shows_victims_pictures: bool
    point_elsewhere: bool
    text_seed: int | None


def plot_of(seed: int, market: str, index: int, rng: random.Random) -> Plot:
    kind = rng.choices(KINDS, [each.share for each in KINDS])[0]
    text_seed = None
    if kind.name == "bulk-poster":
        text_seed = random.Random(f"{seed}/bulk/{rng.randrange(_BULK_TEXTS)}").randrange(2**31)
    return Plot(
        kind=kind,
        share_asked=rng.uniform(kind.cheapest, kind.dearest),
        person=_person(seed, market, index, kind, rng),
        shows_victims_pictures=rng.random() >= _PICTURES_PUT_UP_ANEW_SHARE,
        point_elsewhere=kind.victim in {"none", "pictures"}
        and rng.random() < _POINT_ELSEWHERE_SHARE,
        text_seed=text_seed,
    )


def _person(seed: int, market: str, index: int, kind: Kind, rng: random.Random) -> Person:
    if rng.random() < kind.fresh:
        return fresh_crook_of(market, index, rng)
    if rng.random() < _ANYWHERE_SHARE:
        return crook_anywhere(seed, rng)
    return scammer_of(seed, market, rng)
