"""What a scenario shows over its seeds: ratios with intervals, and whether targets are met."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models_ml.pricing.simulation.collusion import Influence
from models_ml.pricing.simulation.compare import CLAIRVOYANT, FIXED, Run, SeedOutcome
from models_ml.pricing.simulation.figures import Figures, recovery_hours
from models_ml.pricing.simulation.fixed_price import FixedPrices
from models_ml.pricing.simulation.intervals import Estimate, estimate
from models_ml.pricing.simulation.terms import Terms

Floats = npt.NDArray[np.float64]

LEARNING = "demand"
# Least revenue of a policy that learns, over the clairvoyant's.
CLAIRVOYANT_LEAST = {"stationary": 0.95, "rhythm": 0.90, "shock": 0.90}
FIXED_LEAST = 1.15
# A price turns up after every sale and falls again; more than this is to swing.
TURNS_A_DAY_MOST = 1.0
INFLUENCE_MOST = 0.02


class PolicySummary(NamedTuple):
    """Revenue ratios by pairs of runs; other figures as means over seeds. `error` and `spread`:
    mean and standard deviation over leads of ln(price / best price), after the learning period.
    `recovery` are hours after each shock, None for never."""

    policy: str
    to_clairvoyant: Estimate | None
    to_fixed: Estimate | None
    figures: dict[str, float]
    error: float
    spread: float
    recovery: tuple[float | None, ...]


class Target(NamedTuple):
    """What the issue asks of a figure, and whether it is so."""

    name: str
    wanted: str
    found: float
    is_met: bool


class Curve(NamedTuple):
    """A policy's mean course over seeds, by day: credits, and mean ln(price / best price)."""

    policy: str
    revenue: list[float]
    error: list[float]


class Summary(NamedTuple):
    """`expected` is the clairvoyant's revenue over what it is expected to be: how far the seeds
    were lucky, and whether its prices are carried out as they were worked out."""

    scenario: str
    seeds: int
    terms: Terms
    fixed: FixedPrices
    policies: tuple[PolicySummary, ...]
    expected: Estimate | None
    influences: dict[str, dict[str, Estimate]]
    targets: tuple[Target, ...]
    curves: tuple[Curve, ...]

    @property
    def passed(self) -> bool:
        return all(target.is_met for target in self.targets)


def summary_of(
    scenario: str, terms: Terms, fixed: FixedPrices, outcomes: Sequence[SeedOutcome]
) -> Summary:
    names = [run.policy for run in outcomes[0].runs]
    by_policy = {name: _runs(outcomes, name) for name in names}
    revenues = {name: [run.figures.revenue for run in runs] for name, runs in by_policy.items()}
    policies = tuple(_policy(name, runs, revenues, terms) for name, runs in by_policy.items())
    expected = None
    if CLAIRVOYANT in revenues:
        pairs = zip(revenues[CLAIRVOYANT], outcomes, strict=True)
        expected = estimate([revenue / outcome.expected for revenue, outcome in pairs])
    influences = _influences(outcomes)
    return Summary(
        scenario,
        len(outcomes),
        terms,
        fixed,
        policies,
        expected,
        influences,
        _targets(scenario, policies, influences),
        tuple(_curve(name, runs) for name, runs in by_policy.items()),
    )


def _runs(outcomes: Sequence[SeedOutcome], policy: str) -> list[Run]:
    return [next(run for run in each.runs if run.policy == policy) for each in outcomes]


def _policy(
    name: str, runs: Sequence[Run], revenues: dict[str, list[int]], terms: Terms
) -> PolicySummary:
    first = 24 * terms.learning_days
    last = 24 * terms.days
    own = revenues[name]
    return PolicySummary(
        name,
        _ratio(own, revenues.get(CLAIRVOYANT)),
        _ratio(own, revenues.get(FIXED)),
        {
            field: fmean(float(getattr(run.figures, field)) for run in runs)
            for field in Figures._fields
        },
        fmean(float(np.nanmean(run.course.error[first:last])) for run in runs),
        fmean(float(np.nanmean(run.course.spread[first:last])) for run in runs),
        tuple(
            recovery_hours(_mean([run.shocked[number].error for run in runs]), shock)
            for number, shock in enumerate(terms.shocks)
        ),
    )


def _ratio(own: Sequence[int], other: Sequence[int] | None) -> Estimate | None:
    if other is None or not all(other):
        return None
    return estimate([mine / theirs for mine, theirs in zip(own, other, strict=True)])


def _mean(columns: Sequence[Floats]) -> Floats:
    """By place, over those that have a number there; nan where none has."""
    stacked = np.array(columns)
    known = ~np.isnan(stacked)
    count = known.sum(axis=0)
    total = np.where(known, stacked, 0.0).sum(axis=0)
    mean: Floats = np.where(count > 0, total / np.maximum(1, count), np.nan)
    return mean


def _influences(outcomes: Sequence[SeedOutcome]) -> dict[str, dict[str, Estimate]]:
    """By colluders and measure; the furthest-moved ones by size, whatever the direction."""
    names = outcomes[0].influences
    return {
        name: {
            field: estimate(
                [
                    abs(value) if field.endswith("most") else value
                    for value in (getattr(each.influences[name], field) for each in outcomes)
                ]
            )
            for field in Influence._fields
        }
        for name in names
    }


def _targets(
    scenario: str,
    policies: Sequence[PolicySummary],
    influences: dict[str, dict[str, Estimate]],
) -> tuple[Target, ...]:
    found = []
    for policy in policies:
        if not policy.policy.startswith(LEARNING):
            continue
        least = CLAIRVOYANT_LEAST.get(scenario)
        if least is not None and policy.to_clairvoyant is not None:
            mean = policy.to_clairvoyant.mean
            name = f"{policy.policy}: revenue over the clairvoyant's"
            found.append(Target(name, f"at least {least}", mean, mean >= least))
        if policy.to_fixed is not None:
            mean = policy.to_fixed.mean
            name = f"{policy.policy}: revenue over the best single price's"
            found.append(Target(name, f"at least {FIXED_LEAST}", mean, mean >= FIXED_LEAST))
        turns = policy.figures["turns_a_day"]
        name = f"{policy.policy}: turns of a price a day"
        found.append(Target(name, f"at most {TURNS_A_DAY_MOST}", turns, turns <= TURNS_A_DAY_MOST))
    for name, influence in influences.items():
        # Twin runs differ by chance too: they are told with their interval.
        for field in ("target", "lead_most", "ever_most"):
            moved = abs(influence[field].mean)
            found.append(
                Target(
                    f"{name}: {field.replace('_', ' ')} moved by colluders",
                    f"less than {INFLUENCE_MOST}",
                    moved,
                    moved < INFLUENCE_MOST,
                )
            )
    return tuple(found)


def _curve(name: str, runs: Sequence[Run]) -> Curve:
    revenue = np.mean([run.course.revenue for run in runs], axis=0)
    hourly = _mean([run.course.error for run in runs])
    daily = hourly[: len(hourly) // 24 * 24].reshape(-1, 24)
    error = _mean(list(daily.T))
    return Curve(
        name,
        [round(float(credits), 1) for credits in revenue],
        [round(float(off), 4) if not np.isnan(off) else 0.0 for off in error],
    )
