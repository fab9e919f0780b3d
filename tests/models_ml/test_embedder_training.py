"""Fine-tuning on co-purchases: what a batch may hold, and, with PyTorch, the whole way through.

Leads and purchases are made up: who wants a barn wants solar panels too, and nothing in the
published weights says so.
"""

from __future__ import annotations

import itertools
import json
import random
import shutil
import sys
from pathlib import Path

import pytest

from models_ml import bundle, served
from models_ml.embedding import embedder as embedding
from models_ml.embedding import train, weights
from models_ml.embedding.pairs import Pair, leads_of, nearness, split
from models_ml.embedding.train import NotTrained, batches, train_embedder

KINDS = ("house", "condominium", "cottage", "duplex", "loft", "cabin")
WISHES = (
    ("dock on the lake", "tenant in place"),
    ("barn for horses", "solar panels"),
    ("marble bathroom", "gravel driveway"),
    ("wine cellar", "wheelchair ramp"),
)
LEADS_A_WISH = 40


def test_no_text_is_twice_in_a_batch_and_the_order_is_kept_else() -> None:
    pairs = [("a", "b"), ("b", "c"), ("d", "e"), ("f", "g"), ("b", "h"), ("i", "j")]
    assert list(batches(pairs, 2)) == [
        [("a", "b"), ("d", "e")],
        [("b", "c"), ("f", "g")],
        [("b", "h"), ("i", "j")],
    ]


def test_leads_with_one_text_are_no_pair_and_a_part_of_a_batch_is_none() -> None:
    assert list(batches([("a", "a"), ("a", "b"), ("c", "c")], 1)) == [[("a", "b")]]
    assert list(batches([("a", "b"), ("a", "c"), ("a", "d")], 2)) == []
    assert list(batches([], 2)) == []


def test_many_pairs_of_one_lead_end_in_time() -> None:
    pairs = [("hub", f"lead {number}") for number in range(50_000)]
    assert list(batches(pairs, 32)) == []


@pytest.fixture(scope="module")
def market() -> tuple[list[Pair], dict[str, str]]:
    chance = random.Random(3)
    texts, pairs = {}, []
    for wish in WISHES:
        lead_ids = [f"{wish[0]} {number}" for number in range(LEADS_A_WISH)]
        for number, lead_id in enumerate(lead_ids):
            said = chance.choice(wish).capitalize()
            texts[lead_id] = f"{chance.choice(KINDS)} for sale, {number} bedrooms. {said}."
        pairs += itertools.combinations(lead_ids, 2)
    chance.shuffle(pairs)
    return pairs[:1_400], texts


def test_too_few_pairs_are_not_learnt_from(
    market: tuple[list[Pair], dict[str, str]], tmp_path: Path
) -> None:
    pairs, texts = market
    with pytest.raises(NotTrained, match="64 of each are needed"):
        train_embedder(pairs[:100], texts, tmp_path)


def test_without_pytorch_it_is_said_how_to_get_it(
    market: tuple[list[Pair], dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _weights_or_skip()
    # As if it were not installed.
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(NotTrained, match=r"pip install 'aiqleads\[ml\]'"):
        train_embedder(*market, tmp_path)


@pytest.fixture
def shallow(tmp_path: Path) -> Path:
    """The published weights as a network of one layer: it learns the same way, six times as
    fast."""
    published = _weights_or_skip()
    folder = tmp_path / "shallow"
    shutil.copytree(published, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    (folder / "model.safetensors").symlink_to(published / "model.safetensors")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 1}))
    return folder


# PyTorch and its companions warn of each other's ways.
@pytest.mark.filterwarnings("default")
def test_what_was_trained_is_what_serves(
    market: tuple[list[Pair], dict[str, str]],
    shallow: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip(
        "sentence_transformers",
        reason="training needs PyTorch: pip install 'aiqleads[ml]'",
        exc_type=ImportError,
    )
    import torch

    monkeypatch.setattr(train, "weights_folder", lambda: shallow)
    # Two dozen batches are few: larger steps.
    monkeypatch.setattr(train, "LEARNING_RATE", 2e-4)
    torch.set_num_threads(1)
    pairs, texts = market
    told: list[str] = []
    trained = train_embedder(pairs, texts, tmp_path, epochs=1, on_step=told.append)
    metrics = trained.metrics
    # The graph is the trained network's, and eight bits keep its directions.
    assert metrics["full_difference_max"] <= 1e-5
    assert metrics["small_cosine"] >= 0.98
    # It has learnt something, and of leads that it did not see.
    assert metrics["hit_rate_20"] > metrics["hit_rate_20_before"]
    assert metrics["reciprocal_rank"] > metrics["reciprocal_rank_before"]

    kept = (tmp_path / "embedder.bundle").read_bytes()
    assert kept == trained.content
    found = served.read("embedder", bundle.unpack(kept, served.PARTS_BYTES_MAX))
    assert isinstance(found, embedding.Embedder)
    found.check()
    assert found.metadata.metrics == metrics
    assert found.metadata.training_sha256 == trained.training_sha256
    held_out = split(pairs, 1).held_out
    lead_ids = leads_of(held_out)
    vectors = found.embed([texts[lead_id] for lead_id in lead_ids])
    assert round(nearness(vectors, lead_ids, held_out).hit_rate, 4) == metrics["hit_rate_20"]
    assert told[-1].startswith("epoch 1 of 1: loss")


def _weights_or_skip() -> Path:
    try:
        return weights.weights_folder()
    except weights.NoWeights as without:
        pytest.skip(str(without))
