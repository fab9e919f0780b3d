"""The trained base value as files: XGBoost's own JSON, and beside it what it was made of.

Nothing is unpickled: a model is numbers in JSON, read only if it is of a bounded size, is
the very file that its metadata was written for, and speaks of these features.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from models_ml.artefact import Unusable, bounded, loaded, vouched
from models_ml.value.features import NAMES, SCHEMA

if TYPE_CHECKING:
    import xgboost

MODEL_FILE: Final = "base_value.json"
METADATA_FILE: Final = "base_value.meta.json"
MODEL_BYTES_MAX: Final = 2_000_000
METADATA_BYTES_MAX: Final = 64_000


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
    metadata_text = bounded(folder / METADATA_FILE, METADATA_BYTES_MAX)
    try:
        metadata = msgspec.json.decode(metadata_text, type=Metadata)
    except msgspec.DecodeError as error:
        raise Unusable(f"{METADATA_FILE}: {error}") from error
    if metadata.schema != SCHEMA or metadata.features != NAMES:
        raise Unusable(f"made for features of schema {metadata.schema}; this program has {SCHEMA}")
    if not 0.01 <= metadata.buyer_sd <= 5.0:
        raise Unusable(f"{METADATA_FILE}: buyer_sd is {metadata.buyer_sd}")
    model = bounded(folder / MODEL_FILE, MODEL_BYTES_MAX)
    return vouched(model, metadata.model_sha256, MODEL_FILE, METADATA_FILE), metadata


def booster(model: bytes) -> xgboost.Booster:
    """Raises Unusable, also if XGBoost is not installed."""
    return loaded(model, NAMES, MODEL_FILE)
