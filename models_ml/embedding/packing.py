"""From a graph in full precision to the bundle that serves: eight-bit numbers, known examples."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
import onnx

from models_ml import bundle
from models_ml.embedding import lead_text
from models_ml.embedding.embedder import (
    GRAPH_FILE,
    METADATA_FILE,
    TOKENIZER_FILE,
    TOKENS_MAX,
    Embedder,
    Example,
    Metadata,
    session_of,
    tokenizer_of,
)

EXAMPLES: Final = (
    "single family residence for sale, 3 bedrooms, 2 bathrooms, built in the 1990s. Pool.",
    "condominium for rent, 1 bedroom, under 1200 dollars a month. Walk to the light rail.",
    "",
)


def eight_bit(graph: onnx.ModelProto) -> bytes:
    """The graph with weights as eight-bit numbers by column, their inputs rounded as they come.

    The numbers keep to seven of the bits: on processors without instructions for eight-bit
    products, sums of two would overflow.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    # It warns of each tensor whose type or range it learns only while running.
    quiet = logging.getLogger()
    level = quiet.level
    quiet.setLevel(max(level, logging.ERROR))
    try:
        with tempfile.TemporaryDirectory() as folder:
            entering, leaving = Path(folder) / "entering.onnx", Path(folder) / "leaving.onnx"
            onnx.save(graph, str(entering))
            quantize_dynamic(
                entering,
                leaving,
                op_types_to_quantize=["MatMul", "Gather"],
                per_channel=True,
                reduce_range=True,
                weight_type=QuantType.QInt8,
                # The type of what comes out of the fused attention is not inferred.
                extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
            )
            return leaving.read_bytes()
    finally:
        quiet.setLevel(level)


def packed(
    graph: bytes,
    tokenizer: bytes,
    dimensions: int,
    *,
    trained_on: str,
    training_sha256: str,
    metrics: Mapping[str, float],
) -> bytes:
    """The bundle of a graph that is ready to serve. Raises Unusable if it does not run."""
    told = Metadata(
        schema=lead_text.SCHEMA,
        features=lead_text.NAMES,
        dimensions=dimensions,
        tokens_max=TOKENS_MAX,
        trained_on=trained_on,
        training_sha256=training_sha256,
        graph_sha256=hashlib.sha256(graph).hexdigest(),
        tokenizer_sha256=hashlib.sha256(tokenizer).hexdigest(),
        metrics=dict(metrics),
        examples=(),
    )
    embedder = Embedder(session_of(graph), tokenizer_of(tokenizer, TOKENS_MAX), told)
    examples = tuple(
        # Six digits are far within what the check allows, and the same on every processor.
        Example(text, [round(float(each), 6) for each in vector])
        for text, vector in zip(EXAMPLES, embedder.embed(EXAMPLES), strict=True)
    )
    told = msgspec.structs.replace(told, examples=examples)
    return bundle.pack({
        GRAPH_FILE: graph,
        TOKENIZER_FILE: tokenizer,
        METADATA_FILE: msgspec.json.encode(told),
    })  # fmt: skip
