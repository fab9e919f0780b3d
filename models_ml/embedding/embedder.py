"""The sentence encoder as it serves: texts to unit vectors, by ONNX and without PyTorch.

Texts are run one by one. In eight-bit arithmetic the steps of a product are set by the largest
number in it, so in a batch a text's vector would depend on its neighbours: by as much as
eight bits lose altogether. Alone it depends on the text only, and needs no padding. Several texts
take several threads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from models_ml.artefact import Unusable, vouched
from models_ml.embedding import lead_text

GRAPH_FILE: Final = "encoder.onnx"
TOKENIZER_FILE: Final = "tokenizer.json"
METADATA_FILE: Final = "embedder.meta.json"
# What the graph takes, (texts, tokens) numbers and 1 where there is one, and what it gives.
TOKENS: Final = "input_ids"
MASK: Final = "attention_mask"
VECTORS: Final = "vectors"
TOKENS_MAX: Final = 128
"""The network was trained on as many."""
TEXTS_MAX: Final = 4_096
TEXT_LENGTH_MAX: Final = 8_000
"""Characters that are looked at; far more than TOKENS_MAX tokens."""
# The same arithmetic on another processor differs by far less; another file by far more.
_EXAMPLE_COSINE_LEAST = 0.999
_NO_CHOICE = ("CPUExecutionProvider",)


class Example(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text with the vector that this very file makes of it."""

    text: str
    vector: list[float]


class Metadata(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`schema` and `features` are of the leads' text; `training_sha256` is of the pairs learnt
    from, or of the published weights if nothing was; the other hashes are of the parts."""

    schema: int
    features: tuple[str, ...]
    dimensions: int
    tokens_max: int
    trained_on: str
    training_sha256: str
    graph_sha256: str
    tokenizer_sha256: str
    metrics: dict[str, float]
    examples: tuple[Example, ...]


class Embedder:
    """A read encoder. `embed` may be called by several threads at once."""

    def __init__(self, session: Any, tokenizer: Tokenizer, metadata: Metadata) -> None:
        self._session = session
        self._tokenizer = tokenizer
        self.metadata = metadata
        self.schema = metadata.schema
        self.features = metadata.features
        self.dimensions = metadata.dimensions

    def embed(self, texts: Sequence[str], pool: Executor | None = None) -> NDArray[np.float32]:
        """(texts, dimensions) unit vectors, by the threads of `pool` if there is one; what is
        beyond `tokens_max` is not looked at. An empty text has a vector like any other. Raises
        ValueError for over TEXTS_MAX texts."""
        if len(texts) > TEXTS_MAX:
            raise ValueError(f"{len(texts)} texts at a time; at most {TEXTS_MAX}")
        found = np.empty((len(texts), self.dimensions), dtype=np.float32)
        run = map if pool is None else pool.map
        for row, vector in enumerate(run(self._vector, texts)):
            found[row] = vector
        return found

    def check(self) -> None:
        """Embed the known examples. Raises Unusable if a vector is another."""
        for example in self.metadata.examples:
            (vector,) = self.embed([example.text])
            likeness = float(vector @ np.array(example.vector, dtype=np.float32))
            if not likeness >= _EXAMPLE_COSINE_LEAST:
                raise Unusable(f"its known example comes out at a cosine of {likeness:.4f}")

    def _vector(self, text: str) -> NDArray[np.float32]:
        # Half of a character in two halves is none, and what was cut may begin with one. The
        # text is read on the thread that runs it: the tokenizer's own batches take every
        # processor.
        cleaned = text[:TEXT_LENGTH_MAX].encode(errors="replace").decode()
        return vector_of(self._session, self._tokenizer.encode(cleaned))


def vector_of(session: Any, encoding: Encoding) -> NDArray[np.float32]:
    """(dimensions) of one text."""
    tokens = np.array([encoding.ids], dtype=np.int64)
    given = {TOKENS: tokens, MASK: np.ones_like(tokens)}
    vector: NDArray[np.float32] = session.run([VECTORS], given)[0][0]
    return vector


class Verified(NamedTuple):
    """Parts that are what their metadata say; nothing was built of them yet."""

    graph: bytes
    tokenizer: bytes
    metadata: Metadata


def read(parts: Mapping[str, bytes]) -> Embedder:
    """The encoder of a bundle's parts. Raises Unusable, with the reason for an operator."""
    graph, tokenizer, metadata = verified(parts)
    session = session_of(graph)
    shape = session.get_outputs()[0].shape
    if [each.name for each in session.get_inputs()] != [TOKENS, MASK] or shape[-1] != (
        metadata.dimensions
    ):
        raise Unusable(f"{GRAPH_FILE} takes or gives something else than {METADATA_FILE} says")
    return Embedder(session, tokenizer_of(tokenizer, metadata.tokens_max), metadata)


def verified(parts: Mapping[str, bytes]) -> Verified:
    """Parts of a bundle, held against their metadata and this program's texts. Raises Unusable."""
    missing = {GRAPH_FILE, TOKENIZER_FILE, METADATA_FILE} - parts.keys()
    if missing:
        raise Unusable(f"the bundle lacks {', '.join(sorted(missing))}")
    try:
        metadata = msgspec.json.decode(parts[METADATA_FILE], type=Metadata)
    except msgspec.MsgspecError as error:
        raise Unusable(f"{METADATA_FILE}: {error}") from error
    if metadata.schema != lead_text.SCHEMA or metadata.features != lead_text.NAMES:
        raise Unusable(f"made for texts of schema {metadata.schema}, not {lead_text.SCHEMA}")
    _bounded(metadata)
    return Verified(
        vouched(parts[GRAPH_FILE], metadata.graph_sha256, GRAPH_FILE, METADATA_FILE),
        vouched(parts[TOKENIZER_FILE], metadata.tokenizer_sha256, TOKENIZER_FILE, METADATA_FILE),
        metadata,
    )


def _bounded(metadata: Metadata) -> None:
    if not (0 < metadata.dimensions <= 4_096 and 0 < metadata.tokens_max <= 512):
        raise Unusable(f"{metadata.dimensions} dimensions of {metadata.tokens_max} tokens")
    if not 0 < len(metadata.examples) <= 8 or any(
        len(example.vector) != metadata.dimensions or len(example.text) > TEXT_LENGTH_MAX
        for example in metadata.examples
    ):
        raise Unusable(f"{METADATA_FILE} has no known examples, or of other dimensions")


def session_of(graph: bytes, threads: int = 1) -> Any:
    """A graph ready to run, on so many threads for one text. Raises Unusable."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that wait by spinning take the processor from everything else on the machine.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(graph, options, providers=list(_NO_CHOICE))
    # The library derives what it raises from nothing narrower, and raises many kinds.
    except Exception as error:
        raise Unusable(f"{GRAPH_FILE}: {str(error).splitlines()[0][:300]}") from error


def tokenizer_of(content: bytes, tokens_max: int) -> Tokenizer:
    """Raises Unusable."""
    try:
        found = Tokenizer.from_str(content.decode())
    # What the library raises is Exception itself.
    except Exception as error:
        raise Unusable(f"{TOKENIZER_FILE}: {str(error)[:300]}") from error
    found.no_padding()
    found.enable_truncation(tokens_max)
    return found
