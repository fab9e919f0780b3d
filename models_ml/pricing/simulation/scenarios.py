"""Scenarios by name, run over seeds: from what is asked for to its summaries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from models_ml.pricing.churn import Churn
from models_ml.pricing.simulation.compare import Task, known_policies, run_all
from models_ml.pricing.simulation.fixed_price import best_fixed
from models_ml.pricing.simulation.summary import Summary, summary_of
from models_ml.pricing.simulation.terms import SCENARIOS, Terms

# Leads and arrivals are those of a market of so many days, unless asked for otherwise.
_ARRIVALS_A_LEAD = 20


class Asked(NamedTuple):
    """`days`, `leads`: as the scenario has them if None. Seeds are `first_seed` and on."""

    scenarios: tuple[str, ...]
    policies: tuple[str, ...]
    seeds: int
    first_seed: int = 1
    days: int | None = None
    leads: int | None = None
    churn: Churn | None = None
    processes: int | None = None


def terms_of(asked: Asked, scenario: str) -> Terms:
    """Raises ValueError on an unknown scenario, or days too few to learn in."""
    if scenario not in SCENARIOS:
        raise ValueError(f"no scenario {scenario!r}; there are {', '.join(SCENARIOS)}")
    terms = SCENARIOS[scenario]
    days, leads = asked.days or terms.days, asked.leads or terms.leads
    if days <= terms.learning_days:
        raise ValueError(f"{days} days: the first {terms.learning_days} are for learning")
    if any(shock.day >= days for shock in terms.shocks):
        raise ValueError(f"{days} days: a shock of scenario {scenario} comes after them")
    return msgspec.structs.replace(
        terms,
        days=days,
        leads=leads,
        arrivals=leads * _ARRIVALS_A_LEAD,
        churn=asked.churn or terms.churn,
    )


def simulate(asked: Asked, on_seed: Callable[[str], None] = lambda _: None) -> list[Summary]:
    """A summary of each scenario; `on_seed` hears the scenario of each seed that is done.

    Raises ValueError on unknown scenarios and policies.
    """
    unknown = [name for name in asked.policies if name not in known_policies()]
    if unknown:
        known = ", ".join(known_policies())
        raise ValueError(f"no policy {', '.join(unknown)}; there are {known}")
    summaries = []
    every = [(scenario, terms_of(asked, scenario)) for scenario in asked.scenarios]
    for scenario, terms in every:
        fixed = best_fixed(terms)
        tasks = [
            Task(terms, seed, asked.policies, fixed)
            for seed in range(asked.first_seed, asked.first_seed + asked.seeds)
        ]
        outcomes = run_all(tasks, processes=asked.processes, on_seed=_named(on_seed, scenario))
        summaries.append(summary_of(scenario, terms, fixed, outcomes))
    return summaries


def _named(on_seed: Callable[[str], None], scenario: str) -> Callable[[], None]:
    return lambda: on_seed(scenario)


def all_scenarios() -> Sequence[str]:
    return tuple(SCENARIOS)
