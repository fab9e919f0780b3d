"""Fit the listing model: on sample worlds and what reviewers decided.

Calibration and thresholds rest on rows whose advertiser the scoring model has not seen. How good
it is rests on rows whose days it has not seen either: of each fold by contact only the later half
is scored, by a model of the others' earlier half. That one knows a third of the scams, so its log
odds have another scale and calibrate nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import xgboost
from numpy.typing import NDArray

from models_ml.bundle import pack
from models_ml.fraud.advertisements import parts as folds_of
from models_ml.fraud.advertisements import read
from models_ml.fraud.advertiser_model import packed as packed_advertiser
from models_ml.fraud.advertiser_train import platt, train
from models_ml.fraud.known_leads import LeadRows
from models_ml.fraud.listing_features import FEATURES, NAMES, SCHEMA
from models_ml.fraud.listing_model import (
    Example,
    ListingModel,
    Metadata,
    parts_of,
)
from models_ml.fraud.sample_leads import World, read_worlds
from models_ml.fraud.scores import BINS, curve
from models_ml.reference import of_training

FOLDS: Final = 3
ROUNDS: Final = 400
REVIEW_WEIGHT: Final = 5.0
"""A reviewer's word on a real lead counts as much as so many made-up ones."""
PRECISION_FLAG: Final = 0.5
PRECISION_QUARANTINE: Final = 0.95
FLAG_AT_LEAST: Final = 0.1
"""Of leads below it nobody is told why (serve_apps/scoring/fraud_scoring.py)."""
QUARANTINE_AT_LEAST: Final = 0.9
"""Worlds are plainer than markets: whatever they say, only what is nearly sure is hidden."""
PRICE_SPREAD: Final = 0.12
"""Scale of the noise on ln(price / comparables), Student's t of 3 degrees: what captured rents are
farther apart than a world's, where a price says more than it does in a market."""
_EXAMPLES = 4
_PARAMETERS: Final[dict[str, Any]] = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "learning_rate": 0.05,
    "max_depth": 5,
    "min_child_weight": 1.0,
    "subsample": 0.8,
    "colsample_bytree": 0.3,
    "monotone_constraints": tuple(feature.monotone for feature in FEATURES),
    "seed": 5,
    # One sums in one order: the same rows make the same model, byte for byte.
    "nthread": 1,
}

Matrix = NDArray[np.float32]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


WORLDS: Final = (World(101, 5_000, False), World(102, 5_000, True), World(103, 5_000, False))
"""Of them one is a market that starts, and takes in all at once."""


class Reviewed(NamedTuple):
    """Leads that a reviewer decided: `label` 1 for rejected, 0 for approved; `schema` is of the
    features of each, as they were when the lead was scored."""

    features: Sequence[Sequence[float]]
    label: Sequence[int]
    schema: Sequence[int]


class Learnt(NamedTuple):
    """What is learnt from, in step. `late` rows came in after the middle of their world."""

    features: Matrix
    scam: Flags
    advertiser: NDArray[np.str_]
    late: Flags
    weight: Floats

    def rows(self, which: Flags) -> Learnt:
        return Learnt(
            self.features[which],
            self.scam[which],
            self.advertiser[which],
            self.late[which],
            self.weight[which],
        )

    def digest(self) -> str:
        told = hashlib.sha256()
        for column in (self.features, self.scam, self.late, self.weight):
            told.update(np.ascontiguousarray(column).tobytes())
        told.update("\x1f".join(self.advertiser.tolist()).encode())
        return told.hexdigest()


class Trained(NamedTuple):
    bundle: bytes
    metrics: dict[str, float]
    training_sha256: str


def train_listing(
    reviewed: Reviewed | None = None,
    worlds: Sequence[World] = WORLDS,
    on_step: Callable[[str], None] = lambda _: None,
) -> Trained:
    """A bundle of the listing model. Raises ValueError for reviews of other features."""
    found = read_worlds(worlds, lambda world: on_step(f"sample world {world.seed} read"))
    on_step("fitting")
    return fitted(learnt_of(found, reviewed), 0 if reviewed is None else len(reviewed.label))


def train_advertiser(folder: Path) -> Trained:
    """A bundle of the advertiser model, of the folder's labelled table. It holds counts of the
    table's places and mail domains. Raises NotMeasured, ValueError."""
    trained = train(read(folder))
    metadata = trained.metadata
    return Trained(
        pack(packed_advertiser(trained.model, metadata)), metadata.metrics, metadata.training_sha256
    )


def learnt_of(worlds: Sequence[LeadRows], reviewed: Reviewed | None = None) -> Learnt:
    """Raises ValueError for reviews of other features."""
    pieces = [
        Learnt(
            with_spread(leads.features, place),
            leads.scam,
            np.array([f"{place}/{each}" for each in leads.advertiser]),
            leads.seen_us > np.median(leads.seen_us),
            np.ones(len(leads.kind)),
        )
        for place, leads in enumerate(worlds)
    ]
    if reviewed is not None and len(reviewed.label):
        pieces.append(_of_reviews(reviewed))
    return Learnt(
        np.concatenate([piece.features for piece in pieces]),
        np.concatenate([piece.scam for piece in pieces]),
        np.concatenate([piece.advertiser for piece in pieces]),
        np.concatenate([piece.late for piece in pieces]),
        np.concatenate([piece.weight for piece in pieces]),
    )


def with_spread(features: Matrix, seed: int) -> Matrix:
    """Rows with prices as far apart as in a market."""
    found = features.copy()
    noise = np.random.default_rng(seed).standard_t(3, len(found)) * PRICE_SPREAD
    found[:, NAMES.index("price_to_comparables")] += noise.astype(np.float32)
    return found


def fitted(learnt: Learnt, reviewed: int = 0) -> Trained:
    """Raises ValueError if a fold lacks scams or honest leads."""
    margins = left_out(learnt)
    slope, level = platt(margins, learnt.scam)
    chances = 1 / (1 + np.exp(-np.clip(slope * margins + level, -30, 30)))
    flag_at = max(threshold(learnt.scam, chances, PRECISION_FLAG), FLAG_AT_LEAST)
    sure = threshold(learnt.scam, chances, PRECISION_QUARANTINE)
    quarantine_at = max(flag_at, sure, QUARANTINE_AT_LEAST)
    model = bytes(fit(learnt).save_raw("json"))
    late = learnt.late
    by_time = left_out(learnt, by_time=True)[late]
    precision, recall = curve(learnt.scam[late], by_time, np.ones(len(by_time)))
    metadata = Metadata(
        schema=SCHEMA,
        features=NAMES,
        slope=slope,
        level=level,
        flag_at=flag_at,
        quarantine_at=quarantine_at,
        examples=(Example((None,) * len(NAMES), 0.5),),
        rows=len(learnt.scam),
        scams=int(learnt.scam.sum()),
        reviewed=reviewed,
        training_sha256=learnt.digest(),
        model_sha256=hashlib.sha256(model).hexdigest(),
        xgboost=xgboost.__version__,
        metrics={
            "average_precision_left_out": round(precision, 4),
            "recall_at_1_percent_left_out": round(recall, 4),
        },
    )
    reference = of_training(NAMES, learnt.features, _tenths(learnt.scam, chances))
    examples = _examples(ListingModel(model, metadata, reference), learnt)
    metadata = msgspec.structs.replace(metadata, examples=examples)
    return Trained(
        pack(parts_of(model, metadata, reference)), metadata.metrics, metadata.training_sha256
    )


def fit(learnt: Learnt) -> xgboost.Booster:
    matrix = xgboost.DMatrix(
        learnt.features, learnt.scam, weight=learnt.weight, feature_names=list(NAMES)
    )
    return xgboost.train(_PARAMETERS, matrix, ROUNDS)


def left_out(learnt: Learnt, *, by_time: bool = False) -> Floats:
    """Log odds of each fold by advertiser, by a model of the other folds; `by_time` those of the
    later rows by a model of the others' earlier rows, NaN for the earlier ones. Raises ValueError
    if a part lacks scams or honest leads."""
    fold = folds_of(learnt.advertiser, FOLDS, "listing")
    margins = np.full(len(learnt.scam), np.nan)
    for number in range(FOLDS):
        told, scored = fold != number, fold == number
        if by_time:
            told, scored = told & ~learnt.late, scored & learnt.late
        for part in (told, scored):
            if not learnt.scam[part].any() or learnt.scam[part].all():
                raise ValueError("too few scams or honest leads to learn from")
        booster = fit(learnt.rows(told))
        margins[scored] = booster.inplace_predict(learnt.features[scored], predict_type="margin")
    return margins


def threshold(scam: Flags, chance: Floats, precision: float) -> float:
    """The lowest chance above which at least this share are scams; nearly 1 if there is none."""
    order = np.argsort(-chance, kind="stable")
    right = np.cumsum(scam[order]) / np.arange(1, len(order) + 1)
    last = np.append(np.diff(chance[order]) != 0, True)
    enough = np.flatnonzero((right >= precision) & last)
    found = float(chance[order][enough[-1]]) if len(enough) else 0.999
    return min(max(found, 0.001), 0.999)


def _of_reviews(reviewed: Reviewed) -> Learnt:
    other = sorted({schema for schema in reviewed.schema if schema != SCHEMA})
    if other:
        raise ValueError(f"reviews of features of schema {other[0]}; this program has {SCHEMA}")
    features = np.array(reviewed.features, dtype=np.float32)
    if features.shape != (len(reviewed.label), len(NAMES)):
        raise ValueError(f"reviews have rows of {features.shape}; {len(NAMES)} features needed")
    count = len(reviewed.label)
    return Learnt(
        features,
        np.array(reviewed.label, dtype=np.bool_),
        # Whose lead it was is not kept with a label: each counts as an advertiser of its own.
        np.array([f"reviewed/{row}" for row in range(count)]),
        np.arange(count) >= count // 2,
        np.full(count, REVIEW_WEIGHT),
    )


def _tenths(scam: Flags, chance: Floats) -> list[tuple[int, float, float]]:
    """Of tenths of the rows by chance: how many, mean chance, share of scams."""
    groups = np.array_split(np.argsort(chance, kind="stable"), BINS)
    return [
        (len(each), float(chance[each].mean()), float(scam[each].mean()))
        for each in groups
        if len(each)
    ]


def _examples(model: ListingModel, learnt: Learnt) -> tuple[Example, ...]:
    """The first scams and the first honest ones, with what the model says of them."""
    chosen = np.concatenate(
        [np.flatnonzero(learnt.scam == scam)[:_EXAMPLES] for scam in (True, False)]
    )
    rows = learnt.features[chosen]
    return tuple(
        Example(tuple(None if np.isnan(cell) else float(cell) for cell in row), float(chance))
        for row, chance in zip(rows, model.probabilities(rows), strict=True)
    )
