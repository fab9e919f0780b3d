"""The listing model as a bundle's parts and as it answers: a calibrated probability, reasons."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models_ml.artefact import Unusable, bounded, loaded, vouched
from models_ml.bundle import unpack
from models_ml.fraud.listing_features import BACKGROUND, FEATURES, NAMES, SCHEMA
from models_ml.reference import PART, Reference, from_bytes, to_bytes

if TYPE_CHECKING:
    import xgboost

MODEL_FILE: Final = "listing.json"
METADATA_FILE: Final = "listing.meta.json"
PACKAGED: Final = Path(__file__).with_name("listing.bundle")
REASONS_MAX: Final = 5
_BYTES_MAX = {MODEL_FILE: 16_000_000, METADATA_FILE: 1_000_000, PART: 1_000_000}
# What a share must add to the log odds to be called a reason.
_SHARE_LEAST = 0.1
_TOLERANCE = 1e-4
_ODDS_MAX = 30.0

Matrix = NDArray[np.float32]
Floats = NDArray[np.float64]


class Example(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row and the probability that it must get; None is unknown."""

    features: tuple[float | None, ...]
    probability: float


class Metadata(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`slope` and `level` turn the model's log odds into calibrated ones (Platt 1999).
    `flag_at` and `quarantine_at` are probabilities."""

    schema: int
    features: tuple[str, ...]
    slope: float
    level: float
    flag_at: float
    quarantine_at: float
    examples: tuple[Example, ...]
    rows: int
    scams: int
    reviewed: int
    training_sha256: str
    model_sha256: str
    xgboost: str
    metrics: dict[str, float]


class ListingModel:
    """A `models_ml.served.Served`. Raises Unusable at construction if model and metadata don't
    belong together."""

    def __init__(self, model: bytes, metadata: Metadata, reference: Reference) -> None:
        if metadata.schema != SCHEMA or metadata.features != NAMES:
            raise Unusable(
                f"made for features of schema {metadata.schema}; this program has {SCHEMA}"
            )
        _check_numbers(metadata)
        vouched(model, metadata.model_sha256, MODEL_FILE, METADATA_FILE)
        self._booster: xgboost.Booster = loaded(model, NAMES, MODEL_FILE)
        self.schema = metadata.schema
        self.features = metadata.features
        self.metadata = metadata
        self.reference = reference

    @property
    def flag_at(self) -> float:
        return self.metadata.flag_at

    @property
    def quarantine_at(self) -> float:
        return self.metadata.quarantine_at

    def probabilities(self, rows: Matrix) -> Floats:
        """The chance that each is a scam. `rows` are of `listing_features.feature_rows`."""
        if not len(rows):
            return np.zeros(0)
        margin = self._booster.inplace_predict(rows, predict_type="margin")
        odds = self.metadata.slope * margin.astype(np.float64) + self.metadata.level
        return _chance(odds)

    def reasons(self, rows: Matrix, most: int = 3) -> list[list[str]]:
        """Of each row the `most` (up to REASONS_MAX) features that raise suspicion furthest, by
        their exact SHAP values, in words. What is no fault of a lead is no reason (BACKGROUND)."""
        import xgboost

        if not len(rows):
            return []
        matrix = xgboost.DMatrix(rows, feature_names=list(NAMES))
        shares = self._booster.predict(matrix, pred_contribs=True)[:, :-1]
        return [
            _words(row, share, min(most, REASONS_MAX))
            for row, share in zip(rows, shares, strict=True)
        ]

    def check(self) -> None:
        """Score the known examples. Raises Unusable if an answer differs."""
        rows = np.array(
            [
                [math.nan if cell is None else cell for cell in example.features]
                for example in self.metadata.examples
            ],
            dtype=np.float32,
        )
        found = self.probabilities(rows)
        for chance, example in zip(found.tolist(), self.metadata.examples, strict=True):
            if not abs(chance - example.probability) <= _TOLERANCE:
                raise Unusable(
                    f"a known example scores {chance:.4f} instead of {example.probability:.4f}"
                )


def parts_of(model: bytes, metadata: Metadata, reference: Reference) -> dict[str, bytes]:
    """The parts of the bundle, by file name."""
    text = msgspec.json.format(msgspec.json.encode(metadata), indent=1)
    return {MODEL_FILE: model, METADATA_FILE: text + b"\n", PART: to_bytes(reference)}


def of_parts(parts: Mapping[str, bytes]) -> ListingModel:
    """Raises Unusable."""
    if set(parts) != set(_BYTES_MAX):
        told = ", ".join(sorted(parts)[:5])
        raise Unusable(f"its parts are {told}; {', '.join(_BYTES_MAX)} are needed")
    for file, most in _BYTES_MAX.items():
        if len(parts[file]) > most:
            raise Unusable(f"{file} is longer than {most:,} bytes")
    try:
        metadata = msgspec.json.decode(parts[METADATA_FILE], type=Metadata)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unusable(f"{METADATA_FILE}: {error}") from error
    return ListingModel(parts[MODEL_FILE], metadata, from_bytes(parts[PART], NAMES))


def packaged() -> bytes:
    """The bundle that comes with the package. Raises Unusable if it can't be read."""
    return bounded(PACKAGED, sum(_BYTES_MAX.values()))


def load_packaged() -> ListingModel:
    """Raises Unusable."""
    return of_parts(unpack(packaged(), sum(_BYTES_MAX.values())))


def _words(row: Matrix, share: NDArray[np.float32], most: int) -> list[str]:
    told: list[str] = []
    for place in np.argsort(-share, kind="stable").tolist():
        if share[place] < _SHARE_LEAST or len(told) == most:
            break
        # What is not there, or not known, raises suspicion of nothing that could be told.
        is_there = abs(row[place]) > 0
        if is_there and FEATURES[place].name not in BACKGROUND:
            told.append(FEATURES[place].words)
    return told


def _check_numbers(metadata: Metadata) -> None:
    if not 0 < metadata.slope <= 100 or not abs(metadata.level) <= 100:
        raise Unusable(f"{METADATA_FILE}: the calibration is out of range")
    if not 0 < metadata.flag_at <= metadata.quarantine_at < 1:
        raise Unusable(f"{METADATA_FILE}: the thresholds are not in order between 0 and 1")
    if not metadata.examples or any(
        len(example.features) != len(NAMES) for example in metadata.examples
    ):
        raise Unusable(f"{METADATA_FILE}: there is no known example of these features")


def _chance(odds: Floats) -> Floats:
    found: Floats = 1 / (1 + np.exp(-np.clip(odds, -_ODDS_MAX, _ODDS_MAX)))
    return found
