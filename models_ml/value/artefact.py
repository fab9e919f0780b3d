"""The trained base value as files: XGBoost's own JSON, and beside it what it was made of.

Nothing is unpickled: a model is numbers in JSON, read only if it is of a bounded size, is
the very file that its metadata was written for, and speaks of these features.
"""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from models_ml.value.features import NAMES, SCHEMA

if TYPE_CHECKING:
    import xgboost

MODEL_FILE: Final = "base_value.json"
METADATA_FILE: Final = "base_value.meta.json"
MODEL_BYTES_MAX: Final = 2_000_000
METADATA_BYTES_MAX: Final = 64_000


class Unusable(Exception):
    """Why a model can't be used; the text is for an operator."""


class Metadata(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`buyer_sd` is the standard deviation of ln(willingness to pay) around the model's median;
    `training_sha256` is of the table of decisions, `model_sha256` of the model's file."""

    schema: int
    features: tuple[str, ...]
    monotone: tuple[int, ...]
    buyer_sd: float
    trained_on: str
    trained_by: str
    rows: int
    leads: int
    training_sha256: str
    model_sha256: str
    xgboost: str
    metrics: dict[str, float]


def packaged() -> Path:
    """The folder of the model that comes with the package."""
    return Path(str(resources.files("models_ml.value")))


def write(folder: Path, model: bytes, metadata: Metadata) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MODEL_FILE).write_bytes(model)
    text = msgspec.json.format(msgspec.json.encode(metadata), indent=1)
    (folder / METADATA_FILE).write_bytes(text + b"\n")


def read(folder: Path) -> tuple[bytes, Metadata]:
    """The model's JSON and its metadata. Raises Unusable."""
    metadata_text = _bounded(folder / METADATA_FILE, METADATA_BYTES_MAX)
    try:
        metadata = msgspec.json.decode(metadata_text, type=Metadata)
    except msgspec.DecodeError as error:
        raise Unusable(f"{METADATA_FILE}: {error}") from error
    if metadata.schema != SCHEMA or metadata.features != NAMES:
        raise Unusable(f"made for features of schema {metadata.schema}; this program has {SCHEMA}")
    if not 0.01 <= metadata.buyer_sd <= 5.0:
        raise Unusable(f"{METADATA_FILE}: buyer_sd is {metadata.buyer_sd}")
    model = _bounded(folder / MODEL_FILE, MODEL_BYTES_MAX)
    if hashlib.sha256(model).hexdigest() != metadata.model_sha256:
        raise Unusable(f"{MODEL_FILE} is not the file that {METADATA_FILE} was written for")
    return model, metadata


def booster(model: bytes) -> xgboost.Booster:
    """Raises Unusable, also if XGBoost is not installed."""
    try:
        import xgboost
    except ImportError as error:
        raise Unusable(f"XGBoost can't be imported: {error}") from error
    found = xgboost.Booster()
    try:
        found.load_model(bytearray(model))
        known = found.feature_names
    except xgboost.core.XGBoostError as error:
        raise Unusable(f"{MODEL_FILE}: {str(error).splitlines()[0]}") from error
    if known is None or tuple(known) != NAMES:
        raise Unusable(f"{MODEL_FILE} speaks of other features: {known}")
    # The market's process has better to do with its other processors.
    found.set_param({"nthread": 1})
    return found


def _bounded(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            found = file.read(most + 1)
    except OSError as error:
        raise Unusable(f"{path.name} can't be read: {error.strerror}") from error
    if len(found) > most:
        raise Unusable(f"{path.name} is longer than {most:,} bytes")
    return found
