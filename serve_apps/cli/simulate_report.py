"""What `aiqleads simulate` shows: tables in the terminal, JSON, Markdown for the documentation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from models_ml.pricing.churn import AGE_BANDS, Churn
from models_ml.pricing.simulation.intervals import Estimate
from models_ml.pricing.simulation.picture import told
from models_ml.pricing.simulation.summary import LEARNING, PolicySummary, Summary

_HEADS = (
    "policy",
    "over clairvoyant",
    "over fixed",
    "unsold seats",
    "leads without sale",
    "hours to sale",
    "changes a lead",
    "turns a lead",
    "turns a day",
    "price off, mean",
    "price off, sd",
)
_SHORT = (
    "policy",
    "over\nclairvoyant",
    "over\nfixed",
    "unsold\nseats",
    "hours\nto sale",
    "changes\na lead",
    "turns\na day",
    "price off\nmean, sd",
)


def show(summaries: Sequence[Summary], console: Console) -> None:
    """Print every scenario's table and what it says of the targets."""
    for summary in summaries:
        console.print(_title(summary), highlight=False)
        table = Table(box=None, padding=(0, 1, 0, 0))
        for number, head in enumerate(_SHORT):
            table.add_column(head, justify="right" if number else "left", no_wrap=True)
        for policy in summary.policies:
            table.add_row(*_short_cells(policy))
        console.print(table)
        for line in _remarks(summary):
            console.print(f"  {line}", markup=False, highlight=False)
        for target in summary.targets:
            sign = "[green]met[/green]   " if target.is_met else "[red]missed[/red]"
            words = escape(f"{target.name}: {target.found:.3f}, {target.wanted}")
            console.print(f"  {sign} {words}", highlight=False)
        console.print()


def as_markdown(summaries: Sequence[Summary]) -> str:
    lines: list[str] = []
    for summary in summaries:
        lines += [f"**{_title(summary)}**", "", f"| {' | '.join(_HEADS)} |"]
        lines.append("|---" * len(_HEADS) + "|")
        lines += [f"| {' | '.join(_cells(policy))} |" for policy in summary.policies]
        lines.append("")
        lines += [f"- {line}" for line in _remarks(summary)]
        lines.append("")
    return "\n".join(lines)


def as_json(summaries: Sequence[Summary], churn: Churn | None) -> dict[str, Any]:
    return {
        "churn": None if churn is None else churn._asdict(),
        "scenarios": [
            {
                "scenario": summary.scenario,
                "seeds": summary.seeds,
                "terms": msgspec.to_builtins(summary.terms),
                "fixed": summary.fixed._asdict(),
                "policies": [_policy_json(policy) for policy in summary.policies],
                "clairvoyant_over_expected": _json(summary.expected),
                "influences": {
                    name: {field: _json(each) for field, each in fields.items()}
                    for name, fields in summary.influences.items()
                },
                "targets": [target._asdict() for target in summary.targets],
                "curves": [curve._asdict() for curve in summary.curves],
            }
            for summary in summaries
        ],
        "passed": all(summary.passed for summary in summaries),
    }


def churn_lines(churn: Churn) -> list[str]:
    """The fitted parameters in words."""
    ends = (*(str(end) for end in AGE_BANDS[1:]), "on")
    bands = ", ".join(
        f"{start} to {end}: {hazard:.4f}" if end != "on" else f"from {start}: {hazard:.4f}"
        for start, end, hazard in zip(AGE_BANDS, ends, churn.hazard, strict=True)
    )
    return [
        f"churn of {churn.homes} homes, {churn.departures} departures",
        f"leaving a day, by days on offer: {bands}",
        f"price cuts a day: {churn.cuts_a_day:.4f}, of {churn.cut:.1%} on average; "
        f"{churn.raised_share:.1%} of price changes are rises",
        f"sold, of those that left: {churn.sold_share:.0%}",
    ]


def _policy_json(policy: PolicySummary) -> dict[str, Any]:
    return {
        **policy._asdict(),
        "to_clairvoyant": _json(policy.to_clairvoyant),
        "to_fixed": _json(policy.to_fixed),
    }


def _json(ratio: Estimate | None) -> dict[str, float | None] | None:
    return None if ratio is None else ratio._asdict()


def _title(summary: Summary) -> str:
    terms = summary.terms
    return (
        f"{summary.scenario}: {summary.seeds} seeds, {terms.leads:,} leads and about "
        f"{terms.arrivals:,} arrivals, listed over {terms.days} days, the first "
        f"{terms.learning_days} for learning"
    )


def _cells(policy: PolicySummary) -> tuple[str, ...]:
    figures = policy.figures
    return (
        policy.policy,
        told(policy.to_clairvoyant),
        told(policy.to_fixed),
        f"{figures['unsold']:.1%}",
        f"{figures['unsold_leads']:.1%}",
        f"{figures['hours_to_sale']:.0f}",
        f"{figures['changes']:.1f}",
        f"{figures['turns']:.1f}",
        f"{figures['turns_a_day']:.2f}",
        f"{policy.error:+.1%}",
        f"{policy.spread:.1%}",
    )


def _short_cells(policy: PolicySummary) -> tuple[str, ...]:
    """What fits a terminal of 80 columns."""
    figures = policy.figures
    return (
        policy.policy,
        _short(policy.to_clairvoyant),
        _short(policy.to_fixed),
        f"{figures['unsold']:.0%}",
        f"{figures['hours_to_sale']:.0f}",
        f"{figures['changes']:.0f}",
        f"{figures['turns_a_day']:.2f}",
        f"{policy.error:+.0%} ±{policy.spread:.0%}",
    )


def _short(ratio: Estimate | None) -> str:
    """A ratio with half the width of its interval."""
    if ratio is None:
        return "-"
    if ratio.high is None:
        return f"{ratio.mean:.3f}"
    return f"{ratio.mean:.3f} ±{ratio.high - ratio.mean:.3f}"


def _remarks(summary: Summary) -> list[str]:
    lines = [
        f"fixed: {summary.fixed.price} credits for every lead; scaled: {summary.fixed.scale} "
        "times the base value; both the best ones of other seeds"
    ]
    if summary.expected is not None:
        lines.append(f"clairvoyant over its expectation: {told(summary.expected)}")
    for policy in summary.policies:
        # That of a policy which does not learn is chance.
        recovery = policy.recovery if policy.policy.startswith(LEARNING) else ()
        for number, hours in enumerate(recovery, start=1):
            when = "not within the run" if hours is None else f"after {hours:.0f} hours"
            lines.append(f"{policy.policy}: recovered from shock {number} {when}")
    for name, fields in summary.influences.items():
        moved = ", ".join(
            f"{field.replace('_', ' ')} {_percent(each)}" for field, each in fields.items()
        )
        lines.append(f"{name}: {moved}")
    return lines


def _percent(each: Estimate) -> str:
    if each.low is None or each.high is None:
        return f"{each.mean:+.2%}"
    return f"{each.mean:+.2%} ({each.low:+.2%} to {each.high:+.2%})"
