"""The advertiser model as files and as it answers: a calibrated probability with reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
EXAMPLES_FILE: Final = "advertiser.examples.json"
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


# Made up, of nobody.
EXAMPLES: Final = (
    Advertisement("ROOM", "Nowhere", 450.0, "AA", "BB", 0.0, 20.0, 0.0, 0.0, "", "", "gmail.com"),
    Advertisement(
        "APARTMENT", "Nowhere", 1215.0, "AA", "AA", 1.0, 95.0, 1.0, 1.0, "Firefox", "Linux",
        "office.example",
    ),
)  # fmt: skip
_TOLERANCE = 1e-4
_EXAMPLES_BYTES_MAX = 10_000


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
        self.schema = metadata.schema
        self.features = metadata.features
        self.metadata = metadata
        self.base_rate = metadata.scams / metadata.rows
        self._examples: list[float] | None = None

    @classmethod
    def of_parts(cls, parts: Mapping[str, bytes]) -> AdvertiserModel:
        """A `models_ml.served.Served` of a bundle's parts. Raises Unusable."""
        needed = {MODEL_FILE, METADATA_FILE, EXAMPLES_FILE}
        if set(parts) != needed:
            raise Unusable(
                f"parts are {', '.join(sorted(parts))}; {', '.join(sorted(needed))} needed"
            )
        if (
            len(parts[MODEL_FILE]) > MODEL_BYTES_MAX
            or len(parts[METADATA_FILE]) > METADATA_BYTES_MAX
        ):
            raise Unusable("a part is longer than an advertiser model's can be")
        found = cls(parts[MODEL_FILE], _metadata(parts[METADATA_FILE]))
        try:
            found._examples = msgspec.json.decode(parts[EXAMPLES_FILE], type=list[float])
        except msgspec.DecodeError as error:
            raise Unusable(f"{EXAMPLES_FILE}: {error}") from error
        return found

    def check(self) -> None:
        """Score the made-up examples. Raises Unusable if an answer differs."""
        found = self.probabilities(EXAMPLES).tolist()
        known = self._examples
        if known is None or len(known) != len(found):
            raise Unusable("no known answers came with the model")
        for chance, answer in zip(found, known, strict=True):
            if not abs(chance - answer) <= _TOLERANCE:
                raise Unusable(f"a known example scores {chance:.4f} instead of {answer:.4f}")

    def probabilities(self, ads: Sequence[Advertisement]) -> NDArray[np.float64]:
        """The chance that each one's advertiser is a scammer."""
        features = feature_matrix(ads, self.metadata.knowledge)
        return self._calibrated(self._booster.inplace_predict(features, predict_type="margin"))

    def reasons(self, ads: Sequence[Advertisement], most: int = 3) -> list[list[str]]:
        """Of each the `most` (up to REASONS_MAX) features that raise the suspicion furthest, by
        their exact SHAP values, in words."""
        import xgboost

        features = feature_matrix(ads, self.metadata.knowledge)
        matrix = xgboost.DMatrix(features, feature_names=list(NAMES))
        shares = self._booster.predict(matrix, pred_contribs=True)[:, :-1]
        return [
            [
                f"{FEATURES[place].words} raises suspicion"
                for place in np.argsort(-share, kind="stable")[: min(most, REASONS_MAX)]
                if share[place] > 0
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


def packed(model: bytes, metadata: Metadata) -> dict[str, bytes]:
    """The parts of a bundle, by file name."""
    known = AdvertiserModel(model, metadata).probabilities(EXAMPLES).tolist()
    return {
        MODEL_FILE: model,
        METADATA_FILE: msgspec.json.encode(metadata) + b"\n",
        EXAMPLES_FILE: msgspec.json.encode(known) + b"\n",
    }


def load(folder: Path) -> AdvertiserModel:
    """Raises Unusable."""
    metadata = _metadata(bounded(folder / METADATA_FILE, METADATA_BYTES_MAX))
    return AdvertiserModel(bounded(folder / MODEL_FILE, MODEL_BYTES_MAX), metadata)


def _metadata(content: bytes) -> Metadata:
    try:
        return msgspec.json.decode(content, type=Metadata)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unusable(f"{METADATA_FILE}: {error}") from error


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
