"""What `aiqleads eval fraud` says: Markdown tables, or JSON."""

from __future__ import annotations

from typing import Any

from models_ml.fraud.evaluate import Outcome
from models_ml.fraud.scores import Interval


def as_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "how": outcome.how,
        "passed": outcome.passed,
        "rows": outcome.rows,
        "scams": outcome.scams,
        "overlap": outcome.overlap,
        "models": {
            name: {
                "average_precision": found.precision._asdict(),
                "recall_at_1_percent_false_positives": found.recall._asdict(),
                "expected_calibration_error": found.error,
                "brier": found.brier,
            }
            for name, found in outcome.models.items()
        },
        "rules": [rule._asdict() for rule in outcome.rules],
        "parameters": outcome.parameters,
        "missing": outcome.missing,
    }


def as_markdown(outcome: Outcome) -> str:
    lines = [
        f"{outcome.rows:,} advertisements, {outcome.scams:,} of scammers; {outcome.how}."
        " 95 % intervals draw whole advertisers.",
        "",
        "| | average precision | recall at 1 % false positives | calibration error | Brier |",
        "|---|---|---|---|---|",
    ]
    for name, found in outcome.models.items():
        off, brier = _number(found.error), _number(found.brier)
        lines.append(
            f"| {name} | {_interval(found.precision)} | {_interval(found.recall)}"
            f" | {off} | {brier} |"
        )
    if outcome.overlap:
        lines += ["", f"{outcome.overlap:,} advertisements of learnt advertisers were left out."]
    if outcome.missing:
        lines += ["", f"Not measured: logistic regression, other boosting ({outcome.missing})."]
    lines += ["", "| rule | holds if | advertisements | of scammers |", "|---|---|---|---|"]
    for rule in outcome.rules:
        share = f" ({rule.scams / rule.holds:.0%})" if rule.holds else ""
        lines.append(f"| {rule.name} | {rule.because} | {rule.holds:,} | {rule.scams:,}{share} |")
    lines += ["", "The most suspicious, and what is said of them:", ""]
    for chance, scam, reasons in outcome.examples:
        lines.append(f"- {chance:.0%}, {'a scam' if scam else 'no scam'}: {'; '.join(reasons)}")
    return "\n".join(lines) + "\n"


def _interval(found: Interval) -> str:
    return f"{found.value:.3f} ({found.least:.3f} to {found.most:.3f})"


def _number(found: float | None) -> str:
    return "" if found is None else f"{found:.4f}"
