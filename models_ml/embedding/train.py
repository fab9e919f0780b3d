"""Fine-tunes the sentence encoder on leads that the same buyers bought. Needs the extra `ml`.

Every pair is pulled together and pushed from the other leads of its batch
(MultipleNegativesRankingLoss). What comes out are weights again, and from weights the same
graph is put together as from the published ones: one way to a bundle, held to what
sentence-transformers answers.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray

from models_ml import bundle
from models_ml.artefact import Unusable, bounded
from models_ml.embedding.embedder import TOKENS_MAX, read, session_of, tokenizer_of, vector_of
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
from models_ml.embedding.weights import NAME, weights_folder
from models_ml.served import PARTS_BYTES_MAX

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

BATCH_PAIRS: Final = 32
PAIRS_LEAST: Final = 64
LEARNING_RATE: Final = 2e-5
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
    before = _bundle(model, folder, NAME, "", {}, [])
    on_step(f"{len(parts.learnt):,} pairs to learn from, {len(parts.held_out):,} held out")
    _fit(model, [(texts[a], texts[b]) for a, b in parts.learnt], epochs, seed, on_step)
    sha256 = training_sha256(pairs, texts)
    compared = [texts[lead_id] for lead_id in leads_of(parts.held_out)[:_COMPARED_TEXTS]]
    made = _bundle(model, folder, f"{NAME}, fine-tuned", sha256, {}, compared)
    metrics = _judged(made, before, parts, texts)
    made = _bundle(model, folder, f"{NAME}, fine-tuned", sha256, metrics, [])
    out.mkdir(parents=True, exist_ok=True)
    (out / "embedder.bundle").write_bytes(made)
    return Trained(made, metrics, sha256)


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
    from sentence_transformers.util import batch_to_device

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
        # A batch that is not whole has fewer leads to be told from: it is left out.
        for start in range(0, len(order) - BATCH_PAIRS + 1, BATCH_PAIRS):
            chosen = [pairs[place] for place in order[start : start + BATCH_PAIRS]]
            sides = [
                batch_to_device(model.tokenize([pair[side] for pair in chosen]), model.device)
                for side in (0, 1)
            ]
            value = loss(sides, None)
            value.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), _GRADIENT_MAX)
            optimiser.step()
            schedule.step()
            optimiser.zero_grad()
            lost.append(float(value.detach()))
        on_step(f"epoch {epoch + 1} of {epochs}: loss {np.mean(lost):.3f}")
    model.eval()


def _bundle(
    model: Any,
    folder: Path,
    trained_on: str,
    sha256: str,
    metrics: Mapping[str, float],
    compared: Sequence[str],
) -> bytes:
    """Of the network as it is now. Raises Unusable if the graph answers `compared` otherwise
    than the network does."""
    config = bounded(folder / "config.json", _CONFIG_BYTES_MAX)
    tokenizer = bounded(folder / "tokenizer.json", _TOKENIZER_BYTES_MAX)
    weights = {
        name: value.detach().cpu().numpy()
        for name, value in model[0].auto_model.state_dict().items()
    }
    graph = encoder_graph(config, weights)
    small = eight_bit(graph)
    dimensions = int(model.get_sentence_embedding_dimension())
    made = packed(
        small,
        tokenizer,
        dimensions,
        trained_on=trained_on,
        training_sha256=sha256,
        metrics=metrics,
    )
    if compared:
        wanted = model.encode(list(compared), normalize_embeddings=True, show_progress_bar=False)
        _compare(graph, tokenizer, made, compared, wanted)
    return made


def _compare(
    graph: onnx.ModelProto,
    tokenizer: bytes,
    made: bytes,
    compared: Sequence[str],
    wanted: NDArray[np.float32],
) -> None:
    session = session_of(graph.SerializeToString())
    words = tokenizer_of(tokenizer, TOKENS_MAX)
    full = np.stack([vector_of(session, words.encode(text)) for text in compared])
    difference = float(np.abs(full - wanted).max())
    if not difference <= FULL_DIFFERENCE_MAX:
        raise Unusable(f"the graph differs from the network by {difference:.1e}")
    found = read(bundle.unpack(made, PARTS_BYTES_MAX)).embed(compared)
    cosine = float((found * full).sum(axis=1).mean())
    if not cosine >= SMALL_COSINE_LEAST:
        raise Unusable(f"eight bits keep a cosine of {cosine:.3f}, not {SMALL_COSINE_LEAST}")


def _judged(made: bytes, before: bytes, parts: Split, texts: Mapping[str, str]) -> dict[str, float]:
    lead_ids = leads_of(parts.held_out)
    told = [texts[lead_id] for lead_id in lead_ids]
    metrics = {"pairs": float(len(parts.learnt)), "pairs_held_out": float(len(parts.held_out))}
    for content, ending in ((made, ""), (before, "_before")):
        vectors = read(bundle.unpack(content, PARTS_BYTES_MAX)).embed(told)
        found = nearness(vectors, lead_ids, parts.held_out)
        metrics[f"hit_rate_20{ending}"] = round(found.hit_rate, 4)
        metrics[f"reciprocal_rank{ending}"] = round(found.reciprocal_rank, 4)
    return metrics
