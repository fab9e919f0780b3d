"""The drift report as a page of its own: nothing is loaded from elsewhere, nothing runs in it."""

from __future__ import annotations

import html
from collections.abc import Sequence
from itertools import pairwise

from engine.rollout.histogram import SCORE_EDGES
from models_ml.drift import MOVING, SHIFTED, Drift, FeatureDrift

_BAR_WIDTH, _BAR_HEIGHT, _GAP = 9, 30, 3
_BEFORE, _NOW = "#b4bfca", "#2b6cb0"
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1d2733; max-width: 66rem;
  margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; margin-bottom: .2rem } h2 { font-size: 1.15rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% }
td, th { padding: .25rem .8rem .25rem 0; text-align: left; border-bottom: 1px solid #dde3ea;
  vertical-align: middle }
th { font-weight: 600; color: #55636f } td.n, th.n { text-align: right;
  font-variant-numeric: tabular-nums } .shifted { color: #a3170f; font-weight: 600 }
.moving { color: #8a5a00; font-weight: 600 } .stable { color: #55636f }
.quiet, .key { color: #55636f } svg { display: block }
.key b { display: inline-block; width: .8em; height: .8em; margin: 0 .3em 0 .8em }
"""


def as_html(found: Drift) -> str:
    """Complete, in UTF-8."""
    title = html.escape(f"Drift of {found.name} version {found.version}")
    body = [
        f"<h1>{title}</h1>",
        f'<p class="quiet">{found.rows:,} rows that this version scored in the last'
        f" {found.days} days. {html.escape(found.note)}</p>",
        f"<p>{html.escape(_summary(found))}</p>",
        _features(found.features),
        _scores(found),
        _calibration(found),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{_STYLE}</style></head>"
        f"<body>{''.join(body)}</body></html>\n"
    )


def _summary(found: Drift) -> str:
    if not found.features:
        return "Features were not compared."
    counts = {
        verdict: sum(each.verdict == verdict for each in found.features)
        for verdict in ("shifted", "moving")
    }
    if not any(counts.values()):
        return f"All {len(found.features)} features are as they were in training."
    worst = found.features[0]
    return (
        f"Of {len(found.features)} features {counts['shifted']} have shifted and"
        f" {counts['moving']} are moving; the furthest is {worst.feature}"
        f" ({worst.stability_index:.2f})."
    )


def _features(features: Sequence[FeatureDrift]) -> str:
    key = (
        f"Population stability index against the training rows: below {MOVING:g} stable, above"
        f" {SHIFTED:g} shifted."
        f'<span class="key"><b style="background:{_BEFORE}"></b>training'
        f'<b style="background:{_NOW}"></b>now</span>'
    )
    rows = [
        [
            html.escape(each.feature),
            _bars(each.before, each.now, _bins(each.edges)),
            _number(f"{each.stability_index:.3f}"),
            f'<span class="{each.verdict}">{each.verdict}</span>',
            _number(f"{each.missing_before:.1%}"),
            _number(f"{each.missing_now:.1%}"),
        ]
        for each in features
    ]
    heads = ("feature", "values, from low to high", "#index", "", "#missing before", "#now")
    return f"<h2>Features</h2><p>{key}</p>" + _table(heads, rows)


def _bins(edges: Sequence[float]) -> list[str]:
    if not edges:
        return ["any value"]
    ends = [f"{edge:.4g}" for edge in edges]
    between = [f"{low} to {high}" for low, high in pairwise(ends)]
    return [f"up to {ends[0]}", *between, f"above {ends[-1]}"]


def _bars(before: Sequence[float], now: Sequence[float], bins: Sequence[str]) -> str:
    """Two bars for each bin, the tallest as high as the picture."""
    most = max([*before, *now, 1e-9])
    parts = []
    for place, (was, is_, name) in enumerate(zip(before, now, bins, strict=True)):
        left = place * (2 * _BAR_WIDTH + _GAP)
        bars = "".join(
            f'<rect fill="{fill}" x="{left + shift}" y="{_BAR_HEIGHT * (1 - share / most):.1f}"'
            f' width="{_BAR_WIDTH}" height="{_BAR_HEIGHT * share / most:.1f}"/>'
            for fill, share, shift in ((_BEFORE, was, 0), (_NOW, is_, _BAR_WIDTH))
        )
        told = html.escape(f"{name}: {was:.1%} in training, {is_:.1%} now")
        parts.append(f"<g><title>{told}</title>{bars}</g>")
    width = len(before) * (2 * _BAR_WIDTH + _GAP)
    return f'<svg width="{width}" height="{_BAR_HEIGHT}" role="img">{"".join(parts)}</svg>'


def _scores(found: Drift) -> str:
    edges = ["0", *(f"{edge:g}" for edge in SCORE_EDGES), "1"]
    rows = [
        [f"{low} to {high}", _line(count, found.rows), _number(f"{count:,}"),
         _number(f"{count / found.rows:.1%}")]
        for low, high, count in zip(edges, edges[1:], found.scores, strict=False)
        if found.rows
    ]  # fmt: skip
    return "<h2>Scores</h2>" + _table(("score", "", "#rows", "#share"), rows)


def _calibration(found: Drift) -> str:
    now = [
        [
            f"{each.score_from:.1f} to {each.score_to:.1f}",
            _number(f"{each.leads:,}"),
            _number(f"{each.mean_score:.3f}"),
            _number(f"{each.found_share:.3f}"),
        ]
        for each in found.calibration
    ]
    before = [
        [
            _number(f"{each.rows:,}"),
            _number(f"{each.mean_score:.3f}"),
            _number(f"{each.found_share:.3f}"),
        ]
        for each in found.calibration_before
    ]
    error = (
        "No lead that this version scored was decided by a reviewer."
        if found.calibration_error is None
        else f"Mean distance of score and found share: {found.calibration_error:.3f}."
    )
    words = (
        f"{error} Reviewers mostly look at what was suspected, so this says little of leads that"
        " nobody suspected."
    )
    return (
        f"<h2>Calibration by reviewers' decisions</h2><p>{html.escape(words)}</p>"
        + _table(("score", "#leads", "#mean score", "#were scams"), now)
        + "<h2>Calibration when it was made</h2>"
        "<p>Tenths of the rows that it was judged on and had not learnt from.</p>"
        + _table(("#rows", "#mean score", "#were so"), before)
    )


def _line(count: int, rows: int) -> str:
    width = 240 * count / max(1, rows)
    return (
        f'<svg width="240" height="12" role="img"><rect fill="{_NOW}" width="{width:.1f}"'
        ' height="12"/></svg>'
    )


def _number(text: str) -> str:
    return f"#{text}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells that begin with # are numbers, set to the right; all are HTML already."""
    if not rows:
        return '<p class="quiet">none</p>'
    head = "".join(_cell("th", each) for each in heads)
    body = "".join(f"<tr>{''.join(_cell('td', each) for each in row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _cell(tag: str, content: str) -> str:
    if content.startswith("#"):
        return f'<{tag} class="n">{content[1:]}</{tag}>'
    return f"<{tag}>{content}</{tag}>"
