"""A buyer's taste: what was bought, held and looked at, weighed by kind and age, as interests.

The mean of a buyer who flips condos and rents out houses is neither. So acts are grouped by
their vectors (Ward's method), each group is an interest, and the weightiest few are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, ward

from models_ml.recommend.facts import Facts
from models_ml.recommend.settings import ActKind, Settings
from models_ml.recommend.wishes import Wish

ACTS_MAX: Final = 60
"""Of a buyer's acts the weightiest so many count."""
_DAY_US: Final = 86_400_000_000


class Act(NamedTuple):
    """`at` in µs since the epoch."""

    lead_id: str
    kind: ActKind
    at: int


class Past(NamedTuple):
    """What a buyer did: `facts` and `vectors` (acts, dimensions) in step with `acts`, of unit
    length or, where a lead has none, zero. `wishes` are the filters of live standing orders."""

    acts: Sequence[Act]
    facts: Facts
    vectors: NDArray[np.float32]
    wishes: Sequence[Wish] = ()


class Interest(NamedTuple):
    """`vector` is of unit length, the weighted mean of its acts; `share` of the buyer's weight.
    `medoid` is the place in the taste's acts of the one nearest to the mean."""

    vector: NDArray[np.float32]
    share: float
    medoid: int


class Taste(NamedTuple):
    """`weights` of `acts` add to 1 (none: no acts), `known` is what they added to before;
    weightiest first. One act a lead: the one that says most."""

    acts: list[Act]
    weights: NDArray[np.float64]
    facts: Facts
    vectors: NDArray[np.float32]
    interests: list[Interest]
    wishes: list[Wish]
    known: float


def taste_of(past: Past, now: int, settings: Settings) -> Taste:
    """The taste at `now` (µs). Raises ValueError if the past's parts are out of step."""
    if not len(past.acts) == len(past.facts.kind) == len(past.vectors):
        raise ValueError("acts, facts and vectors must be in step")
    weights = act_weights(past.acts, now, settings)
    rows = _one_a_lead(past.acts, weights)
    known = float(weights[rows].sum())
    shares = weights[rows] / known if known > 0 else weights[rows]
    vectors = past.vectors[rows]
    return Taste(
        [past.acts[row] for row in rows],
        shares,
        past.facts.take(rows),
        vectors,
        interests_of(vectors, shares, settings),
        list(past.wishes),
        known,
    )


def act_weights(acts: Sequence[Act], now: int, settings: Settings) -> NDArray[np.float64]:
    """What each counts: its kind's weight, halved with every half-life of its age."""
    return np.array(
        [
            settings.act_weights[act.kind]
            * 0.5 ** (max(now - act.at, 0) / _DAY_US / settings.half_life_days[act.kind])
            for act in acts
        ],
        dtype=np.float64,
    )


def interests_of(
    vectors: NDArray[np.float32], weights: NDArray[np.float64], settings: Settings
) -> list[Interest]:
    """The weightiest groups of the acts that have a vector, weightiest first."""
    there = np.flatnonzero(np.any(vectors, axis=1) & (weights > 0))
    if not len(there):
        return []
    groups = _grouped(vectors[there], settings.apart)
    found = []
    for group in np.unique(groups):
        rows = there[groups == group]
        mean = weights[rows] @ vectors[rows].astype(np.float64)
        length = float(np.linalg.norm(mean))
        if length == 0.0:
            continue
        vector = (mean / length).astype(np.float32)
        medoid = int(rows[np.argmax(vectors[rows] @ vector)])
        found.append(Interest(vector, float(weights[rows].sum()), medoid))
    return sorted(found, key=lambda each: -each.share)[: settings.interests]


def _grouped(vectors: NDArray[np.float32], apart: float) -> NDArray[np.int32]:
    if len(vectors) == 1:
        return np.zeros(1, dtype=np.int32)
    tree = ward(vectors.astype(np.float64))
    groups: NDArray[np.int32] = fcluster(tree, apart, criterion="distance")
    return groups


def _one_a_lead(acts: Sequence[Act], weights: NDArray[np.float64]) -> NDArray[np.int64]:
    """Of each lead the act that weighs most, at most ACTS_MAX, weightiest first."""
    best: dict[str, int] = {}
    for row in np.argsort(-weights, kind="stable"):
        if weights[row] > 0:
            best.setdefault(acts[row].lead_id, int(row))
        if len(best) == ACTS_MAX:
            break
    return np.array(list(best.values()), dtype=np.int64)
