"""What fine-tuning the encoder on co-purchases gives, on buyers and leads that it has not seen.

    python -m benchmarks.models_embed_training [--homes 800] [--pairs 3000] [--epochs 1]

Learns from simulated buyers of one sample world, exports, reads the bundle as a replica does, and
asks it and the published weights which leads the buyers of another world and market bought
together: share of pairs whose other lead is among the nearest twenty, and mean of 1 / its rank.
Both as they serve, in eight bits. Needs the extra `ml`: `pip install 'aiqleads[ml]'`.
"""

from __future__ import annotations

import argparse
import random
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from models_ml import bundle, served
from models_ml.embedding import embedder, weights
from models_ml.embedding.lead_text import text_of
from models_ml.embedding.pairs import Pair, leads_of, nearness
from models_ml.embedding.train import train_embedder
from models_ml.recommend.simulation.bought_together import bought_together
from models_ml.recommend.simulation.homes import sample_homes
from models_ml.recommend.simulation.play import play

BUYERS = 200
LEARNT = (5, "austin")
JUDGED = (6, "dallas")
JUDGED_PAIRS_MAX = 5_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--homes", type=int, default=800)
    parser.add_argument("--pairs", type=int, default=3_000)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    import torch

    torch.set_num_threads(options.threads)
    pairs, texts = _market(*LEARNT, options.homes, options.pairs)
    cpu = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        trained = train_embedder(
            pairs, texts, Path(folder), options.epochs, on_step=lambda told: print(told, flush=True)
        )
        cpu = time.process_time() - cpu
        tuned = served.read("embedder", bundle.unpack(trained.content, served.PARTS_BYTES_MAX))
        tuned.check()
        published = _published(Path(folder))
    assert isinstance(tuned, embedder.Embedder)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{cpu:.0f} s of CPU, at most {memory:,.0f} MB; {options.threads} thread(s)")
    for name, value in trained.metrics.items():
        print(f"  {name} {value:g}")
    pairs, texts = _market(*JUDGED, options.homes, JUDGED_PAIRS_MAX)
    lead_ids = leads_of(pairs)
    print(f"other buyers, another world: {len(pairs):,} pairs of {len(lead_ids):,} leads")
    told = [texts[lead_id] for lead_id in lead_ids]
    for name, model in (("fine-tuned", tuned), ("published", published)):
        found = nearness(model.embed(told), lead_ids, pairs)
        print(
            f"  {name}: hit rate {found.hit_rate:.4f}, reciprocal rank {found.reciprocal_rank:.4f}"
        )


def _market(seed: int, market: str, count: int, most: int) -> tuple[list[Pair], dict[str, str]]:
    # Simulated buyers look at homes, not at vectors.
    homes = sample_homes(seed, market, count, lambda known: np.zeros((len(known), 1), "f4"))
    pairs = bought_together(play(homes, BUYERS, seed))
    random.Random(seed).shuffle(pairs)
    texts = {
        lead_id: text_of(listing)
        for lead_id, listing in zip(homes.lead_ids, homes.listings, strict=True)
    }
    return pairs[:most], texts


def _published(folder: Path) -> embedder.Embedder:
    return embedder.read(bundle.unpack(weights.packaged(folder), served.PARTS_BYTES_MAX))


if __name__ == "__main__":
    main()
