"""Why a lead is recommended, in words: of the buyer's own acts and the lead's public facts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.market.sphere import chord_squared_of
from models_ml.recommend.facts import Facts, Floats
from models_ml.recommend.ranking import Scored
from models_ml.recommend.settings import FEATURES
from models_ml.recommend.taste import Act, Taste

REASONS_MAX: Final = 4
EXPLORED: Final = "something else, to widen the choice"
OTHERWISE: Final = "among what is on offer now"
ASKED: Final = "what one of your standing orders asks for"
ASKED_IN_PART: Final = "close to what one of your standing orders asks for"
_DAY_US: Final = 86_400_000_000
# A lead is like another if the cosine of their vectors is so much.
_LIKE: Final = 0.55
_NEAR_SQUARED: Final = chord_squared_of(2_000)
_USUAL_ACTS_LEAST: Final = 3
_USUAL_BAND: Final = (0.1, 0.9)
_WANTED_LEAST: Final = 3.0
_GOOD: Final = 0.8
_LIKE_AN_ACT: Final = {
    "bought": "like a lead you bought on {day}",
    "held": "like a lead you held on {day}",
    "viewed": "like a lead you looked at on {day}",
}


class Reasons:
    """Of candidates that were scored together; `now` in µs."""

    def __init__(
        self, taste: Taste, facts: Facts, popularity: Floats, scored: Scored, now: int
    ) -> None:
        self._taste = taste
        self._facts = facts
        self._popularity = popularity
        self._scored = scored
        self._now = now
        paid = [row for row, act in enumerate(taste.acts) if act.kind != "viewed"]
        self._usual = _band(taste.facts.price[paid])
        bought = [row for row, act in enumerate(taste.acts) if act.kind == "bought"]
        places = taste.facts.place[bought]
        self._is_near_bought = _within(facts.place, places[~np.isnan(places[:, 0])])

    def of(self, place: int) -> list[str]:
        """One at least, REASONS_MAX at most, the most telling first."""
        return list(self._said(place))[:REASONS_MAX] or [OTHERWISE]

    def _said(self, place: int) -> Iterator[str]:
        act = int(self._scored.likest[place])
        if act >= 0 and self._scored.closeness[place] >= _LIKE:
            liked = self._taste.acts[act]
            yield _LIKE_AN_ACT[liked.kind].format(day=_day(liked))
        wish = int(self._scored.wish[place])
        if wish >= 0:
            yield ASKED if self._taste.wishes[wish].is_whole else ASKED_IN_PART
        if self._usual[0] <= self._facts.price[place] <= self._usual[1]:
            yield "within your usual price"
        if self._is_near_bought[place]:
            yield "near a lead you bought"
        age = self._now - int(self._facts.listed_at[place])
        if age < 7 * _DAY_US:
            yield "new today" if age < _DAY_US else "new this week"
        if self._popularity[place] >= _WANTED_LEAST:
            yield "wanted by several buyers"
        if self._facts.quality[place] >= _GOOD:
            yield "much is known of it"


def alike(scored: Scored, place: int) -> list[str]:
    """In what a candidate is like the one lead that it was compared with."""
    found = ["described alike"] if scored.closeness[place] >= _LIKE else []
    found += [said for name, said in _ALIKE.items() if _fits(scored, place, name)]
    return found[:REASONS_MAX] or [OTHERWISE]


_ALIKE: Final = {
    "kind_fit": "the same kind of home",
    "list_price_fit": "about the same list price",
    "place_fit": "close by",
    "size_fit": "about the same size",
}
# A fit is the logarithm of how alike; a fact that is not stated lies below.
_FITS: Final = math.log(0.5)


def _fits(scored: Scored, place: int, name: str) -> bool:
    return bool(scored.features[place, FEATURES.index(name)] >= _FITS)


def _within(places: Floats, others: Floats) -> NDArray[np.bool_]:
    """Which are near to any of the others; a place that is unknown is near to none."""
    if not len(others):
        return np.zeros(len(places), dtype=np.bool_)
    # The squared chord of two points of the unit sphere is 2 less twice their product.
    return np.asarray(2 - 2 * (places @ others.T).max(axis=1) <= _NEAR_SQUARED)


def _band(prices: Floats) -> NDArray[np.float64]:
    """Between which prices, logarithms, most acts were; empty for too few."""
    known = prices[~np.isnan(prices)]
    if len(known) < _USUAL_ACTS_LEAST:
        return np.array([np.inf, -np.inf])
    return np.asarray(np.quantile(known, _USUAL_BAND))


def _day(act: Act) -> str:
    at = datetime.fromtimestamp(act.at / 1_000_000, UTC)
    return f"{at.day} {at:%B %Y}"
