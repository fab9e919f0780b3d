"""What the advertiser model is measured beside; scikit-learn is in the extra `bench`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models_ml.fraud.advertisements import parts
from models_ml.fraud.scores import curve

FOLDS: Final = 3

Matrix = NDArray[np.float32]
Model = Callable[[], Any]


class Missing(Exception):
    """scikit-learn is not installed; the text says how to get it."""


class Other(NamedTuple):
    """A kind of model and the settings among which average precision decides."""

    name: str
    candidates: tuple[Model, ...]


def others() -> tuple[Other, ...]:
    """Raises Missing."""
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    except ImportError as error:
        raise Missing(f"{error}; `pip install aiqleads[bench]` adds these rows") from error

    def logistic(strength: float) -> Model:
        return lambda: make_pipeline(
            StandardScaler(), LogisticRegression(C=strength, max_iter=1000)
        )

    def boosting(leaves: int, rate: float) -> Model:
        return lambda: HistGradientBoostingClassifier(
            max_leaf_nodes=leaves, learning_rate=rate, max_iter=150, min_samples_leaf=10,
            l2_regularization=1.0, max_features=0.4, early_stopping=False, random_state=5,
        )  # fmt: skip

    return (
        Other("logistic regression", tuple(logistic(each) for each in (0.01, 0.1, 1.0))),
        Other("scikit-learn boosting", (boosting(15, 0.05), boosting(31, 0.08))),
    )


def chances(
    other: Other, features: Matrix, scam: NDArray[np.bool_], advertiser: NDArray[np.str_],
    scored: Matrix,
) -> NDArray[np.float64]:  # fmt: skip
    """Of the rows of `scored`, by the candidate best on advertisers left out of `features`."""
    fold = parts(advertiser, FOLDS, "choosing")
    middle = np.nan_to_num(np.nanmedian(features, axis=0))
    known = np.where(np.isnan(features), middle, features)
    best, chosen = -1.0, other.candidates[0]
    for candidate in other.candidates:
        chance = np.empty(len(scam))
        for number in range(FOLDS):
            inside = fold == number
            model = candidate().fit(known[~inside], scam[~inside])
            chance[inside] = model.predict_proba(known[inside])[:, 1]
        precision = curve(scam, chance, np.ones(len(scam)))[0]
        if precision > best:
            best, chosen = precision, candidate
    model = chosen().fit(known, scam)
    found: NDArray[np.float64] = model.predict_proba(np.where(np.isnan(scored), middle, scored))[
        :, 1
    ].astype(np.float64)
    return found
