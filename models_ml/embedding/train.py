"""Fine-tunes the sentence encoder on leads that the same buyers bought. Needs the extra `ml`.

Every pair is pulled together and pushed from the other leads of its batch
(MultipleNegativesRankingLoss). What comes out are weights again, and from weights the same
graph is put together as from the published ones: one way to a bundle, held to what
sentence-transformers answers.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray

from models_ml.artefact import Unusable, bounded
from models_ml.embedding.embedder import TOKENS_MAX, session_of, tokenizer_of, vector_of
from models_ml.embedding.graph import encoder_graph
from models_ml.embedding.packing import eight_bit, packed
from models_ml.embedding.pairs import (
    PAIRS_MAX,
    Pair,
    Split,
    leads_of,
    nearness,
    split,
    training_sha256,
)
from models_ml.embedding.weights import NAME, weights_folder, write_whole

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

BATCH_PAIRS: Final = 32
PAIRS_LEAST: Final = 64
HELD_PAIRS_MAX: Final = 1_000
"""Pairs that wait while a batch is filled; with more there are too few leads for one."""
LEARNING_RATE: Final = 2e-5
TOLD_BATCHES: Final = 20
_WARM_UP_SHARE = 0.1
_GRADIENT_MAX = 1.0
# The graph against the network it was made of, and eight bits against the graph.
FULL_DIFFERENCE_MAX: Final = 1e-5
SMALL_COSINE_LEAST: Final = 0.98
_COMPARED_TEXTS = 64
_CONFIG_BYTES_MAX = 100_000
_TOKENIZER_BYTES_MAX = 4_000_000


class NotTrained(Exception):
    """Why there is no model; the text is for an operator."""


class Trained(NamedTuple):
    """`metrics` of held-out pairs: `hit_rate_20` and `reciprocal_rank`, the same with `_before`
    of the published weights, both as they serve, in eight bits."""

    content: bytes
    metrics: dict[str, float]
    training_sha256: str


def train_embedder(
    pairs: Sequence[Pair],
    texts: Mapping[str, str],
    out: Path,
    epochs: int = 1,
    seed: int = 1,
    on_step: Callable[[str], None] = lambda _: None,
) -> Trained:
    """Learn from pairs of lead ids; `texts` by lead id. The bundle is also written as
    `embedder.bundle` into the folder `out`.

    Raises NotTrained without the extra `ml`, or with too few pairs; NoWeights without the
    published weights; Unusable if what came out is not what the network answers.
    """
    parts = split(pairs[:PAIRS_MAX], seed)
    if len(parts.learnt) < PAIRS_LEAST or len(parts.held_out) < PAIRS_LEAST:
        raise NotTrained(
            f"{len(parts.learnt):,} pairs to learn from and {len(parts.held_out):,} to judge by;"
            f" {PAIRS_LEAST} of each are needed"
        )
    folder = weights_folder()
    model = _model(folder, seed)
    tokenizer = bounded(folder / "tokenizer.json", _TOKENIZER_BYTES_MAX)
    before = eight_bit(_graph_of(model, folder))
    on_step(f"{len(parts.learnt):,} pairs to learn from, {len(parts.held_out):,} held out")
    _fit(model, [(texts[a], texts[b]) for a, b in parts.learnt], epochs, seed, on_step)
    graph = _graph_of(model, folder)
    made = eight_bit(graph)
    compared = [texts[lead_id] for lead_id in leads_of(parts.held_out)[:_COMPARED_TEXTS]]
    metrics = {"pairs": float(len(parts.learnt)), "pairs_held_out": float(len(parts.held_out))}
    metrics |= _compared(model, graph, made, tokenizer, compared)
    metrics |= _judged(made, tokenizer, parts, texts, "")
    metrics |= _judged(before, tokenizer, parts, texts, "_before")
    sha256 = training_sha256(parts.learnt, texts)
    content = packed(
        made,
        tokenizer,
        _dimensions(model),
        trained_on=f"{NAME}, fine-tuned on co-purchases",
        training_sha256=sha256,
        metrics=metrics,
    )
    write_whole(out / "embedder.bundle", content)
    return Trained(content, metrics, sha256)


def _model(folder: Path, seed: int) -> SentenceTransformer:
    try:
        import torch
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise NotTrained(
            "training needs PyTorch and sentence-transformers: "
            f"pip install 'aiqleads[ml]' ({error})"
        ) from error
    torch.manual_seed(seed)
    found = SentenceTransformer(str(folder), device="cpu")
    found.max_seq_length = TOKENS_MAX
    return found


def _fit(
    model: Any,
    pairs: Sequence[tuple[str, str]],
    epochs: int,
    seed: int,
    on_step: Callable[[str], None],
) -> None:
    import torch

    try:
        from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    except ImportError:
        from sentence_transformers.losses import MultipleNegativesRankingLoss

    loss = MultipleNegativesRankingLoss(model)
    steps = epochs * (len(pairs) // BATCH_PAIRS)
    optimiser = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    warm = max(1, int(_WARM_UP_SHARE * steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min((step + 1) / warm, (steps - step) / max(1, steps - warm))
    )
    chance = random.Random(seed)
    model.train()
    for epoch in range(epochs):
        order = chance.sample(range(len(pairs)), len(pairs))
        lost = []
        for chosen in batches([pairs[place] for place in order], BATCH_PAIRS):
            value = loss([_tokens(model, [pair[side] for pair in chosen]) for side in (0, 1)], None)
            value.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), _GRADIENT_MAX)
            optimiser.step()
            schedule.step()
            optimiser.zero_grad()
            lost.append(float(value.detach()))
            if len(lost) % TOLD_BATCHES == 0:
                on_step(f"epoch {epoch + 1}: {len(lost) * BATCH_PAIRS:,} of {len(pairs):,} pairs")
        if not lost:
            raise NotTrained(f"the pairs are of too few leads for a batch of {BATCH_PAIRS} pairs")
        on_step(f"epoch {epoch + 1} of {epochs}: loss {np.mean(lost):.3f}")
    model.eval()


def batches(pairs: Sequence[Pair], size: int) -> Iterator[list[Pair]]:
    """The pairs in whole batches, in their order but for those that wait for a batch without
    their texts: the loss takes every other text of a batch for one that was not bought with
    this. What does not fill a batch at the end is left out."""
    waiting: deque[Pair] = deque(pairs)
    while waiting:
        batch: list[Pair] = []
        seen: set[str] = set()
        held: list[Pair] = []
        while waiting and len(batch) < size and len(held) < HELD_PAIRS_MAX:
            pair = waiting.popleft()
            if pair[0] == pair[1]:
                continue
            if seen.isdisjoint(pair):
                batch.append(pair)
                seen.update(pair)
            else:
                held.append(pair)
        waiting.extendleft(reversed(held))
        if len(batch) < size:
            return
        yield batch


def _tokens(model: Any, texts: list[str]) -> dict[str, Any]:
    return dict(
        model.tokenizer(
            texts, padding=True, truncation=True, max_length=TOKENS_MAX, return_tensors="pt"
        )
    )


def _graph_of(model: Any, folder: Path) -> onnx.ModelProto:
    """Of the network as it is now."""
    config = bounded(folder / "config.json", _CONFIG_BYTES_MAX)
    weights = {
        name: value.detach().cpu().numpy()
        for name, value in model[0].auto_model.state_dict().items()
    }
    return encoder_graph(config, weights)


def _dimensions(model: Any) -> int:
    return int(model[0].auto_model.config.hidden_size)


def _compared(
    model: Any,
    graph: onnx.ModelProto,
    small: bytes,
    tokenizer: bytes,
    texts: Sequence[str],
) -> dict[str, float]:
    """How far the graph is from the network, and eight bits from the graph. Raises Unusable if
    either is too far."""
    wanted = model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
    full = _vectors(graph.SerializeToString(), tokenizer, texts)
    difference = float(np.abs(full - wanted).max())
    if not difference <= FULL_DIFFERENCE_MAX:
        raise Unusable(f"the graph differs from the network by {difference:.1e}")
    cosines = (_vectors(small, tokenizer, texts) * full).sum(axis=1)
    mean = float(cosines.mean())
    if not mean >= SMALL_COSINE_LEAST:
        raise Unusable(f"eight bits keep a cosine of {mean:.3f}, not {SMALL_COSINE_LEAST}")
    return {
        "full_difference_max": difference,
        "small_cosine": round(mean, 4),
        "small_cosine_least": round(float(cosines.min()), 4),
    }


def _judged(
    graph: bytes, tokenizer: bytes, parts: Split, texts: Mapping[str, str], ending: str
) -> dict[str, float]:
    lead_ids = leads_of(parts.held_out)
    vectors = _vectors(graph, tokenizer, [texts[lead_id] for lead_id in lead_ids])
    found = nearness(vectors, lead_ids, parts.held_out)
    return {
        f"hit_rate_20{ending}": round(found.hit_rate, 4),
        f"reciprocal_rank{ending}": round(found.reciprocal_rank, 4),
    }


def _vectors(graph: bytes, tokenizer: bytes, texts: Sequence[str]) -> NDArray[np.float32]:
    session, words = session_of(graph), tokenizer_of(tokenizer, TOKENS_MAX)
    return np.stack([vector_of(session, words.encode(text)) for text in texts])
