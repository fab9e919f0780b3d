"""What `aiqleads eval recommend` says: Markdown tables, or JSON."""

from __future__ import annotations

from typing import Any

from models_ml.recommend.evaluate import KNOWN_ACTS, Outcome
from models_ml.recommend.recommend import NEAREST
from models_ml.recommend.scores import Interval, Scores


def as_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "told": outcome.told,
        "passed": outcome.passed,
        "homes": outcome.homes,
        "buyers": outcome.buyers,
        "on_offer": outcome.on_offer,
        **{
            group: {name: _plain(found) for name, found in scores.items()}
            for group, scores in (("known", outcome.known), ("cold", outcome.cold))
        },
        "ahead": {name: found._asdict() for name, found in outcome.ahead.items()},
        "exposure": None if outcome.exposure is None else outcome.exposure._asdict(),
        "recall": [each._asdict() for each in outcome.recall],
        "chosen": outcome.chosen,
        "missing": outcome.missing,
    }


def as_markdown(outcome: Outcome) -> str:
    lines = [
        f"{outcome.told}: {outcome.homes:,} leads, {outcome.buyers:,} buyers, on average"
        f" {outcome.on_offer:,.0f} leads on offer. 95 % intervals draw whole buyers.",
        "",
        *_table(f"buyers with {KNOWN_ACTS} acts or more", outcome.known, outcome.ahead),
        "",
        *_table("buyers without any act", outcome.cold, {}),
        "",
        "Alike is the mean cosine of two leads of a list, reach the share of leads on offer that"
        " were in any list.",
        "",
    ]
    lines += [f"- {name}, chosen on other buyers: {said}" for name, said in outcome.chosen.items()]
    if outcome.missing:
        lines.append(f"- implicit feedback is not measured: {outcome.missing}")
    for each in outcome.recall:
        lines.append(
            f"- recall@20 of the index, {each.share:.0%} of the rows allowed: {each.found:.3f}"
            f" among the {NEAREST} of each interest; {each.found_alone:.3f} if 20 are asked for"
        )
    found = outcome.exposure
    if found is not None:
        lines.append(
            f"- shown by area ({found.areas} areas): {found.shown_least:.2f} to"
            f" {found.shown_most:.2f} times the market's, {found.shown_beyond} beyond 0.8 to 1.25;"
            f" bought: {found.bought_least:.2f} to {found.bought_most:.2f},"
            f" {found.bought_beyond} beyond"
        )
    lines += ["", "PASSED" if outcome.passed else "FAILED"]
    return "\n".join(lines) + "\n"


def _table(title: str, scores: dict[str, Scores], ahead: dict[str, Interval]) -> list[str]:
    first = next(iter(scores.values()))
    lines = [
        f"| {title} ({first.purchases:,} purchases of {first.buyers:,}) | hit rate@20 | nDCG@20"
        " | recommender ahead by | alike | reach |",
        "|---|---|---|---|---|---|",
    ]
    for name, found in scores.items():
        by = _interval(ahead[name]) if name in ahead else ""
        lines.append(
            f"| {name} | {_interval(found.hits)} | {_interval(found.gain)} | {by}"
            f" | {found.alike:.2f} | {found.reach:.0%} |"
        )
    return lines


def _interval(found: Interval) -> str:
    return f"{found.value:.3f} ({found.least:.3f} to {found.most:.3f})"


def _plain(found: Scores) -> dict[str, Any]:
    return found._asdict() | {"hits": found.hits._asdict(), "gain": found.gain._asdict()}
