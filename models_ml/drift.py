"""Whether what a model is asked about is still like what it learnt from, and whether it is right.

A feature's population stability index compares its values now with the training rows, by the
bins of the model's reference: by custom below 0.1 nothing has changed, above 0.25 it has.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from engine.rollout.histogram import population_stability
from engine.rollout.watch import Watched
from models_ml.reference import Reference

SHIFTED = 0.25
MOVING = 0.1
TENTHS = 10
# Of fewer rows chance alone makes an index that looks like a change.
ROWS_LEAST = 500


class FeatureDrift(msgspec.Struct, frozen=True):
    """`missing_before` and `missing_now` are shares of rows without a value. `before` and `now`
    are the shares in the bins whose upper ends are `edges`, one more above the last."""

    feature: str
    stability_index: float
    verdict: str
    missing_before: float
    missing_now: float
    edges: list[float]
    before: list[float]
    now: list[float]


class CalibrationBin(msgspec.Struct, frozen=True):
    """Of the labelled leads with scores in a tenth: how many, the mean score, and the share that
    were scams by the reviewers' word."""

    score_from: float
    score_to: float
    leads: int
    mean_score: float
    found_share: float


class CalibrationBefore(msgspec.Struct, frozen=True):
    """A tenth of the rows that the version was judged on when it was made."""

    rows: int
    mean_score: float
    found_share: float


class Drift(msgspec.Struct, frozen=True):
    """Of one version; `rows` were looked at. `features` are the most shifted first, and empty,
    with the reason in `note`, where there is nothing to compare. `scores` counts rows by score,
    between the edges of engine/rollout/histogram.py. `calibration_error` is the mean distance
    of score and share over the labelled leads, None without; `calibration_before` is that of the
    version's making, empty if it did not say."""

    name: str
    version: int
    days: int
    rows: int
    features: list[FeatureDrift]
    scores: list[int]
    calibration: list[CalibrationBin]
    calibration_error: float | None
    calibration_before: list[CalibrationBefore]
    note: str


def drift(
    name: str,
    version: int,
    days: int,
    watched: Watched,
    reference: Reference | None,
    labelled: Sequence[tuple[float, bool]],
) -> Drift:
    """`labelled` are scores and what reviewers found. They mostly look at what was suspected, so
    the calibration is that of suspects."""
    features: list[FeatureDrift] = []
    note = ""
    if reference is None:
        note = "the version came without a reference of its training rows"
    elif not watched.features:
        note = "no features were counted in this time"
    else:
        try:
            features = _features(reference, reference.by_feature(watched.features))
        except ValueError as error:
            note = f"the counts are of another reference: {error}"
        if features and watched.rows < ROWS_LEAST:
            note = f"of fewer than {ROWS_LEAST} rows an index says little"
    calibration = _calibration(labelled)
    leads = sum(each.leads for each in calibration)
    distance = (
        sum(each.leads * abs(each.mean_score - each.found_share) for each in calibration) / leads
        if leads
        else None
    )
    return Drift(
        name,
        version,
        days,
        watched.rows,
        features,
        list(watched.scores),
        calibration,
        None if distance is None else round(distance, 4),
        [] if reference is None else [CalibrationBefore(*each) for each in reference.calibration],
        note,
    )


def _features(reference: Reference, now: Sequence[Sequence[int]]) -> list[FeatureDrift]:
    found = []
    for name, edges, before, counts in zip(
        reference.names, reference.edges, reference.seen, now, strict=True
    ):
        index = population_stability(before, counts)
        verdict = "shifted" if index > SHIFTED else "moving" if index > MOVING else "stable"
        found.append(
            FeatureDrift(
                name,
                round(index, 4),
                verdict,
                _shares(before)[-1],
                _shares(counts)[-1],
                list(edges),
                _shares(before)[:-1],
                _shares(counts)[:-1],
            )
        )
    return sorted(found, key=lambda each: -each.stability_index)


def _shares(counts: Sequence[int]) -> list[float]:
    whole = max(1, sum(counts))
    return [round(count / whole, 4) for count in counts]


def _calibration(labelled: Sequence[tuple[float, bool]]) -> list[CalibrationBin]:
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(TENTHS)]
    for score, is_so in labelled:
        bins[min(int(score * TENTHS), TENTHS - 1)].append((score, is_so))
    return [
        CalibrationBin(
            place / TENTHS,
            (place + 1) / TENTHS,
            len(each),
            round(sum(score for score, _ in each) / len(each), 4),
            round(sum(is_so for _, is_so in each) / len(each), 4),
        )
        for place, each in enumerate(bins)
        if each
    ]
