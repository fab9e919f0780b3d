"""The advertiser model as files and as it answers: a calibrated probability with reasons."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models_ml.artefact import Unusable, bounded, loaded, vouched
from models_ml.fraud.advertisements import Advertisement
from models_ml.fraud.advertiser_features import FEATURES, NAMES, SCHEMA, feature_matrix
from models_ml.fraud.knowledge import PAIRS, RATES, Knowledge, facets

if TYPE_CHECKING:
    import xgboost

MODEL_FILE: Final = "advertiser.json"
METADATA_FILE: Final = "advertiser.meta.json"
MODEL_BYTES_MAX: Final = 16_000_000
METADATA_BYTES_MAX: Final = 32_000_000
REASONS_MAX: Final = 5


class Metadata(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`slope` and `level` turn the model's log odds into calibrated ones (Platt 1999)."""

    schema: int
    features: tuple[str, ...]
    slope: float
    level: float
    knowledge: Knowledge
    parameters: dict[str, float]
    rows: int
    scams: int
    training_sha256: str
    model_sha256: str
    xgboost: str
    metrics: dict[str, float]


class AdvertiserModel:
    """Raises Unusable at construction if model and metadata don't belong together."""

    def __init__(self, model: bytes, metadata: Metadata) -> None:
        if metadata.schema != SCHEMA or metadata.features != NAMES:
            raise Unusable(
                f"made for features of schema {metadata.schema}; this program has {SCHEMA}"
            )
        if not 0 < metadata.slope <= 100 or not abs(metadata.level) <= 100:
            raise Unusable(f"{METADATA_FILE}: the calibration is out of range")
        _check(metadata.knowledge)
        vouched(model, metadata.model_sha256, MODEL_FILE, METADATA_FILE)
        self._booster: xgboost.Booster = loaded(model, NAMES, MODEL_FILE)
        self.metadata = metadata

    def probabilities(self, ads: Sequence[Advertisement]) -> NDArray[np.float64]:
        """The chance that each one's advertiser is a scammer."""
        features = feature_matrix(ads, self.metadata.knowledge)
        return self._calibrated(self._booster.inplace_predict(features, predict_type="margin"))

    def reasons(self, ads: Sequence[Advertisement], most: int = 3) -> list[list[str]]:
        """Of each the `most` (up to REASONS_MAX) features that raise or lower the suspicion
        furthest, by their exact SHAP values, in words."""
        import xgboost

        features = feature_matrix(ads, self.metadata.knowledge)
        matrix = xgboost.DMatrix(features, feature_names=list(NAMES))
        shares = self._booster.predict(matrix, pred_contribs=True)[:, :-1]
        return [
            [
                f"{FEATURES[place].words} {'raises' if share[place] > 0 else 'lowers'} suspicion"
                for place in np.argsort(-np.abs(share), kind="stable")[: min(most, REASONS_MAX)]
            ]
            for share in shares
        ]

    def _calibrated(self, margin: NDArray[np.float32]) -> NDArray[np.float64]:
        odds = self.metadata.slope * margin.astype(np.float64) + self.metadata.level
        return 1 / (1 + np.exp(-np.clip(odds, -30, 30)))


def write(folder: Path, model: bytes, metadata: Metadata) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MODEL_FILE).write_bytes(model)
    (folder / METADATA_FILE).write_bytes(msgspec.json.encode(metadata) + b"\n")


def load(folder: Path) -> AdvertiserModel:
    """Raises Unusable."""
    try:
        metadata = msgspec.json.decode(
            bounded(folder / METADATA_FILE, METADATA_BYTES_MAX), type=Metadata
        )
    except msgspec.DecodeError as error:
        raise Unusable(f"{METADATA_FILE}: {error}") from error
    return AdvertiserModel(bounded(folder / MODEL_FILE, MODEL_BYTES_MAX), metadata)


def _check(knowledge: Knowledge) -> None:
    """Counts that a rate can be made of. Raises Unusable."""
    told = facets(Advertisement("", "", 1.0, "", "", 0.0, 0.0, 0.0, 0.0, "", "", ""))
    known = (
        set(knowledge.scams) == set(RATES)
        and set(knowledge.seen) == set(told)
        and len(knowledge.together) == len(PAIRS)
        and 0 < knowledge.scam_rows < knowledge.rows
    )
    if not known:
        raise Unusable(f"{METADATA_FILE}: what is known is not what these features need")
    for facet in RATES:
        for value, scams in knowledge.scams[facet].items():
            if not 0 <= scams <= knowledge.seen[facet].get(value, 0):
                raise Unusable(f"{METADATA_FILE}: more scams than advertisements of one value")
