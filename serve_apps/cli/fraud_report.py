"""What `aiqleads eval fraud` says: Markdown tables, or JSON."""

from __future__ import annotations

from typing import Any

from models_ml.fraud.evaluate import Outcome
from serve_apps.cli.fraud_trial import FraudTrial
from serve_apps.cli.listing_fraud_report import (
    captured_json,
    captured_markdown,
    listing_json,
    listing_markdown,
)
from serve_apps.cli.score_table import models_json, models_markdown


def as_json(trial: FraudTrial) -> dict[str, Any]:
    advertisers, listings, captured = trial.advertisers, trial.listings, trial.captured
    return {
        "passed": trial.passed,
        "seconds": round(trial.seconds, 1),
        "not_measured": dict(trial.not_measured),
        "advertisers": None if advertisers is None else _advertiser_json(advertisers),
        "listings": None if listings is None else listing_json(listings),
        "captured": None if captured is None else captured_json(captured),
    }


def as_markdown(trial: FraudTrial) -> str:
    lines: list[str] = []
    if trial.advertisers is not None:
        lines += ["## Advertisers", "", *_advertiser_markdown(trial.advertisers), ""]
    if trial.listings is not None:
        lines += ["## Listings", "", *listing_markdown(trial.listings), ""]
    if trial.captured is not None:
        lines += ["## Captured listings", "", *captured_markdown(trial.captured), ""]
    for part, reason in trial.not_measured.items():
        lines += [f"Not measured, {part}: {reason}.", ""]
    missed = "" if trial.passed else "A threshold was missed. "
    return "\n".join([*lines, f"{missed}It took {trial.seconds:,.0f} s."]) + "\n"


def _advertiser_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "how": outcome.how,
        "passed": outcome.passed,
        "rows": outcome.rows,
        "scams": outcome.scams,
        "overlap": outcome.overlap,
        "models": models_json(outcome.models),
        "rules": [rule._asdict() for rule in outcome.rules],
        "parameters": outcome.parameters,
        "missing": outcome.missing,
    }


def _advertiser_markdown(outcome: Outcome) -> list[str]:
    lines = [
        f"{outcome.rows:,} advertisements, {outcome.scams:,} of scammers; {outcome.how}."
        " 95 % intervals draw whole advertisers.",
        "",
        *models_markdown(outcome.models, outcome.missing),
    ]
    if outcome.overlap:
        lines += ["", f"{outcome.overlap:,} advertisements of learnt advertisers were left out."]
    lines += ["", "| rule | holds if | advertisements | of scammers |", "|---|---|---|---|"]
    for rule in outcome.rules:
        share = f" ({rule.scams / rule.holds:.0%})" if rule.holds else ""
        lines.append(f"| {rule.name} | {rule.because} | {rule.holds:,} | {rule.scams:,}{share} |")
    lines += ["", "The most suspicious, and what is said of them:", ""]
    for chance, scam, reasons in outcome.examples:
        lines.append(f"- {chance:.0%}, {'a scam' if scam else 'no scam'}: {'; '.join(reasons)}")
    return lines
