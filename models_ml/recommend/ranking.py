"""How far leads fit a taste: features of candidates, and their scores.

Fits are logarithms of weighted shares of a buyer's acts that are alike: 0 if all are, `_LEAST`
logged if none is. A fact that a lead does not state, or that no act does, is like a stranger's:
it neither speaks for the lead nor wipes it out.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.market.sphere import EARTH_RADIUS_M
from models_ml.recommend.facts import UNKNOWN, Facts, Floats
from models_ml.recommend.settings import COLD, FEATURES, Settings
from models_ml.recommend.taste import Taste
from models_ml.recommend.wishes import loudness, met

# How wide "alike" is: in logarithms of USD, square feet and credits, and in metres.
LIST_PRICE_WIDTH: Final = 0.25
AREA_WIDTH: Final = 0.25
PRICE_WIDTH: Final = 0.5
PLACE_WIDTH_M: Final = 3_000.0
_TEXT_SHARPNESS: Final = 12.0
_LEAST: Final = 0.03
_UNSTATED: Final = 0.2
_DAY_US: Final = 86_400_000_000
# Tables of leads by acts, whose digits nobody needs.
Singles = NDArray[np.float32]


class Scored(NamedTuple):
    """`features` are (leads, FEATURES); `likest` the place in the taste's acts of the one that
    speaks most for each lead, -1 without acts, and `closeness` the cosine of their vectors;
    `wish` the place in the taste's wishes of the loudest that asks for it, -1 for none."""

    features: Floats
    likest: NDArray[np.int64]
    closeness: Floats
    wish: NDArray[np.int64]


def features(
    facts: Facts,
    vectors: NDArray[np.float32],
    popularity: Floats,
    taste: Taste,
    now: int,
    settings: Settings,
) -> Scored:
    """Of each lead; `vectors` (leads, dimensions) are of unit length, zero where there is none.
    `popularity` counts who wanted a lead lately, and is 0 or more."""
    count = len(facts.kind)
    found = np.zeros((count, len(FEATURES)))
    likest = np.full(count, -1, dtype=np.int64)
    closeness = np.zeros(count)
    column = {name: place for place, name in enumerate(FEATURES)}
    if len(taste.acts) and count:
        text = _text(vectors, taste)
        fits = _fits(facts, taste)
        weights = taste.weights.astype(np.float32)
        for name, alike in fits.items():
            found[:, column[name]] = _logged(alike @ weights)
        told = np.exp(_TEXT_SHARPNESS * (text - 1))
        facts_alike = fits["kind_fit"] * fits["list_price_fit"]
        facts_alike *= fits["size_fit"]
        facts_alike *= fits["place_fit"]
        # Without a text to compare, as if it were hardly alike.
        joint = np.where(text > 0, told, 0.01) * np.sqrt(facts_alike) * weights
        found[:, column["likeness"]] = np.log(joint.sum(axis=1) + 1e-4)
        likest = np.argmax(joint, axis=1)
        closeness = text[np.arange(count), likest]
        found[:, column["text_likeness"]] = np.log(told @ weights + 1e-4)
    if taste.interests and count:
        interests = np.stack([each.vector for each in taste.interests])
        found[:, column["similarity"]] = (vectors @ interests.T).max(axis=1)
    asks = np.full(count, -1, dtype=np.int64)
    for place, wish in enumerate(taste.wishes):
        loud = loudness(wish, now)
        louder = met(wish, facts) & (found[:, column["asked"]] < loud)
        found[louder, column["asked"]], asks[louder] = loud, place
    age = np.maximum(now - facts.listed_at, 0) / _DAY_US
    found[:, column["freshness"]] = 0.5 ** (age / settings.fresh_days)
    found[:, column["quality"]] = facts.quality
    found[:, column["popularity"]] = np.log1p(popularity)
    return Scored(found, likest, closeness, asks)


def scores(found: Floats, known: float, settings: Settings) -> Floats:
    """Of (leads, FEATURES) for a buyer whose acts weigh `known`: higher is better."""
    warm = np.array([settings.warm[name] for name in FEATURES])
    cold = np.array([settings.cold[name] if name in COLD else 0.0 for name in FEATURES])
    share = known / (known + settings.known_at)
    return np.asarray(found @ (share * warm + (1 - share) * cold))


def _text(vectors: NDArray[np.float32], taste: Taste) -> Singles:
    """(leads, acts): cosines, 0 where one has no vector."""
    return np.asarray(vectors @ taste.vectors.T)


def _fits(facts: Facts, taste: Taste) -> dict[str, Singles]:
    """Each (leads, acts), how alike from 0 to 1."""
    acts = taste.facts
    same_terms = facts.is_lease[:, None] == acts.is_lease
    kinds = (facts.kind[:, None] == acts.kind).astype(np.float32)
    kinds[facts.kind == UNKNOWN] = _UNSTATED
    kinds[:, acts.kind == UNKNOWN] = _UNSTATED
    return {
        "kind_fit": kinds,
        "list_price_fit": same_terms * _near(facts.list_price, acts.list_price, LIST_PRICE_WIDTH),
        "size_fit": _near(facts.area, acts.area, AREA_WIDTH),
        "place_fit": _around(facts.place, acts.place),
        "price_fit": _near(facts.price, acts.price, PRICE_WIDTH),
    }


def _near(ours: Floats, theirs: Floats, width: float) -> Singles:
    scale = width * 2**0.5
    apart = (ours / scale).astype(np.float32)[:, None] - (theirs / scale).astype(np.float32)
    return _bell(np.square(apart, out=apart))


def _around(ours: Floats, theirs: Floats) -> Singles:
    # The squared chord of two points of the unit sphere; NaN if either is unknown.
    squared = np.maximum(2 - 2 * (ours @ theirs.T), 0)
    width = PLACE_WIDTH_M / EARTH_RADIUS_M
    return _bell((squared / (2 * width**2)).astype(np.float32))


def _bell(squared: Singles) -> Singles:
    """exp(-squared), and as of a stranger where that is unknown. Changes its argument."""
    np.negative(squared, out=squared)
    np.exp(squared, out=squared)
    squared[np.isnan(squared)] = _UNSTATED
    return squared


def _logged(share: NDArray[np.floating[Any]]) -> Floats:
    return np.asarray(np.log(_LEAST + (1 - _LEAST) * share))
