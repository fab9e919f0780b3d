"""The listing model as a bundle's parts and as it answers: a calibrated probability, reasons."""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models_ml.artefact import Unusable, loaded, vouched
from models_ml.fraud.listing_features import FEATURES, NAMES, SCHEMA

if TYPE_CHECKING:
    import xgboost

MODEL_FILE: Final = "listing.json"
METADATA_FILE: Final = "listing.meta.json"
PACKAGED: Final = "listing.bundle"
MODEL_BYTES_MAX: Final = 16_000_000
METADATA_BYTES_MAX: Final = 1_000_000
REASONS_MAX: Final = 5
ADVERTISERS_USUAL: Final = 0.058
"""The share of scammers among the advertisements that the advertiser model learnt from."""
# What a share must add to the log odds to be called a reason.
_SHARE_LEAST = 0.1
_TOLERANCE = 1e-4
_ODDS_MAX = 30.0

Matrix = NDArray[np.float32]
Floats = NDArray[np.float64]


class Reference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a feature was spread over the training rows: `shares` of rows up to each of `edges`,
    then beyond the last, then unknown; they sum to 1."""

    edges: tuple[float, ...]
    shares: tuple[float, ...]


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
    reference: dict[str, Reference]
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

    def __init__(self, model: bytes, metadata: Metadata) -> None:
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
        their exact SHAP values, in words; none for what is not to be flagged."""
        import xgboost

        if not len(rows):
            return []
        chances = self.probabilities(rows)
        matrix = xgboost.DMatrix(rows, feature_names=list(NAMES))
        shares = self._booster.predict(matrix, pred_contribs=True)[:, :-1]
        return [
            _words(row, share, min(most, REASONS_MAX)) if chance >= self.flag_at else []
            for row, share, chance in zip(rows, shares, chances.tolist(), strict=True)
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


def combined(
    listing: Floats, advertiser: Floats, advertisers_usual: float = ADVERTISERS_USUAL
) -> Floats:
    """The chance by all that is known; an NaN on either side says nothing.

    Log odds add up, less the usual log odds among advertisers, which the listing's own already
    hold. That is exact if, scam or not, the two sources err independently; it is an assumption,
    for no table has both, so that the advertiser moves the odds by a factor of 20 at most.
    """
    told = _odds(advertiser) - math.log(advertisers_usual / (1 - advertisers_usual))
    bounded = np.clip(told, -math.log(20), math.log(20))
    own = np.where(np.isnan(listing), math.log(0.02 / 0.98), _odds(listing))
    both = _chance(own + np.where(np.isnan(bounded), 0.0, bounded))
    return np.where(np.isnan(listing) & np.isnan(advertiser), np.nan, both)


def parts_of(model: bytes, metadata: Metadata) -> dict[str, bytes]:
    """The parts of the bundle, by file name."""
    text = msgspec.json.format(msgspec.json.encode(metadata), indent=1)
    return {MODEL_FILE: model, METADATA_FILE: text + b"\n"}


def of_parts(parts: Mapping[str, bytes]) -> ListingModel:
    """Raises Unusable."""
    if set(parts) != {MODEL_FILE, METADATA_FILE}:
        raise Unusable(
            f"parts are {', '.join(sorted(parts))}; {MODEL_FILE}, {METADATA_FILE} needed"
        )
    if len(parts[MODEL_FILE]) > MODEL_BYTES_MAX or len(parts[METADATA_FILE]) > METADATA_BYTES_MAX:
        raise Unusable("a part is longer than a listing model's can be")
    try:
        metadata = msgspec.json.decode(parts[METADATA_FILE], type=Metadata)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unusable(f"{METADATA_FILE}: {error}") from error
    return ListingModel(parts[MODEL_FILE], metadata)


def packaged() -> Path:
    """The bundle that comes with the package."""
    return Path(str(resources.files("models_ml.fraud"))) / PACKAGED


def reference_of(rows: Matrix) -> dict[str, Reference]:
    """Tenths of each feature's known values, with the shares that fall into each."""
    found = {}
    for name, column in zip(NAMES, rows.T, strict=True):
        known = column[~np.isnan(column)].astype(np.float64)
        edges = np.unique(np.quantile(known, np.arange(0.1, 1.0, 0.1))) if len(known) else known
        counts = np.bincount(np.searchsorted(edges, known), minlength=len(edges) + 1)
        shares = [*counts.tolist(), len(column) - len(known)]
        found[name] = Reference(
            tuple(edges.tolist()), tuple(share / len(column) for share in shares)
        )
    return found


def _words(row: Matrix, share: NDArray[np.float32], most: int) -> list[str]:
    told: list[str] = []
    for place in np.argsort(-share, kind="stable").tolist():
        if share[place] < _SHARE_LEAST or len(told) == most:
            break
        counts_what_is_bad = FEATURES[place].monotone == 1
        if not (counts_what_is_bad and not row[place] > 0):
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
    if set(metadata.reference) != set(NAMES) or any(
        len(each.shares) != len(each.edges) + 2 for each in metadata.reference.values()
    ):
        raise Unusable(f"{METADATA_FILE}: the reference is not of these features")


def _odds(chance: Floats) -> Floats:
    bounded = np.clip(chance, 1e-9, 1 - 1e-9)
    found: Floats = np.log(bounded / (1 - bounded))
    return found


def _chance(odds: Floats) -> Floats:
    found: Floats = 1 / (1 + np.exp(-np.clip(odds, -_ODDS_MAX, _ODDS_MAX)))
    return found
