"""Fit the base value to decisions: interval-censored willingness to pay, by XGBoost.

A purchase at a price says that the buyer's value is at least that; a decision not to buy,
that it is less. With ln(value) normal around the model's output this is an accelerated
failure time model (`survival:aft`; Barnwal, Cho and Hocking, Survival regression with
accelerated failure time model in XGBoost, 2022): its prediction is the median willingness
to pay. Where sense demands a direction the trees are constrained to it (FEATURES).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
import xgboost
from numpy.typing import NDArray

from models_ml.value.artefact import MODEL_BYTES_MAX, Metadata
from models_ml.value.evaluate import Outcome, against_truth, evaluate, predicted
from models_ml.value.features import FEATURES, NAMES, SCHEMA
from models_ml.value.trials_table import Decisions

SCALES: Final = (0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.8)
ROUNDS_MAX: Final = 220
_PATIENCE = 12
_LEADS_LEAST = 200
_PARAMETERS: Final[dict[str, Any]] = {
    "objective": "survival:aft",
    "eval_metric": "aft-nloglik",
    "aft_loss_distribution": "normal",
    "tree_method": "hist",
    "max_depth": 3,
    "learning_rate": 0.15,
    "min_child_weight": 20,
    "reg_lambda": 2.0,
    "monotone_constraints": tuple(feature.monotone for feature in FEATURES),
    "seed": 5,
    # One sums in one order: the same decisions make the same model, byte for byte.
    "nthread": 1,
}


class Trained(NamedTuple):
    model: bytes
    metadata: Metadata
    outcome: Outcome


def train(
    decisions: Decisions,
    *,
    trained_on: str,
    trained_by: str,
    truth: tuple[NDArray[np.float64], float] | None = None,
    on_step: Callable[[str], None] = lambda _: None,
) -> Trained:
    """The model with the lowest loss on leads held out for choosing, judged on other leads.

    `trained_on` says openly what the decisions are; `truth` is of simulated ones the law's
    median value for each and the standard deviation around it. Raises ValueError with fewer than
    200 leads, or if all decisions are alike.
    """
    side = _sides(decisions)
    learning, choosing, judging = (decisions.rows(side == name) for name in range(3))
    if len(np.unique(decisions.lead)) < _LEADS_LEAST:
        raise ValueError(f"decisions on at least {_LEADS_LEAST} leads are needed")
    for part in (learning, choosing, judging):
        if part.bought.all() or not part.bought.any():
            raise ValueError("the decisions are all alike: no price was found that divides them")
    fits: list[tuple[float, float, xgboost.Booster]] = []
    for scale in SCALES:
        loss, booster = _fit(learning, choosing, scale)
        on_step(f"scale {scale}: loss {loss:.4f}")
        fits.append((loss, scale, booster))
    _, scale, booster = min(fits, key=lambda fit: fit[0])
    model = bytes(booster.save_raw("json"))
    if len(model) > MODEL_BYTES_MAX:
        raise ValueError(f"the model has {len(model):,} bytes, more than {MODEL_BYTES_MAX:,}")
    outcome = evaluate(booster, scale, learning, judging)
    if truth is not None:
        values = predicted(booster, judging)
        found = against_truth(values, judging, truth[0][side == 2], truth[1])
        outcome = outcome._replace(truth=found)
    metadata = Metadata(
        schema=SCHEMA,
        features=NAMES,
        monotone=tuple(feature.monotone for feature in FEATURES),
        buyer_sd=scale,
        trained_on=trained_on,
        trained_by=trained_by,
        rows=len(decisions.price),
        leads=len(np.unique(decisions.lead)),
        training_sha256=decisions.digest(),
        model_sha256=hashlib.sha256(model).hexdigest(),
        xgboost=xgboost.__version__,
        metrics=outcome.metrics(),
    )
    return Trained(model, metadata, outcome)


def _fit(learning: Decisions, choosing: Decisions, scale: float) -> tuple[float, xgboost.Booster]:
    """The mean log loss of buying on what is held out, and the model."""
    start = float(np.exp(np.average(np.log(learning.price), weights=learning.weight)))
    watched = _matrix(choosing)
    booster = xgboost.train(
        {**_PARAMETERS, "aft_loss_distribution_scale": scale, "base_score": start},
        _matrix(learning),
        ROUNDS_MAX,
        evals=[(watched, "choosing")],
        early_stopping_rounds=_PATIENCE,
        verbose_eval=False,
    )
    loss, best = booster.best_score, booster.best_iteration
    return loss, booster[: best + 1]


def _matrix(decisions: Decisions) -> xgboost.DMatrix:
    found = xgboost.DMatrix(decisions.features, weight=decisions.weight, feature_names=list(NAMES))
    found.set_float_info("label_lower_bound", np.where(decisions.bought, decisions.price, 0.0))
    found.set_float_info("label_upper_bound", np.where(decisions.bought, np.inf, decisions.price))
    return found


def _sides(decisions: Decisions) -> NDArray[np.int64]:
    """0 learn from (65 %), 1 choose by (15 %), 2 judge by (20 %): by lead, always the same."""
    names, place = np.unique(decisions.lead, return_inverse=True)
    digests = [hashlib.blake2b(str(name).encode(), digest_size=4).digest() for name in names]
    share = np.array([int.from_bytes(digest, "big") for digest in digests]) / 2**32
    return np.digitize(share, (0.65, 0.80))[place]
