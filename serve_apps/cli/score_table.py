"""The table of fraud models beside one another, as Markdown and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models_ml.fraud.scores import Interval, Scores


def models_json(models: Mapping[str, Scores]) -> dict[str, Any]:
    return {
        name: {
            "average_precision": found.precision._asdict(),
            "recall_at_1_percent_false_positives": found.recall._asdict(),
            "expected_calibration_error": found.error,
            "brier": found.brier,
        }
        for name, found in models.items()
    }


def models_markdown(models: Mapping[str, Scores], missing: str | None) -> list[str]:
    lines = [
        "| | average precision | recall at 1 % false positives | calibration error | Brier |",
        "|---|---|---|---|---|",
    ]
    for name, found in models.items():
        off, brier = _number(found.error), _number(found.brier)
        lines.append(
            f"| {name} | {_interval(found.precision)} | {_interval(found.recall)}"
            f" | {off} | {brier} |"
        )
    if missing:
        lines += ["", f"Not measured: logistic regression, other boosting ({missing})."]
    return lines


def _interval(found: Interval) -> str:
    return f"{found.value:.3f} ({found.least:.3f} to {found.most:.3f})"


def _number(found: float | None) -> str:
    return "" if found is None else f"{found:.4f}"
