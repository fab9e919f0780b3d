"""The network of a sentence encoder as an ONNX graph, made from its weights alone.

A BERT encoder, the mean of the tokens' vectors and the division by the length are one graph:
token numbers in, unit vectors out. It is put together from the published weights node by
node, so that a machine that only serves needs no PyTorch to make what it serves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models_ml.artefact import Unusable
from models_ml.embedding.embedder import MASK, TOKENS, VECTORS

_OPSETS = (helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1))
_IR_VERSION = 10
_Weights = Mapping[str, NDArray[Any]]


class Encoder(msgspec.Struct, frozen=True):
    """What the weights' `config.json` says of the network; names as there."""

    model_type: str
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    layer_norm_eps: float
    hidden_act: str


def encoder_graph(config: bytes, weights: _Weights) -> onnx.ModelProto:
    """(texts, tokens) int64 numbers and mask to (texts, hidden_size) unit vectors.

    Raises Unusable for another kind of network, and for weights that are missing or do not fit.
    """
    try:
        encoder = msgspec.json.decode(config, type=Encoder)
    except msgspec.MsgspecError as error:
        raise Unusable(f"config.json: {error}") from error
    if encoder.model_type != "bert" or encoder.hidden_act != "gelu":
        raise Unusable(
            f"only BERT with GELU is built, not {encoder.model_type} with {encoder.hidden_act}"
        )
    return _Builder(encoder, weights).model()


class _Builder:
    def __init__(self, encoder: Encoder, weights: _Weights) -> None:
        self._encoder = encoder
        self._weights = weights
        self._nodes: list[onnx.NodeProto] = []
        self._tensors: list[onnx.TensorProto] = []

    def model(self) -> onnx.ModelProto:
        encoder = self._encoder
        hidden = self._embeddings()
        # 1 for a token, 0 for padding; as 32-bit numbers for the attention.
        mask = self._add("Cast", [MASK], "mask_int", to=TensorProto.INT32)
        for layer in range(encoder.num_hidden_layers):
            hidden = self._layer(hidden, mask, f"encoder.layer.{layer}")
        self._pooled(hidden)
        texts_tokens = ["texts", "tokens"]
        graph = helper.make_graph(
            self._nodes,
            "sentence_encoder",
            [
                helper.make_tensor_value_info(TOKENS, TensorProto.INT64, texts_tokens),
                helper.make_tensor_value_info(MASK, TensorProto.INT64, texts_tokens),
            ],
            [
                helper.make_tensor_value_info(
                    VECTORS, TensorProto.FLOAT, ["texts", encoder.hidden_size]
                )
            ],
            self._tensors,
        )
        model = helper.make_model(graph, opset_imports=_OPSETS, ir_version=_IR_VERSION)
        onnx.checker.check_model(model)
        return model

    def _embeddings(self) -> str:
        encoder = self._encoder
        size = encoder.hidden_size
        words = self._weight("embeddings.word_embeddings.weight", (None, size))
        known = self._given(
            "embeddings.position_embeddings.weight", (encoder.max_position_embeddings, size)
        )
        # All tokens are of the first text: its type is the same everywhere.
        kinds = self._given("embeddings.token_type_embeddings.weight", (None, size))
        places = self._tensor("embeddings.places", known + kinds[:1])
        read = self._add("Gather", [words, TOKENS], "words")
        length = self._add("Shape", [TOKENS], "length", start=1, end=2)
        start = self._tensor("start", np.zeros(1, dtype=np.int64))
        here = self._add("Slice", [places, start, length, start], "places_here")
        return self._normalised(self._add("Add", [read, here], "embedded"), "embeddings.LayerNorm")

    def _layer(self, hidden: str, mask: str, name: str) -> str:
        encoder = self._encoder
        size, inner = encoder.hidden_size, encoder.intermediate_size
        query, key, value = (
            self._linear(hidden, f"{name}.attention.self.{part}", size, size)
            for part in ("query", "key", "value")
        )
        attended = self._add(
            "MultiHeadAttention",
            [query, key, value, "", mask],
            f"{name}.attended",
            domain="com.microsoft",
            num_heads=encoder.num_attention_heads,
        )
        told = self._linear(attended, f"{name}.attention.output.dense", size, size)
        seen = self._normalised(
            self._add("Add", [told, hidden], f"{name}.seen"), f"{name}.attention.output.LayerNorm"
        )
        wide = self._linear(seen, f"{name}.intermediate.dense", size, inner)
        bent = self._add("Gelu", [wide], f"{name}.bent")
        narrow = self._linear(bent, f"{name}.output.dense", inner, size)
        return self._normalised(
            self._add("Add", [narrow, seen], f"{name}.added"), f"{name}.output.LayerNorm"
        )

    def _pooled(self, hidden: str) -> None:
        """The mean over tokens, as one product, divided by its length; the number of tokens
        falls out of it, so that it need not be divided by."""
        told = self._add("Cast", [MASK], "mask_float", to=TensorProto.FLOAT)
        one = self._tensor("one", np.array([1], dtype=np.int64))
        row = self._add("Unsqueeze", [told, one], "mask_row")
        summed = self._add("MatMul", [row, hidden], "summed")
        total = self._add("Squeeze", [summed, one], "total")
        self._nodes.append(
            helper.make_node("LpNormalization", [total], [VECTORS], VECTORS, axis=1, p=2)
        )

    def _linear(self, value: str, name: str, entering: int, leaving: int) -> str:
        # The weights are kept as (leaving, entering); the product wants them the other way.
        turned = np.ascontiguousarray(self._given(f"{name}.weight", (leaving, entering)).T)
        product = self._add("MatMul", [value, self._tensor(f"{name}.turned", turned)], name)
        bias = self._weight(f"{name}.bias", (leaving,))
        return self._add("Add", [product, bias], f"{name}.biased")

    def _normalised(self, value: str, name: str) -> str:
        size = (self._encoder.hidden_size,)
        scale, bias = self._weight(f"{name}.weight", size), self._weight(f"{name}.bias", size)
        return self._add(
            "LayerNormalization",
            [value, scale, bias],
            name,
            axis=-1,
            epsilon=self._encoder.layer_norm_eps,
        )

    def _weight(self, name: str, shape: tuple[int | None, ...]) -> str:
        return self._tensor(name, self._given(name, shape))

    def _given(self, name: str, shape: tuple[int | None, ...]) -> NDArray[Any]:
        found = self._weights.get(name)
        if found is None:
            raise Unusable(f"the weights lack {name}")
        if len(found.shape) != len(shape) or any(
            wanted is not None and wanted != had
            for wanted, had in zip(shape, found.shape, strict=True)
        ):
            raise Unusable(f"{name} is of shape {found.shape}, not {shape}")
        return found

    def _tensor(self, name: str, values: NDArray[Any]) -> str:
        self._tensors.append(numpy_helper.from_array(values, name))
        return name

    def _add(self, operator: str, inputs: list[str], name: str, **attributes: Any) -> str:
        output = f"{name}:0"
        self._nodes.append(helper.make_node(operator, inputs, [output], name, **attributes))
        return output
