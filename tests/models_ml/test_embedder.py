"""The sentence encoder: the same vectors as its makers', a bundle that can be trusted, texts alone.

The first eight numbers of some vectors, by sentence-transformers on PyTorch, are beside this
file and always compared with; where both are installed, whole vectors are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from models_ml import bundle, served
from models_ml.artefact import Unusable
from models_ml.embedding import embedder as embedding
from models_ml.embedding import weights
from models_ml.embedding.embedder import (
    GRAPH_FILE,
    METADATA_FILE,
    TEXT_LENGTH_MAX,
    TEXTS_MAX,
    TOKENIZER_FILE,
    TOKENS_MAX,
    Embedder,
    Metadata,
    session_of,
    tokenizer_of,
)
from models_ml.embedding.graph import encoder_graph

REFERENCE = json.loads((Path(__file__).parent / "reference_vectors.json").read_text())
KINDS = ("ranch house", "downtown loft", "five acres of land", "duplex", "mobile home")
TRAITS = (
    "with a pool and a patio",
    "that needs work, sold as it is",
    "near the park, quiet street",
    "with a new roof and solar panels",
    "with a two car garage and a workshop",
    "with granite counters and hardwood floors",
    "with a mountain view",
    "for an investor, tenant in place",
)
TEXTS = [
    f"{kind} for sale, {n} bedrooms, {trait}" for kind in KINDS for n, trait in enumerate(TRAITS)
]

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def folder() -> Path:
    try:
        return weights.weights_folder()
    except weights.NoWeights as without:
        pytest.skip(str(without))


@pytest.fixture(scope="module")
def full(folder: Path) -> Embedder:
    """In full precision."""
    graph, sha256 = weights.full_graph(folder)
    told = Metadata(
        schema=1, features=(), dimensions=384, tokens_max=TOKENS_MAX, trained_on="", metrics={},
        training_sha256=sha256, graph_sha256="", tokenizer_sha256="", examples=(),
    )  # fmt: skip
    tokenizer = tokenizer_of((folder / "tokenizer.json").read_bytes(), TOKENS_MAX)
    return Embedder(session_of(graph.SerializeToString()), tokenizer, told)


@pytest.fixture(scope="module")
def content(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    kept = tmp_path_factory.mktemp("bundles")
    made = weights.packaged(kept)
    assert weights.packaged(kept) == made
    assert len(list(kept.iterdir())) == 1
    return made


@pytest.fixture(scope="module")
def parts(content: bytes) -> dict[str, bytes]:
    return bundle.unpack(content, served.PARTS_BYTES_MAX)


@pytest.fixture(scope="module")
def small(parts: dict[str, bytes]) -> Embedder:
    """In eight bits, as it serves."""
    found = served.read("embedder", parts)
    assert isinstance(found, Embedder)
    return found


def nearest(vectors: NDArray[np.float32], k: int) -> list[set[int]]:
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1)
    return [set(row) for row in np.argsort(-cosines, axis=1)[:, :k]]


def test_the_graph_gives_the_vectors_that_its_makers_give(full: Embedder) -> None:
    vectors = full.embed([each["text"] for each in REFERENCE["texts"]])
    for vector, each in zip(vectors, REFERENCE["texts"], strict=True):
        assert np.abs(vector[:8] - np.array(each["first"])).max() <= 1e-5, each["text"]


def test_the_graph_equals_sentence_transformers(full: Embedder, folder: Path) -> None:
    makers = pytest.importorskip(
        "sentence_transformers", reason="PyTorch is in the extra `ml` only", exc_type=ImportError
    )
    model = makers.SentenceTransformer(str(folder), device="cpu")
    model.max_seq_length = TOKENS_MAX
    wanted = model.encode(TEXTS, normalize_embeddings=True)
    assert np.abs(full.embed(TEXTS) - wanted).max() <= 1e-5


def test_eight_bits_keep_direction_and_neighbours(full: Embedder, small: Embedder) -> None:
    wanted, found = full.embed(TEXTS), small.embed(TEXTS)
    assert np.abs(np.linalg.norm(found, axis=1) - 1).max() < 1e-4
    cosines = (wanted * found).sum(axis=1)
    assert cosines.mean() >= 0.98
    assert cosines.min() >= 0.97
    kept = [len(a & b) for a, b in zip(nearest(wanted, 10), nearest(found, 10), strict=True)]
    assert sum(kept) / (10 * len(TEXTS)) >= 0.8


def test_a_vector_depends_on_its_text_alone(small: Embedder) -> None:
    texts = ["pool", "a much longer text about a pool " * 20, "", "5 acres"]
    together = small.embed(texts)
    for text, vector in zip(texts, together, strict=True):
        assert (small.embed([text])[0] == vector).all()
    with ThreadPoolExecutor(3) as pool:
        assert (small.embed(texts, pool) == together).all()


def test_what_is_too_long_is_cut_and_no_texts_have_no_vectors(small: Embedder) -> None:
    long = "pool " * 1_000
    assert (small.embed([long])[0] == small.embed(["pool " * TOKENS_MAX])[0]).all()
    assert (small.embed(["a" * 10 * TEXT_LENGTH_MAX])[0] == small.embed(["a" * 9_000])[0]).all()
    assert small.embed([]).shape == (0, 384)
    with pytest.raises(ValueError, match="at most"):
        small.embed([""] * (TEXTS_MAX + 1))


def test_half_a_character_is_read_as_an_unknown_one(small: Embedder) -> None:
    found = small.embed(["pool \ud83c garden", "\ud83c", "pool \U0001f3ca garden \u0000"])
    assert (found[0] == small.embed(["pool ? garden"])[0]).all()
    assert np.abs(np.linalg.norm(found, axis=1) - 1).max() < 1e-4


def test_callers_in_several_threads_get_their_own_vectors(small: Embedder) -> None:
    wanted = small.embed(TEXTS)
    with ThreadPoolExecutor(4) as callers:
        found = callers.map(lambda place: small.embed(TEXTS[place:]), range(6))
        for place, vectors in enumerate(found):
            assert (vectors == wanted[place:]).all()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content.replace(b"sentence_encoder", b"sentence_decoder", 1),
        lambda _: b"",
    ],
)
def test_a_kept_bundle_that_was_spoilt_is_made_again(
    content: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[bytes], bytes],
) -> None:
    # Making one takes seconds; what is asked here is whether it is made.
    graph = bundle.unpack(content, served.PARTS_BYTES_MAX)[GRAPH_FILE]
    monkeypatch.setattr(weights, "eight_bit", lambda _: graph)
    assert weights.packaged(tmp_path) == content
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(spoil(content))
    assert weights.packaged(tmp_path) == content
    assert kept.read_bytes() == content
    assert list(tmp_path.iterdir()) == [kept]


def test_a_folder_that_takes_no_file_does_without_keeping(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = bundle.unpack(content, served.PARTS_BYTES_MAX)[GRAPH_FILE]
    monkeypatch.setattr(weights, "eight_bit", lambda _: graph)
    (tmp_path / "file").write_bytes(b"")
    assert weights.packaged(tmp_path / "file" / "models") == content


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "kept.bundle"
    weights.write_whole(path, b"old")
    with pytest.raises(TypeError):
        weights.write_whole(path, "no bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_bundle_says_what_it_is_and_knows_its_examples(small: Embedder, content: bytes) -> None:
    small.check()
    assert (small.schema, small.dimensions) == (1, 384)
    assert "public_remarks" in small.features
    assert len(content) < 30_000_000
    assert len(small.metadata.training_sha256) == 64


def changed(parts: dict[str, bytes], **facts: Any) -> dict[str, bytes]:
    told = msgspec.json.decode(parts[METADATA_FILE], type=Metadata)
    return parts | {METADATA_FILE: msgspec.json.encode(msgspec.structs.replace(told, **facts))}


def without_tokenizer(parts: dict[str, bytes]) -> dict[str, bytes]:
    return {name: content for name, content in parts.items() if name != TOKENIZER_FILE}


def another_graph(parts: dict[str, bytes]) -> dict[str, bytes]:
    graph = b"no graph"
    return changed(parts, graph_sha256=hashlib.sha256(graph).hexdigest()) | {GRAPH_FILE: graph}


def graph_of_files(parts: dict[str, bytes]) -> dict[str, bytes]:
    """A graph whose weights are in a file beside it, of whatever name."""
    model = onnx.load_from_string(parts[GRAPH_FILE])
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    graph = model.SerializeToString()
    return changed(parts, graph_sha256=hashlib.sha256(graph).hexdigest()) | {GRAPH_FILE: graph}


def other_words(parts: dict[str, bytes]) -> dict[str, bytes]:
    words = b"{}"
    return changed(parts, tokenizer_sha256=hashlib.sha256(words).hexdigest()) | {
        TOKENIZER_FILE: words
    }


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (without_tokenizer, "lacks tokenizer.json"),
        (lambda parts: parts | {METADATA_FILE: b"{"}, METADATA_FILE),
        (lambda parts: changed(parts, schema=2), "schema 2"),
        (lambda parts: changed(parts, features=("city",)), "made for texts"),
        (lambda parts: changed(parts, dimensions=128), "other dimensions"),
        (lambda parts: changed(parts, examples=()), "no known examples"),
        (lambda parts: changed(parts, tokens_max=100_000), "100000 tokens"),
        (lambda parts: parts | {GRAPH_FILE: parts[GRAPH_FILE] + b" "}, "is not the file"),
        (another_graph, GRAPH_FILE),
        (graph_of_files, GRAPH_FILE),
        (other_words, TOKENIZER_FILE),
    ],
)
def test_a_bundle_that_is_not_what_it_says_is_refused(
    parts: dict[str, bytes],
    spoil: Callable[[dict[str, bytes]], dict[str, bytes]],
    reason: str,
) -> None:
    with pytest.raises(Unusable, match=reason):
        served.read("embedder", spoil(parts))


def test_another_networks_vectors_fail_the_known_examples(parts: dict[str, bytes]) -> None:
    told = msgspec.json.decode(parts[METADATA_FILE], type=Metadata)
    first = told.examples[0]
    turned = embedding.Example(first.text, first.vector[1:] + first.vector[:1])
    with pytest.raises(Unusable, match="known example"):
        embedding.read(changed(parts, examples=(turned,))).check()


def test_weights_that_are_missing_or_of_another_network_are_refused() -> None:
    config = {
        "model_type": "bert", "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
        "intermediate_size": 16, "max_position_embeddings": 4, "layer_norm_eps": 1e-12,
        "hidden_act": "gelu",
    }  # fmt: skip
    with pytest.raises(Unusable, match=r"lack embeddings\.word_embeddings\.weight"):
        encoder_graph(msgspec.json.encode(config), {})
    words = np.zeros((10, 4), dtype=np.float32)
    with pytest.raises(Unusable, match="is of shape"):
        encoder_graph(msgspec.json.encode(config), {"embeddings.word_embeddings.weight": words})
    with pytest.raises(Unusable, match="only BERT"):
        encoder_graph(msgspec.json.encode(config | {"model_type": "t5"}), {})
    with pytest.raises(Unusable, match=r"config\.json"):
        encoder_graph(b"{}", {})


def test_without_weights_it_is_said_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "MODULE", "no_such_weights")
    with pytest.raises(LookupError, match="make install"):
        weights.weights_folder()
