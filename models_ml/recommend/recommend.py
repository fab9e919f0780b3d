"""From a taste and a market's shelf to a ranked list, each with its reasons."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.market.sphere import EARTH_RADIUS_M
from models_ml.recommend.facts import Facts, Floats
from models_ml.recommend.greatest import greatest
from models_ml.recommend.ranking import features
from models_ml.recommend.ranking import scores as scores_of
from models_ml.recommend.reasons import EXPLORED, Reasons, alike
from models_ml.recommend.settings import FEATURES, Settings
from models_ml.recommend.shelf import Asked, Rows, Shelf
from models_ml.recommend.taste import Act, Past, Taste, taste_of
from models_ml.recommend.wishes import met

PICKS_MAX: Final = 100
# Candidates of each interest, of the newest, of the most wanted, of each kind of home that a
# buyer usually takes at his price and place, and of each of his loudest standing orders.
NEAREST: Final = 60
_NEWEST: Final = 60
_WANTED: Final = 60
_USUAL: Final = 50
_USUAL_ACTS: Final = 3
_ASKED: Final = 50
_ASKED_ORDERS: Final = 3
# In logarithms of USD.
_ABOUT: Final = 0.5
# Nearest leads are first looked for so far north and south, 5 km, on the unit sphere.
_STRIP: Final = 5_000 / EARTH_RADIUS_M
# Below every cosine: of a place that is not known, and of another price.
_NOWHERE: Final = -2.0
_NOT_ABOUT: Final = -3.0
# Leads among which some are shown to buyers of whom little is known.
_EXPLORED: Final = 200
# So much further down than it is long, and at least so far, a list is made less alike.
_DIVERSIFIED: Final = 2
_DIVERSIFIED_LEAST: Final = 60
_DAY_US: Final = 86_400_000_000
# A buyer with less behind him is hardly known.
_HARDLY_KNOWN: Final = 1.0


class Pick(NamedTuple):
    """`score` is in (0, 1): how far up the list it came from, comparable within one answer."""

    lead_id: str
    market: str
    score: float
    reasons: list[str]


def recommend(
    shelves: Sequence[Shelf],
    taste: Taste,
    asked: Asked,
    limit: int,
    now: int,
    settings: Settings,
    *,
    discount_percent: int = 0,
    seed: str = "",
) -> list[Pick]:
    """The best `limit` leads of these markets for a buyer, best first.

    `now` is µs; `discount_percent` is the buyer's plan's, for what he would pay; `seed` decides
    what is explored. Raises ValueError for a limit that is not 1 to PICKS_MAX.
    """
    if not 1 <= limit <= PICKS_MAX:
        raise ValueError(f"limit is {limit}; 1 to {PICKS_MAX} leads can be recommended")
    # Of several markets each gives fewer: together they fill one list.
    share = 2 / (len(shelves) + 1)
    parts = [
        _ranked(shelf, taste, asked, now, settings, discount_percent, share) for shelf in shelves
    ]
    kept = _diverse([each for each in parts if len(each.rows)], limit, settings)
    if taste.known < _HARDLY_KNOWN:
        kept = _with_explored(kept, shelves, asked, limit, now, settings, seed)
    return kept[:limit]


def similar(
    shelf: Shelf,
    facts: Facts,
    vector: NDArray[np.float32],
    asked: Asked,
    limit: int,
    now: int,
    settings: Settings,
) -> list[Pick]:
    """The `limit` leads of a market that are most like one lead: `facts` of one row, `vector`
    (dimensions,), zero if it has none. Raises ValueError for a limit beyond PICKS_MAX."""
    if not 1 <= limit <= PICKS_MAX:
        raise ValueError(f"limit is {limit}; 1 to {PICKS_MAX} leads can be asked for")
    one = Past([Act("", "viewed", now)], facts, vector[None, :])
    taste = taste_of(one, now, settings)
    rows = candidates(shelf, taste, shelf.allowed(asked))
    there, vectors = shelf.facts(rows), shelf.vectors(rows)
    scored = features(there, vectors, np.zeros(len(rows)), taste, now, settings)
    score = scored.features @ _ALIKE
    best = np.argsort(-score, kind="stable")[:limit]
    values = np.exp(score[best] / _ALIKE.sum())
    ids = shelf.lead_ids(rows[best])
    return [
        Pick(lead_id, shelf.market, round(float(value), 4), alike(scored, int(place)))
        for lead_id, value, place in zip(ids, values, best, strict=True)
    ]


# What makes leads alike, whatever a buyer wants: the text and four facts.
_ALIKE: Final = np.array(
    [
        {
            "text_likeness": 1.0,
            "kind_fit": 1.0,
            "list_price_fit": 1.0,
            "size_fit": 0.5,
            "place_fit": 0.5,
        }.get(name, 0.0)
        for name in FEATURES
    ]
)


class _Part(NamedTuple):
    """A market's candidates, in no order."""

    shelf: Shelf
    rows: Rows
    score: Floats
    vectors: NDArray[np.float32]
    reasons: Reasons


def _ranked(
    shelf: Shelf,
    taste: Taste,
    asked: Asked,
    now: int,
    settings: Settings,
    discount_percent: int,
    share: float,
) -> _Part:
    allowed = shelf.allowed(asked)
    taste = taste._replace(wishes=[each for each in taste.wishes if each.market == shelf.market])
    rows = candidates(shelf, taste, allowed, share)
    vectors, facts = shelf.vectors(rows), shelf.facts(rows)
    # Prices and the orders' bounds alike, for bounds are on prices before the discount.
    saved = float(np.log1p(-discount_percent / 100))
    facts = facts._replace(price=facts.price + saved)
    paid = [each._replace(price_most=each.price_most + saved) for each in taste.wishes]
    taste = taste._replace(wishes=paid)
    popularity = shelf.popularity(rows, now)
    scored = features(facts, vectors, popularity, taste, now, settings)
    reasons = Reasons(taste, facts, popularity, scored, now)
    score = scores_of(scored.features, taste.known, settings)
    return _Part(shelf, rows, score, vectors, reasons)


def candidates(shelf: Shelf, taste: Taste, allowed: NDArray[np.bool_], share: float = 1.0) -> Rows:
    """Leads that may fit, a few hundred at most, ascending; of each sort `share` of the usual
    number."""

    def some(count: int) -> int:
        return math.ceil(count * share)

    there = np.flatnonzero(allowed)
    found = [shelf.newest(some(_NEWEST), there), shelf.most_wanted(some(_WANTED), there)]
    if taste.interests and taste.interests[0].vector.shape == (shelf.dimensions,):
        vectors = np.stack([each.vector for each in taste.interests])
        near, _ = shelf.nearest(vectors, some(NEAREST), allowed)
        found.append(near[near >= 0])
    columns = shelf.columns(len(allowed))
    for wish in sorted(taste.wishes, key=lambda wish: -wish.at)[:_ASKED_ORDERS]:
        found.append(shelf.newest(some(_ASKED), np.flatnonzero(allowed & met(wish, columns))))
    acts = _spread(taste)
    for kind in {int(taste.facts.kind[act]) for act in acts}:
        same = np.flatnonzero(allowed & (columns.kind == kind))
        found += [
            _usual(columns, same, taste.facts, act, some(_USUAL))
            for act in acts
            if taste.facts.kind[act] == kind
        ]
    return np.unique(np.concatenate(found))


def _spread(taste: Taste) -> list[int]:
    """Acts that stand for the interests; the weightiest without interests."""
    acts = [interest.medoid for interest in taste.interests]
    return list(dict.fromkeys([*acts, *range(min(_USUAL_ACTS, len(taste.acts)))]))[:_USUAL_ACTS]


def _usual(columns: Facts, same: Rows, acts: Facts, act: int, count: int) -> Rows:
    """Which of these rows are of about the act's price and nearest to it."""
    strip = same[np.abs(columns.place[same, 2] - acts.place[act, 2]) < _STRIP]
    found, apart = _around(columns, strip, acts, act, count)
    if len(found) == count and apart < _STRIP**2:
        # What lies outside of the strip is farther.
        return found
    return _around(columns, same, acts, act, count)[0]


def _around(columns: Facts, rows: Rows, acts: Facts, act: int, count: int) -> tuple[Rows, float]:
    """The `count` nearest of the rows, and the squared chord to the last of them."""
    # The cosine of the angle between two places; a lead without a place is the farthest.
    near = np.nan_to_num(columns.place[rows] @ acts.place[act], nan=_NOWHERE)
    near[~(np.abs(columns.list_price[rows] - acts.list_price[act]) < _ABOUT)] = _NOT_ABOUT
    first = greatest(near, count)
    first = first[near[first] > _NOT_ABOUT]
    return rows[first], 2 - 2 * float(near[first[-1]]) if len(first) else math.inf


def _diverse(parts: list[_Part], limit: int, settings: Settings) -> list[Pick]:
    """The best, each less by how alike it is to those before it."""
    if not parts:
        return []
    scores = np.concatenate([part.score for part in parts])
    source = [(part, place) for part in parts for place in range(len(part.rows))]
    pool = np.argsort(-scores, kind="stable")[: max(_DIVERSIFIED * limit, _DIVERSIFIED_LEAST)]
    vectors = np.concatenate([part.vectors for part in parts])[pool]
    alike = vectors @ vectors.T
    worth, left = scores[pool], scores[pool].copy()
    nearest = np.zeros(len(pool))
    kept: list[tuple[int, float]] = []
    for _ in range(min(limit, len(pool))):
        chosen = int(np.argmax(left))
        kept.append((int(pool[chosen]), float(left[chosen])))
        worth[chosen] = -np.inf
        np.maximum(nearest, alike[chosen], out=nearest)
        left = worth - settings.diversity * nearest
    middle = float(np.median(scores))
    return [_pick(source[place], value - middle) for place, value in kept]


def _pick(source: tuple[_Part, int], value: float) -> Pick:
    part, place = source
    (lead_id,) = part.shelf.lead_ids(part.rows[[place]])
    score = round(1 / (1 + float(np.exp(-value))), 4)
    return Pick(lead_id, part.shelf.market, score, part.reasons.of(place))


def _with_explored(
    picks: list[Pick],
    shelves: Sequence[Shelf],
    asked: Asked,
    limit: int,
    now: int,
    settings: Settings,
    seed: str,
) -> list[Pick]:
    """One in `explore_every` places goes to a fresh lead that the list would not have had."""
    shown = {pick.lead_id for pick in picks}
    fresh = [
        (lead_id, shelf.market)
        for shelf in shelves
        for lead_id in shelf.lead_ids(shelf.newest(_EXPLORED, np.flatnonzero(shelf.allowed(asked))))
        if lead_id not in shown
    ]
    day = now // _DAY_US
    fresh.sort(key=lambda each: _mixed(f"{seed}/{day}/{each[0]}"))
    found = list(picks)
    every = settings.explore_every
    for number, place in enumerate(range(every - 1, limit, every)):
        if number == len(fresh) or place > len(found):
            break
        lead_id, market = fresh[number]
        above = found[place - 1].score if place else 0.5
        found.insert(place, Pick(lead_id, market, above, [EXPLORED]))
    return found


def _mixed(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=8).digest()
