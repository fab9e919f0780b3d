"""What all trained models share as files: bounded reading, no pickle, a hash, named features."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xgboost


class Unusable(Exception):
    """Why a model can't be used; the text is for an operator."""


def bounded(path: Path, most: int) -> bytes:
    """The file's content. Raises Unusable if it can't be read or is longer than `most` bytes."""
    try:
        with path.open("rb") as file:
            found = file.read(most + 1)
    except OSError as error:
        raise Unusable(f"{path.name} can't be read: {error.strerror}") from error
    if len(found) > most:
        raise Unusable(f"{path.name} is longer than {most:,} bytes")
    return found


def vouched(model: bytes, sha256: str, file: str, metadata_file: str) -> bytes:
    """The model again. Raises Unusable unless it is the one that the metadata speak of."""
    if hashlib.sha256(model).hexdigest() != sha256:
        raise Unusable(f"{file} is not the file that {metadata_file} was written for")
    return model


def loaded(model: bytes, names: Sequence[str], file: str) -> xgboost.Booster:
    """A model of exactly these features. Raises Unusable, also if XGBoost is not installed."""
    try:
        import xgboost
    except ImportError as error:
        raise Unusable(f"XGBoost can't be imported: {error}") from error
    found = xgboost.Booster()
    try:
        found.load_model(bytearray(model))
        known = found.feature_names
    except xgboost.core.XGBoostError as error:
        raise Unusable(f"{file}: {str(error).splitlines()[0]}") from error
    if known is None or tuple(known) != tuple(names):
        raise Unusable(f"{file} speaks of other features: {known}")
    # The market's process has better to do with its other processors.
    found.set_param({"nthread": 1})
    return found
