"""What `aiqleads eval fraud` says of listings: of a sample world's, and of captured ones."""

from __future__ import annotations

from typing import Any

from models_ml.fraud.listing_evaluate import PRECISION_LEAST, ListingOutcome
from serve_apps.cli.captured_fraud import QUARANTINED_SHARE_MOST, CapturedFraud
from serve_apps.cli.score_table import models_json, models_markdown


def listing_json(outcome: ListingOutcome) -> dict[str, Any]:
    return {
        "passed": outcome.passed,
        "average_precision_least": PRECISION_LEAST,
        "leads": outcome.leads,
        "scams": outcome.scams,
        "learnt": outcome.learnt,
        "learnt_scams": outcome.learnt_scams,
        "models": models_json(outcome.models),
        "thresholds": [each._asdict() for each in outcome.thresholds],
        "kinds_left_out": [each._asdict() for each in outcome.kinds],
        "rules": [each._asdict() for each in outcome.rules],
        "missing": outcome.missing,
    }


def listing_markdown(outcome: ListingOutcome) -> list[str]:
    lines = [
        f"Learnt from {outcome.learnt:,} leads of sample worlds, {outcome.learnt_scams:,} of them"
        f" scams; scored on {outcome.leads:,} of a world of another seed, {outcome.scams:,} of"
        " them scams. 95 % intervals draw whole contacts.",
        "",
        *models_markdown(outcome.models, outcome.missing),
        "",
        "| threshold | probability | leads | of them scams | of all scams | of honest leads |",
        "|---|---|---|---|---|---|",
    ]
    for at in outcome.thresholds:
        lines.append(
            f"| {at.name} | {at.at:.3f} | {at.leads:,} | {at.precision:.1%} | {at.recall:.1%}"
            f" | {at.honest_share:.2%} |"
        )
    lines += [
        "",
        "By kind of scam, beside all honest leads; and by a model that learnt from no scam of the"
        " kind. Caught are those at or above that model's own threshold to flag.",
        "",
        "| kind | leads | average precision | recall at 1 % | caught"
        " | left out: average precision | recall at 1 % | caught |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for kind in outcome.kinds:
        lines.append(
            f"| {kind.kind} | {kind.leads} | {kind.precision:.3f} | {kind.recall:.3f}"
            f" | {kind.caught:.0%} | {kind.precision_without:.3f} | {kind.recall_without:.3f}"
            f" | {kind.caught_without:.0%} |"
        )
    lines += ["", "| rule | holds if | enough to | leads | scams |", "|---|---|---|---|---|"]
    for rule in outcome.rules:
        share = f" ({rule.scams / rule.holds:.0%})" if rule.holds else ""
        lines.append(
            f"| {rule.name} | {rule.words} | {rule.verdict} | {rule.holds:,}"
            f" | {rule.scams:,}{share} |"
        )
    lines += ["", "The most suspicious of some kinds, and what is said of them:", ""]
    for chance, scam, reasons in outcome.examples:
        lines.append(f"- {chance:.1%}, {scam or 'honest'}: {'; '.join(reasons) or 'nothing'}")
    return lines


def captured_json(outcome: CapturedFraud) -> dict[str, Any]:
    return outcome._asdict() | {
        "passed": outcome.passed,
        "quarantined_share_most": QUARANTINED_SHARE_MOST,
        "by_model": _pair(outcome.by_model),
        "by_rules": _pair(outcome.by_rules),
        "sources": [each._asdict() for each in outcome.sources],
        "examples": [each._asdict() for each in outcome.examples],
    }


def captured_markdown(outcome: CapturedFraud) -> list[str]:
    lines = [
        f"{outcome.leads:,} leads on offer, mostly honest ones; nobody labelled them. By model and"
        f" rules together {outcome.flagged:,} ({outcome.flagged / outcome.leads:.2%}) would be"
        f" flagged and {outcome.quarantined:,} ({outcome.quarantined / outcome.leads:.2%})"
        f" quarantined; by the model alone {outcome.by_model[0]:,} and {outcome.by_model[1]:,},"
        f" by rules alone {outcome.by_rules[0]:,} and {outcome.by_rules[1]:,}.",
        "",
        "| offered by | leads | flagged | quarantined |",
        "|---|---|---|---|",
    ]
    for source in outcome.sources:
        lines.append(
            f"| {source.source} | {source.leads:,} | {source.flagged:,} | {source.quarantined:,} |"
        )
    lines += ["", "| rule | leads |", "|---|---|"]
    lines += [f"| {name} | {count:,} |" for name, count in outcome.rules.items()]
    lines += ["", "Why the model flags, the first three reasons of each:", ""]
    lines += [f"- {why}: {count:,}" for why, count in outcome.reasons.items()]
    if outcome.examples:
        lines += ["", "The most suspicious of the quarantined:", ""]
    for each in outcome.examples:
        told = [f"rule {name}" for name in each.rules] + each.reasons
        lines.append(f"- {each.probability:.1%}, {each.source}: {'; '.join(told)}")
    return lines


def _pair(counts: tuple[int, int]) -> dict[str, int]:
    return {"flagged": counts[0], "quarantined": counts[1]}
