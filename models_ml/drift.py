"""Whether what a model is asked about is still like what it learnt from, and whether it is right.

A feature's population stability index compares its values now with the training rows, by the
bins of the model's reference: by custom below 0.1 nothing has changed, above 0.25 it has.
"""

from __future__ import annotations

import html
from collections.abc import Sequence

import msgspec

from engine.rollout.histogram import SCORE_EDGES, population_stability
from engine.rollout.watch import Watched
from models_ml.reference import Reference

SHIFTED = 0.25
MOVING = 0.1
TENTHS = 10


class FeatureDrift(msgspec.Struct, frozen=True):
    """`missing_before` and `missing_now` are shares of rows without a value."""

    feature: str
    stability_index: float
    verdict: str
    missing_before: float
    missing_now: float


class CalibrationBin(msgspec.Struct, frozen=True):
    """Of the labelled leads with scores in a tenth: how many, the mean score, and the share that
    were scams by the reviewers' word."""

    score_from: float
    score_to: float
    leads: int
    mean_score: float
    found_share: float


class Drift(msgspec.Struct, frozen=True):
    """Of one version; `rows` were looked at. `features` are the most shifted first, and empty,
    with the reason in `note`, where there is nothing to compare. `scores` counts rows by score,
    between the edges of engine/rollout/histogram.py. `calibration_error` is the mean distance
    of score and share over the labelled leads, None without."""

    name: str
    version: int
    days: int
    rows: int
    features: list[FeatureDrift]
    scores: list[int]
    calibration: list[CalibrationBin]
    calibration_error: float | None
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
        note,
    )


def _features(reference: Reference, now: Sequence[Sequence[int]]) -> list[FeatureDrift]:
    found = []
    for name, before, counts in zip(reference.names, reference.seen, now, strict=True):
        index = population_stability(before, counts)
        verdict = "shifted" if index > SHIFTED else "moving" if index > MOVING else "stable"
        found.append(
            FeatureDrift(
                name,
                round(index, 4),
                verdict,
                round(before[-1] / max(1, sum(before)), 4),
                round(counts[-1] / max(1, sum(counts)), 4),
            )
        )
    return sorted(found, key=lambda each: -each.stability_index)


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


def as_html(found: Drift) -> str:
    """The report as a page of its own: nothing is loaded from elsewhere."""
    title = html.escape(f"Drift of {found.name} version {found.version}")
    edges = ["0", *(f"{edge:g}" for edge in SCORE_EDGES), "1"]
    scores = [
        (f"{low} to {high}", str(count), _share(count, found.rows))
        for low, high, count in zip(edges, edges[1:], found.scores, strict=False)
    ]
    error = "no labels" if found.calibration_error is None else f"{found.calibration_error:.3f}"
    parts = [
        f"<p>{found.rows:,} rows of the last {found.days} days. {html.escape(found.note)}</p>",
        "<h2>Features</h2>",
        _table(
            ("feature", "stability index", "", "missing before", "missing now"),
            [
                (
                    each.feature,
                    f"{each.stability_index:.3f}",
                    each.verdict,
                    f"{each.missing_before:.1%}",
                    f"{each.missing_now:.1%}",
                )
                for each in found.features
            ],
        ),
        "<h2>Scores</h2>",
        _table(("score", "rows", "share"), scores),
        f"<h2>Calibration by reviewers' labels</h2><p>Error: {error}</p>",
        _table(
            ("score", "leads", "mean score", "were scams"),
            [
                (
                    f"{each.score_from:.1f} to {each.score_to:.1f}",
                    str(each.leads),
                    f"{each.mean_score:.3f}",
                    f"{each.found_share:.3f}",
                )
                for each in found.calibration
            ],
        ),
    ]
    style = (
        "body{font-family:sans-serif;max-width:60rem;margin:2rem auto}"
        "td,th{padding:.2rem .8rem;text-align:left;border-bottom:1px solid #ddd}"
        "tr.shifted{background:#fdd}tr.moving{background:#ffd}"
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{style}</style></head><body><h1>{title}</h1>{''.join(parts)}</body></html>\n"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return "<p>none</p>"
    heads = "".join(f"<th>{html.escape(each)}</th>" for each in head)
    body = []
    for row in rows:
        kind = next((each for each in row if each in ("shifted", "moving")), "")
        cells = "".join(f"<td>{html.escape(each)}</td>" for each in row)
        body.append(f'<tr class="{kind}">{cells}</tr>')
    return f"<table><tr>{heads}</tr>{''.join(body)}</table>"


def _share(count: int, rows: int) -> str:
    return f"{count / rows:.1%}" if rows else ""
