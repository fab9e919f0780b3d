"""`aiqleads eval fraud`: the advertiser model beside others on advertisers it has not seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models_ml.fraud.advertisements import Labelled, parts, read
from models_ml.fraud.advertiser_features import NAMES, PLACES, feature_matrix, out_of_fold
from models_ml.fraud.advertiser_model import AdvertiserModel
from models_ml.fraud.advertiser_rules import RULES, holding
from models_ml.fraud.advertiser_train import Trained, fit, train
from models_ml.fraud.baselines import Missing, Other, chances, others
from models_ml.fraud.scores import Scores, scores

FOLDS: Final = 5
OWN: Final = "advertiser model"
BLIND: Final = "the same trees without places and countries"
PLAIN: Final = "number of rules that hold"
PRECISION_LEAST: Final = 0.79
RECALL_LEAST: Final = 0.65
"""Both are those of a quick untuned XGBoost; to pass is to be above both."""

Floats = NDArray[np.float64]


class RuleCount(NamedTuple):
    """How often a rule holds, and how often that was a scam."""

    name: str
    because: str
    holds: int
    scams: int


class Outcome(NamedTuple):
    """`missing` says why rows of other models are not there; `examples` are the reasons of the
    most suspicious advertisements, with their probability and whether they were scams."""

    how: str
    rows: int
    scams: int
    overlap: int
    models: dict[str, Scores]
    rules: list[RuleCount]
    examples: list[tuple[float, bool, list[str]]]
    parameters: list[dict[str, float]]
    missing: str | None

    @property
    def passed(self) -> bool:
        own = self.models[OWN]
        return own.precision.value > PRECISION_LEAST and own.recall.value > RECALL_LEAST


def evaluate(
    train_folder: Path | None, captures: Path, on_step: Callable[[str], None] = lambda _: None
) -> tuple[Outcome, Trained]:
    """The outcome, and the model of the whole training table. Raises NotMeasured, ValueError.

    Of two folders one is learnt from and the other scored, without the advertisers that are in
    both; of one folder each fifth of the advertisers is scored by a model of the others.
    """
    scored = read(captures)
    if train_folder is None or train_folder.resolve() == captures.resolve():
        return _crossed(scored, on_step)
    learnt = read(train_folder)
    shared = np.isin(scored.advertiser, learnt.advertiser)
    scored = scored.rows(~shared)
    if scored.scam.all() or not scored.scam.any():
        raise ValueError("no scams, or nothing else, among advertisers that were not learnt from")
    on_step("other advertisers")
    found, trained = _scored(learnt, scored)
    how = f"learnt from {len(learnt.scam):,} advertisements, scored on other advertisers"
    return _outcome(how, scored, found, [trained], int(shared.sum())), trained


def _crossed(data: Labelled, on_step: Callable[[str], None]) -> tuple[Outcome, Trained]:
    fold = parts(data.advertiser, FOLDS, "judging")
    all_scores: dict[str, Floats] = {}
    models = []
    for number in range(FOLDS):
        on_step(f"fold {number + 1} of {FOLDS}")
        inside = fold == number
        found, trained = _scored(data.rows(~inside), data.rows(inside))
        models.append(trained)
        for name, score in found.items():
            all_scores.setdefault(name, np.empty(len(inside)))[inside] = score
    on_step("all advertisers")
    how = f"cross-validated, {FOLDS} folds disjoint by advertiser"
    return _outcome(how, data, all_scores, models, 0), train(data)


def _scored(learnt: Labelled, scored: Labelled) -> tuple[dict[str, Floats], Trained]:
    """Scores by model of what is learnt from one table alone."""
    features = out_of_fold(learnt)
    trained = train(learnt, features)
    model = AdvertiserModel(*trained)
    found = {OWN: model.probabilities(scored.advertisements)}
    new = feature_matrix(scored.advertisements, trained.metadata.knowledge)
    unplaced = np.isin(NAMES, PLACES)
    blind = fit(np.where(unplaced, np.float32(0), features), learnt.scam,
                trained.metadata.parameters)  # fmt: skip
    told = blind.inplace_predict(np.where(unplaced, np.float32(0), new))
    found[BLIND] = told.astype(np.float64)
    for other in _available()[0]:
        found[other.name] = chances(other, features, learnt.scam, learnt.advertiser, new)
    found[PLAIN] = np.array([len(holding(ad)) for ad in scored.advertisements], dtype=np.float64)
    return found, trained


def _outcome(
    how: str, data: Labelled, found: dict[str, Floats], models: list[Trained], overlap: int
) -> Outcome:
    rules = []
    held = [{rule.name for rule in holding(ad)} for ad in data.advertisements]
    for rule in RULES:
        holds = np.array([rule.name in each for each in held])
        rules.append(
            RuleCount(rule.name, rule.because, int(holds.sum()), int(data.scam[holds].sum()))
        )
    # Of several models the last one gives the reasons, which may have learnt from these rows: they
    # show what a reader is told, not how well.
    top = np.argsort(-found[OWN], kind="stable")[:3]
    reasons = AdvertiserModel(*models[-1]).reasons([data.advertisements[n] for n in top])
    return Outcome(
        how,
        len(data.scam),
        int(data.scam.sum()),
        overlap,
        {
            name: scores(data.scam, score, data.advertiser, probability=name != PLAIN)
            for name, score in found.items()
        },
        rules,
        [(float(found[OWN][n]), bool(data.scam[n]), why)
         for n, why in zip(top, reasons, strict=True)],
        [each.metadata.parameters for each in models],
        _available()[1],
    )  # fmt: skip


def _available() -> tuple[tuple[Other, ...], str | None]:
    """The other models, or none and why."""
    try:
        return others(), None
    except Missing as error:
        return (), str(error)
