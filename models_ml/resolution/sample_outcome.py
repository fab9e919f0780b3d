"""Resolution measured on a sample world with truth: what decides whether it is good enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.intake.resolution import MatchFeatures, Resolver, partition
from engine.intake.resolution.comparison import FIELDS, LEVELS, UNKNOWN_FLAT, UNKNOWN_HOUSE
from engine.intake.resolution.resolver import Pairs
from models_ml.resolution.noise_kinds import KINDS
from models_ml.resolution.sample_pairs import SIGHTINGS_PER_HOME, candidate_pairs
from models_ml.resolution.sample_records import MarketTruth, read_world
from models_ml.resolution.scores import PairCounts, calibration, pairs_within, partition_counts

PRECISION_LEAST = 0.99
RECALL_LEAST = 0.97
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.98, 0.99)
_CALIBRATION_EDGES = (0.0, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 0.99, 1.0)


class NoiseRecall(NamedTuple):
    """Of the true pairs of which a record has this kind of noise, how many are found."""

    kind: str
    found: int
    true: int


class SampleOutcome(NamedTuple):
    """`counts` are of pairs that end in one lead, `edges` of pairs judged directly.

    `missed_by_blocking` true pairs share no key; `without_evidence` say nothing in common
    that tells them from any other home; `with_a_twin` agree exactly as far with a record of
    another lead. The last two stay in the truth. `same_in_reverse` tells that the first
    market's leads were the same with its records in reverse.
    """

    seed: int
    records: int
    homes: int
    unread: int
    threshold: float
    counts: PairCounts
    edges: PairCounts
    curve: list[tuple[float, PairCounts, PairCounts]]
    calibration: list[tuple[float, float, int, float, float]]
    noise: list[NoiseRecall]
    missed_by_blocking: int
    without_evidence: int
    with_a_twin: int
    missed_beyond_telling: int
    candidates: int
    capped: int
    same_in_reverse: bool

    @property
    def passed(self) -> bool:
        return (
            self.counts.precision >= PRECISION_LEAST
            and self.counts.recall >= RECALL_LEAST
            and self.same_in_reverse
        )


class _Judged(NamedTuple):
    truth: MarketTruth
    resolver: Resolver
    pairs: Pairs
    same: NDArray[np.bool_]
    unread_pairs: int


def evaluate_sample(
    seed: int, records: int, on_records: Callable[[int], None] = lambda _: None
) -> SampleOutcome:
    homes = max(1, round(records / SIGHTINGS_PER_HOME))
    judged = [_judge(market) for market in read_world(seed, homes, on_records)]
    threshold = judged[0].resolver.threshold
    curve = [(each, _edges(judged, each), _leads(judged, each)) for each in THRESHOLDS]
    tables = [_true_pairs(each) for each in judged]
    first = judged[0].truth.features
    return SampleOutcome(
        seed=seed,
        records=sum(len(each.truth.features) for each in judged),
        homes=homes,
        unread=sum(len(each.truth.unread) for each in judged),
        threshold=threshold,
        counts=_leads(judged, threshold),
        edges=_edges(judged, threshold),
        curve=curve,
        calibration=calibration(
            np.concatenate([each.pairs.probability for each in judged]),
            np.concatenate([each.same for each in judged]),
            _CALIBRATION_EDGES,
        ),
        noise=_recall_by_noise(tables),
        missed_by_blocking=sum(int((~each.blocked).sum()) for each in tables),
        without_evidence=sum(int(each.bare.sum()) for each in tables),
        with_a_twin=sum(int((each.twin & ~each.bare).sum()) for each in tables),
        missed_beyond_telling=sum(
            int((~each.found & (each.bare | each.twin)).sum()) for each in tables
        ),
        candidates=sum(len(each.same) for each in judged),
        capped=sum(each.resolver.capped for each in judged),
        same_in_reverse=_leads_as_sets(first) == _leads_as_sets(first[::-1]),
    )


def _judge(truth: MarketTruth) -> _Judged:
    resolver = Resolver()
    pairs = candidate_pairs(truth.features, resolver)
    everyone = np.concatenate(
        [truth.lead, np.array([each.home_index for each in truth.unread], dtype=np.int64)]
    )
    return _Judged(
        truth,
        resolver,
        pairs,
        truth.lead[pairs.later] == truth.lead[pairs.earlier],
        pairs_within(everyone) - pairs_within(truth.lead),
    )


def _edges(judged: Sequence[_Judged], threshold: float) -> PairCounts:
    counts = PairCounts(0, 0, 0)
    for each in judged:
        chosen = each.pairs.probability >= threshold
        true = pairs_within(each.truth.lead) + each.unread_pairs
        counts = counts.plus(PairCounts(int(chosen.sum()), int((chosen & each.same).sum()), true))
    return counts


def _leads(judged: Sequence[_Judged], threshold: float) -> PairCounts:
    counts = PairCounts(0, 0, 0)
    for each in judged:
        found = partition_counts(each.pairs, each.pairs.probability, each.truth.lead, threshold)
        counts = counts.plus(found._replace(true=found.true + each.unread_pairs))
    return counts


class _TruePairs(NamedTuple):
    """The true pairs of one market: their noise, whether they share a key and a lead, and
    whether anything could tell."""

    noise: NDArray[np.int64]
    blocked: NDArray[np.bool_]
    found: NDArray[np.bool_]
    bare: NDArray[np.bool_]
    twin: NDArray[np.bool_]


def _true_pairs(judged: _Judged) -> _TruePairs:
    truth, pairs = judged.truth, judged.pairs
    later, earlier = _pairs_of_leads(truth.lead)
    chosen = pairs.probability >= judged.resolver.threshold
    edges = zip(pairs.later[chosen].tolist(), pairs.earlier[chosen].tolist(), strict=True)
    parts = np.array(partition(edges, len(truth.lead)), dtype=np.int64)
    met = np.isin(later << 32 | earlier, pairs.later << 32 | pairs.earlier)
    doors, levels, _ = judged.resolver.levels_of_pairs(later, earlier)
    return _TruePairs(
        noise=truth.noise[later] | truth.noise[earlier],
        blocked=met,
        found=parts[later] == parts[earlier],
        bare=_is_bare(doors, levels),
        twin=_has_twin(judged, later, earlier, doors, levels),
    )


def _pairs_of_leads(lead: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    members: dict[int, list[int]] = {}
    for row, home in enumerate(lead.tolist()):
        members.setdefault(home, []).append(row)
    found = [
        (later, earlier)
        for rows in members.values()
        for place, later in enumerate(rows)
        for earlier in rows[:place]
    ]
    both = np.array(found, dtype=np.int64).reshape(len(found), 2)
    return both[:, 0], both[:, 1]


def _is_bare(doors: NDArray[np.uint8], levels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """No door on one side, no number, contact or text in common, and not both a place and a
    price that agree: nobody could tell."""

    def reaches(field: str, level: str) -> NDArray[np.bool_]:
        column = levels[:, FIELDS.index(field)]
        reached: NDArray[np.bool_] = (column > 0) & (column <= LEVELS[field].index(level))
        return reached

    doorless = (doors == UNKNOWN_HOUSE) | (doors == UNKNOWN_FLAT)
    named = (
        reaches("parcel", "equal")
        | reaches("listing", "equal")
        | reaches("phone", "equal")
        | reaches("email", "equal")
        | reaches("text", "30%")
    )
    placed = reaches("distance", "500m") | reaches("street", "similar")
    alike = reaches("price", "8%") & (reaches("bedrooms", "equal") | reaches("area", "6%"))
    bare: NDArray[np.bool_] = doorless & ~named & ~(placed & alike)
    return bare


def _has_twin(
    judged: _Judged,
    later: NDArray[np.int64],
    earlier: NDArray[np.int64],
    doors: NDArray[np.uint8],
    levels: NDArray[np.uint8],
) -> NDArray[np.bool_]:
    """Whether a record of another lead agrees with one of the pair level for level."""
    false = ~judged.same
    others = judged.pairs.later[false], judged.pairs.earlier[false]
    other_doors, other_levels, _ = judged.resolver.levels_of_pairs(*others)
    marks = {
        (row, mark)
        for rows in others
        for row, mark in zip(rows.tolist(), _marks(other_doors, other_levels), strict=True)
    }
    own = _marks(doors, levels)
    return np.array(
        [
            (one, mark) in marks or (other, mark) in marks
            for one, other, mark in zip(later.tolist(), earlier.tolist(), own, strict=True)
        ],
        dtype=np.bool_,
    )


def _marks(doors: NDArray[np.uint8], levels: NDArray[np.uint8]) -> list[bytes]:
    return [row.tobytes() for row in np.column_stack([doors, levels])]


def _recall_by_noise(tables: Sequence[_TruePairs]) -> list[NoiseRecall]:
    found = []
    for place, kind in enumerate(KINDS):
        has = [(each.noise >> place & 1).astype(np.bool_) for each in tables]
        found.append(
            NoiseRecall(
                kind,
                sum(int((each.found & h).sum()) for each, h in zip(tables, has, strict=True)),
                sum(int(h.sum()) for h in has),
            )
        )
    return found


def _leads_as_sets(features: Sequence[MatchFeatures]) -> set[frozenset[int]]:
    resolver = Resolver()
    pairs = candidate_pairs(features, resolver)
    chosen = pairs.probability >= resolver.threshold
    edges = zip(pairs.later[chosen].tolist(), pairs.earlier[chosen].tolist(), strict=True)
    parts: dict[int, set[int]] = {}
    for row, part in enumerate(partition(edges, len(features))):
        parts.setdefault(part, set()).add(features[row].identity)
    return {frozenset(part) for part in parts.values()}
