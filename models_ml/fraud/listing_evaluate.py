"""The listing model on a sample world that it has not seen, whole and by kind of scam."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.intake.fraud.rules import RULES, Case, holding
from models_ml.bundle import unpack
from models_ml.fraud.baselines import Missing, Other, chances, others
from models_ml.fraud.known_leads import LeadRows
from models_ml.fraud.listing_features import NAMES
from models_ml.fraud.listing_model import ListingModel, of_parts
from models_ml.fraud.listing_train import (
    WORLDS,
    Learnt,
    Trained,
    fitted,
    learnt_of,
    with_spread,
)
from models_ml.fraud.sample_leads import World, read_worlds
from models_ml.fraud.scores import Scores, curve, scores

OWN: Final = "listing model"
RENTALS: Final = "the same, of offers for rent alone"
LATER: Final = "the same, scored again when all was known"
SPREAD: Final = "the same, prices as far apart as captured ones"
PRICE: Final = "price against comparables alone"
PLAIN: Final = "rules alone"
PRECISION_LEAST: Final = 0.95
TEST: Final = World(303, 8_000, False)
_SPREAD_SEED = 303
_BUNDLE_BYTES_MAX = 64_000_000

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class RuleCount(NamedTuple):
    """How often a rule holds, and how often that was a scam."""

    name: str
    words: str
    verdict: str
    holds: int
    scams: int


class KindLeftOut(NamedTuple):
    """Of the scams of one kind beside all honest leads: by the model, and by one that was trained
    without this kind. `caught` is the share at or above the respective flag threshold."""

    kind: str
    leads: int
    precision: float
    recall: float
    caught: float
    precision_without: float
    recall_without: float
    caught_without: float


class AtThreshold(NamedTuple):
    """What a threshold does to the scored leads."""

    name: str
    at: float
    leads: int
    precision: float
    recall: float
    honest_share: float


class ListingOutcome(NamedTuple):
    """`leads` and `scams` are of the scored world; `missing` says why other models are not there;
    `examples` are the most suspicious leads: chance, kind ("" if honest), reasons."""

    leads: int
    scams: int
    learnt: int
    learnt_scams: int
    models: dict[str, Scores]
    thresholds: list[AtThreshold]
    rules: list[RuleCount]
    kinds: list[KindLeftOut]
    examples: list[tuple[float, str, list[str]]]
    missing: str | None

    @property
    def passed(self) -> bool:
        return self.models[OWN].precision.value >= PRECISION_LEAST


def evaluate_listings(
    on_step: Callable[[str], None] = lambda _: None,
    worlds: Sequence[World] = WORLDS,
    test: World = TEST,
) -> tuple[ListingOutcome, Trained]:
    """The outcome on `test`, and the model fitted to `worlds`."""
    *learnt_from, scored = read_worlds(
        [*worlds, test], lambda world: on_step(f"sample world {world.seed} read")
    )
    return judged(learnt_from, scored, on_step)


def judged(
    learnt_from: Sequence[LeadRows],
    scored: LeadRows,
    on_step: Callable[[str], None] = lambda _: None,
) -> tuple[ListingOutcome, Trained]:
    """As `evaluate_listings`, of worlds already read. Raises ValueError if either lacks scams or
    honest leads."""
    learnt = learnt_of(learnt_from)
    on_step("fitting")
    trained = fitted(learnt)
    model = of_parts(unpack(trained.bundle, _BUNDLE_BYTES_MAX))
    first = scored.rows(~scored.is_later)
    models, missing = _models(model, learnt, scored, on_step)
    kinds = np.concatenate([each.kind for each in learnt_from])
    chance = model.probabilities(first.features)
    outcome = ListingOutcome(
        leads=len(first.kind),
        scams=int(first.scam.sum()),
        learnt=len(learnt.scam) // 2,
        learnt_scams=int(learnt.scam.sum()) // 2,
        models=models,
        thresholds=[
            _at("flag", model.flag_at, chance, first.scam),
            _at("quarantine", model.quarantine_at, chance, first.scam),
        ],
        rules=_rules(first),
        kinds=_kinds(model, chance, learnt, kinds, first, on_step),
        examples=_examples(model, chance, first),
        missing=missing,
    )
    return outcome, trained


def rule_score(case: Case) -> float:
    """How many rules hold, those that suffice for quarantine before all others."""
    return float(sum(len(RULES) if rule.verdict == "quarantine" else 1 for rule in holding(case)))


def _models(
    model: ListingModel, learnt: Learnt, scored: LeadRows, on_step: Callable[[str], None]
) -> tuple[dict[str, Scores], str | None]:
    first, later = scored.rows(~scored.is_later), scored.rows(scored.is_later)
    rentals = first.rows(first.features[:, NAMES.index("is_lease")] == 1)

    def of(rows: LeadRows, score: Floats, *, probability: bool = True) -> Scores:
        return scores(rows.scam, score, rows.advertiser, probability=probability)

    found = {
        OWN: of(first, model.probabilities(first.features)),
        RENTALS: of(rentals, model.probabilities(rentals.features)),
        LATER: of(later, model.probabilities(later.features)),
        SPREAD: of(first, model.probabilities(with_spread(first.features, _SPREAD_SEED))),
    }
    known, missing = _available()
    for other in known:
        on_step(other.name)
        told = chances(other, learnt.features, learnt.scam, learnt.advertiser, first.features)
        found[other.name] = of(first, told)
    price = -np.nan_to_num(first.features[:, NAMES.index("price_to_comparables")].astype(float))
    found[PRICE] = of(first, price, probability=False)
    plain = np.array([rule_score(case) for case in first.cases])
    found[PLAIN] = of(first, plain, probability=False)
    return found, missing


def _kinds(
    model: ListingModel,
    chance: Floats,
    learnt: Learnt,
    learnt_kinds: NDArray[np.str_],
    first: LeadRows,
    on_step: Callable[[str], None],
) -> list[KindLeftOut]:
    def left_out(kind: str) -> KindLeftOut:
        blind = fitted(learnt.rows(learnt_kinds != kind))
        on_step(f"learnt without {kind}")
        other = of_parts(unpack(blind.bundle, _BUNDLE_BYTES_MAX))
        chosen = (first.kind == "") | (first.kind == kind)
        scam = first.scam[chosen]
        with_it, without = chance[chosen], other.probabilities(first.features[chosen])
        ones = np.ones(len(scam))
        return KindLeftOut(
            kind,
            int(scam.sum()),
            *curve(scam, with_it, ones),
            float((with_it[scam] >= model.flag_at).mean()),
            *curve(scam, without, ones),
            float((without[scam] >= other.flag_at).mean()),
        )

    # XGBoost learns outside the interpreter's lock, by one thread each.
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(left_out, sorted({*first.kind.tolist()} - {""})))


def _at(name: str, at: float, chance: Floats, scam: Flags) -> AtThreshold:
    hit = chance >= at
    return AtThreshold(
        name,
        at,
        int(hit.sum()),
        float(scam[hit].mean()) if hit.any() else 0.0,
        float(hit[scam].mean()),
        float(hit[~scam].mean()),
    )


def _rules(rows: LeadRows) -> list[RuleCount]:
    held = [{rule.name for rule in holding(case)} for case in rows.cases]
    counts = []
    for rule in RULES:
        holds = np.array([rule.name in each for each in held])
        counts.append(
            RuleCount(
                rule.name, rule.words, rule.verdict, int(holds.sum()), int(rows.scam[holds].sum())
            )
        )
    return counts


def _examples(
    model: ListingModel, chance: Floats, rows: LeadRows
) -> list[tuple[float, str, list[str]]]:
    """The most suspicious of each of the first kinds, and the most suspicious honest lead."""
    order = np.argsort(-chance, kind="stable")
    chosen: dict[str, int] = {}
    for place in order.tolist():
        chosen.setdefault(str(rows.kind[place]), place)
    places = list(chosen.values())
    reasons = model.reasons(rows.features[places])
    return [
        (float(chance[place]), str(rows.kind[place]), why)
        for place, why in zip(places, reasons, strict=True)
    ]


def _available() -> tuple[tuple[Other, ...], str | None]:
    """The other models, or none and why."""
    try:
        return others(), None
    except Missing as error:
        return (), str(error)
