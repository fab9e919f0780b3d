"""Fit the advertiser model: settings chosen, then calibrated, on advertisers left out."""

from __future__ import annotations

import hashlib
from typing import Any, Final, NamedTuple

import numpy as np
import xgboost
from numpy.typing import NDArray
from scipy.optimize import minimize

from models_ml.fraud.advertisements import Labelled, parts
from models_ml.fraud.advertiser_features import FEATURES, NAMES, SCHEMA, out_of_fold
from models_ml.fraud.advertiser_model import Metadata
from models_ml.fraud.knowledge import learn
from models_ml.fraud.scores import curve

CHOOSING_FOLDS: Final = 3
CANDIDATES: Final[tuple[dict[str, float], ...]] = (
    {"max_depth": 4, "rounds": 300, "subsample": 0.8, "colsample_bytree": 0.4},
    {"max_depth": 6, "rounds": 300, "subsample": 0.8, "colsample_bytree": 0.4},
    {"max_depth": 10, "rounds": 300, "subsample": 0.7, "colsample_bytree": 0.3},
)
_PARAMETERS: Final[dict[str, Any]] = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "learning_rate": 0.05,
    "monotone_constraints": tuple(feature.monotone for feature in FEATURES),
    "seed": 5,
    # One sums in one order: the same table makes the same model, byte for byte.
    "nthread": 1,
}

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]


class Trained(NamedTuple):
    model: bytes
    metadata: Metadata


def train(data: Labelled, matrix: Matrix | None = None) -> Trained:
    """The candidate of the highest average precision on advertisers left out; `matrix` is
    `out_of_fold(data)` if it is known. Raises ValueError if a fold lacks one of the kinds."""
    features = out_of_fold(data) if matrix is None else matrix
    fold = parts(data.advertiser, CHOOSING_FOLDS, "choosing")
    for number in range(CHOOSING_FOLDS):
        inside = data.scam[fold == number]
        if not inside.any() or inside.all():
            raise ValueError("too few advertisements of one kind to choose a model by")
    ones = np.ones(len(data.scam))
    found = []
    for candidate in CANDIDATES:
        margins = _left_out(features, data.scam, fold, candidate)
        found.append((curve(data.scam, margins, ones)[0], margins, candidate))
    precision, margins, candidate = max(found, key=lambda each: each[0])
    slope, level = platt(margins, data.scam)
    model = bytes(fit(features, data.scam, candidate).save_raw("json"))
    metadata = Metadata(
        schema=SCHEMA,
        features=NAMES,
        slope=slope,
        level=level,
        knowledge=learn(data.advertisements, data.scam),
        parameters=candidate,
        rows=len(data.scam),
        scams=int(data.scam.sum()),
        training_sha256=data.digest(),
        model_sha256=hashlib.sha256(model).hexdigest(),
        xgboost=xgboost.__version__,
        metrics={"choosing_average_precision": round(precision, 4)},
    )
    return Trained(model, metadata)


def fit(features: Matrix, scam: NDArray[np.bool_], candidate: dict[str, float]) -> xgboost.Booster:
    settings = {name: value for name, value in candidate.items() if name != "rounds"}
    settings["max_depth"] = int(settings["max_depth"])
    matrix = xgboost.DMatrix(features, scam, feature_names=list(NAMES))
    return xgboost.train({**_PARAMETERS, **settings}, matrix, int(candidate["rounds"]))


def platt(margins: Floats, scam: NDArray[np.bool_]) -> tuple[float, float]:
    """(slope, level) of greatest likelihood, the slope above 0 so that the order stays."""

    def loss(parameters: Floats) -> float:
        odds = np.exp(parameters[0]) * margins + parameters[1]
        return float(np.mean(np.logaddexp(0, np.where(scam, -odds, odds))))

    found = minimize(loss, np.zeros(2), method="Nelder-Mead", bounds=((-4, 4), (-50, 50)))
    return float(np.exp(found.x[0])), float(found.x[1])


def _left_out(
    features: Matrix, scam: NDArray[np.bool_], fold: NDArray[np.int64], candidate: dict[str, float]
) -> Floats:
    """Log odds of each row by a model of the other folds."""
    margins = np.empty(len(scam))
    for number in range(CHOOSING_FOLDS):
        inside = fold == number
        booster = fit(features[~inside], scam[~inside], candidate)
        margins[inside] = booster.inplace_predict(features[inside], predict_type="margin")
    return margins
