"""Policies side by side: the same seeds, the same draws, differences by pairs."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from engine.market.pricing import policies as engine_policies
from models_ml.pricing.simulation.clairvoyant import LEAST, Ideal
from models_ml.pricing.simulation.collusion import Influence, influence_of
from models_ml.pricing.simulation.desk import OPENED_AT
from models_ml.pricing.simulation.figures import Course, Figures, course_of, figures_of
from models_ml.pricing.simulation.fixed_price import FixedPrices
from models_ml.pricing.simulation.floor import Floor
from models_ml.pricing.simulation.pricers import (
    ClairvoyantPricer,
    ConstantPricer,
    Pricer,
    RealPricer,
)
from models_ml.pricing.simulation.terms import Collusion, Terms
from models_ml.pricing.simulation.world import World

Floats = npt.NDArray[np.float64]

CLAIRVOYANT, FIXED, SCALED = "clairvoyant", "fixed", "scaled"
# Colluders by what it cost them: nothing, or old accounts that bought a lead or three each.
COLLUDERS: dict[str, Collusion] = {
    "fresh": Collusion(),
    "aged, paid once": Collusion(paid=1, age_days=120.0),
    "aged, paid thrice": Collusion(paid=3, age_days=120.0),
}


class Run(NamedTuple):
    """One policy in one world; `shocked` are the courses of each shock's leads."""

    policy: str
    figures: Figures
    course: Course
    shocked: tuple[Course, ...]


class SeedOutcome(NamedTuple):
    """`expected` is the clairvoyant's revenue in expectation, `influences` those of colluders."""

    seed: int
    expected: float
    runs: tuple[Run, ...]
    influences: Mapping[str, Influence]


class Task(NamedTuple):
    terms: Terms
    seed: int
    policies: tuple[str, ...]
    fixed: FixedPrices


def known_policies() -> tuple[str, ...]:
    """Everything that can be compared."""
    engine = [name for name in engine_policies.names() if name.partition("@")[0] != FIXED]
    return (FIXED, SCALED, *engine, CLAIRVOYANT)


def pricer_of(policy: str, world: World, ideal: Ideal, fixed: FixedPrices) -> Pricer:
    """Raises ValueError on an unknown policy."""
    if policy == CLAIRVOYANT:
        return ClairvoyantPricer(world, ideal, OPENED_AT)
    if policy == FIXED:
        return ConstantPricer(world, np.full(world.leads.size, fixed.price, np.int64))
    if policy == SCALED:
        scaled = np.rint(world.leads.seen * fixed.scale / 1_000)
        return ConstantPricer(world, np.maximum(LEAST, scaled).astype(np.int64))
    return RealPricer(policy)


def run_seed(task: Task) -> SeedOutcome:
    """Every policy in the world of one seed."""
    world = World(task.terms, task.seed)
    ideal = Ideal(world)
    runs = []
    for policy in task.policies:
        floor = Floor(world, pricer_of(policy, world, ideal, task.fixed))
        record = floor.run()
        shocked = tuple(course_of(world, record, ideal, shock.kind) for shock in task.terms.shocks)
        course = course_of(world, record, ideal)
        runs.append(Run(policy, figures_of(world, record), course, shocked))
    influences = _influences(task) if task.terms.collusion is not None else {}
    return SeedOutcome(task.seed, ideal.expected_of(world), tuple(runs), influences)


def _influences(task: Task) -> dict[str, Influence]:
    """Of each kind of colluders on each of the engine's policies that learn."""
    found = {}
    for policy in task.policies:
        if not policy.startswith("demand"):
            continue
        for name, collusion in COLLUDERS.items():
            terms = msgspec.structs.replace(task.terms, collusion=collusion)
            found[f"{policy}, {name}"] = influence_of(World(terms, task.seed), policy)
    return found


def run_all(
    tasks: Sequence[Task],
    *,
    processes: int | None = None,
    on_seed: Callable[[], None] = lambda: None,
) -> list[SeedOutcome]:
    """The outcomes in order of `tasks`; `on_seed` hears of each that is done.

    By default as many processes as there are cores, one for each task at most.
    """
    count = min(len(tasks), processes or os.cpu_count() or 1)
    if count <= 1:
        outcomes = []
        for task in tasks:
            outcomes.append(run_seed(task))
            on_seed()
        return outcomes
    # Spawned: a forked process would inherit the locks of a progress bar's thread.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, mp_context=context) as pool:
        futures = [pool.submit(run_seed, task) for task in tasks]
        for future in as_completed(futures):
            future.result()
            on_seed()
        return [future.result() for future in futures]
