"""A page with a scenario's courses as lines: self-contained HTML, SVG drawn by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from models_ml.pricing.simulation.intervals import Estimate
from models_ml.pricing.simulation.summary import Curve, Summary

_WIDTH, _HEIGHT = 520, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 12, 26, 34
_COLOURS = ("#7a7a7a", "#b08d2f", "#2f7ab0", "#b0402f", "#1d8a4a", "#7a3fa0")
_STYLE = """
body{font:14px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1100px;padding:0 1rem;
color:#222;background:#fff}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2.2rem}
table{border-collapse:collapse;margin:.6rem 0}
td,th{padding:.2rem .7rem;text-align:right;border-bottom:1px solid #ddd}
td:first-child,th:first-child{text-align:left}
.plots{display:flex;flex-wrap:wrap;gap:1rem}
svg{max-width:100%;height:auto}
svg text{font:11px system-ui,sans-serif;fill:#444}
.missed{color:#b0402f;font-weight:600}
"""


class _Plot(NamedTuple):
    """`lines` are (policy, its number, values by day), `marks` days with a vertical line."""

    title: str
    lines: list[tuple[str, int, list[float]]]
    marks: list[tuple[float, str]]
    is_percent: bool = False


def page_of(summaries: Sequence[Summary]) -> str:
    """The whole page."""
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        "<meta name=viewport content='width=device-width'>",
        f"<title>Simulated pricing</title><style>{_STYLE}</style>",
        "<h1>Simulated pricing</h1>",
    ]
    for summary in summaries:
        parts.append(_section(summary))
    return "\n".join(parts) + "\n"


def _section(summary: Summary) -> str:
    terms = summary.terms
    marks = [(float(terms.learning_days), "learnt"), (float(terms.days), "last listed")]
    marks += [(shock.day, "shock") for shock in terms.shocks]
    revenue = _Plot(
        "Revenue a day, credits (all leads, mean over seeds)",
        [(each.policy, number, each.revenue) for number, each in enumerate(summary.curves)],
        marks,
    )
    error = _Plot(
        "Price over the best price, mean over leads on offer",
        [
            (each.policy, number, _shown(each))
            for number, each in enumerate(summary.curves)
            if each.policy != "fixed"
        ],
        marks,
        is_percent=True,
    )
    return "\n".join(
        (
            f"<h2>{escape(summary.scenario)}: {summary.seeds} seeds, {terms.leads:,} leads over "
            f"{terms.days} days, the first {terms.learning_days} not counted</h2>",
            _table(summary),
            f"<div class=plots>{_svg(revenue)}{_svg(error)}</div>",
            _targets(summary),
        )
    )


def _shown(curve: Curve) -> list[float]:
    # After the last lead is listed few are left, and no two policies have the same ones.
    return curve.error[: len(curve.error) * 3 // 4]


def _table(summary: Summary) -> str:
    rows = [
        "<tr><th>policy<th>over clairvoyant<th>over fixed<th>unsold seats<th>hours to sale"
        "<th>changes a lead<th>turns a day</tr>"
    ]
    for policy in summary.policies:
        figures = policy.figures
        cells = (
            escape(policy.policy),
            told(policy.to_clairvoyant),
            told(policy.to_fixed),
            f"{figures['unsold']:.1%}",
            f"{figures['hours_to_sale']:.0f}",
            f"{figures['changes']:.1f}",
            f"{figures['turns_a_day']:.2f}",
        )
        rows.append("<tr><td>" + "<td>".join(cells) + "</tr>")
    return "<table>" + "".join(rows) + "</table>"


def told(ratio: Estimate | None) -> str:
    """A ratio with its interval, in words for a table."""
    if ratio is None:
        return "-"
    if ratio.low is None or ratio.high is None:
        return f"{ratio.mean:.3f}"
    return f"{ratio.mean:.3f} ({ratio.low:.3f} to {ratio.high:.3f})"


def _targets(summary: Summary) -> str:
    items = [
        f"<li{'' if target.is_met else ' class=missed'}>{escape(target.name)}: "
        f"{target.found:.3f}, {escape(target.wanted)}: {'met' if target.is_met else 'missed'}</li>"
        for target in summary.targets
    ]
    return f"<ul>{''.join(items)}</ul>"


def _svg(plot: _Plot) -> str:
    values = [value for *_, line in plot.lines for value in line]
    if not values:
        return ""
    low, high = min(0.0, min(values)), max(values)
    high = high if high > low else low + 1
    days = max(len(line) for *_, line in plot.lines)
    across = (_WIDTH - _LEFT - _RIGHT) / max(1, days - 1)
    up = (_HEIGHT - _TOP - _BOTTOM) / (high - low)

    def x(day: float) -> float:
        return _LEFT + day * across

    def y(value: float) -> float:
        return _HEIGHT - _BOTTOM - (value - low) * up

    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" role="img">',
        f'<text x="{_LEFT}" y="14" font-weight="600">{escape(plot.title)}</text>',
    ]
    for value in _grid(low, high):
        label = f"{value:+.0%}" if plot.is_percent else f"{value:,.0f}"
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"'
            f' stroke="#e4e4e4"/><text x="{_LEFT - 6}" y="{y(value) + 4:.1f}"'
            f' text-anchor="end">{label}</text>'
        )
    for day, words in plot.marks:
        if day < days:
            parts.append(
                f'<line x1="{x(day):.1f}" x2="{x(day):.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"'
                f' stroke="#999" stroke-dasharray="3 3"/><text x="{x(day) + 3:.1f}"'
                f' y="{_TOP + 9}">{escape(words)}</text>'
            )
    for place, (name, number, line) in enumerate(plot.lines):
        colour = _COLOURS[number % len(_COLOURS)]
        points = " ".join(f"{x(day):.1f},{y(value):.1f}" for day, value in enumerate(line))
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.7"/>'
        )
        at = _LEFT + place * (_WIDTH - _LEFT) / len(plot.lines)
        parts.append(
            f'<text x="{at:.0f}" y="{_HEIGHT - 6}" style="fill:{colour}">{escape(name)}</text>'
        )
    parts.append("</svg>")
    return "".join(parts)


def _grid(low: float, high: float) -> list[float]:
    """Round values from `low` to `high`, about five."""
    raw = (high - low) / 5
    size = 10.0 ** math.floor(math.log10(raw))
    step = size * next(factor for factor in (1, 2, 5, 10) if factor * size >= raw * (1 - 1e-9))
    return [step * place for place in range(math.ceil(low / step), math.floor(high / step) + 1)]
