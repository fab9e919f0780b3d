"""The parts of `aiqleads eval recommend`: homes, their vectors, the model that is measured."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.market.listing import Listing
from engine.settings import Settings as Installation
from models_ml import bundle
from models_ml.embedding import embedder, weights
from models_ml.embedding.lead_text import text_of
from models_ml.recommend.evaluate import Outcome, evaluate
from models_ml.recommend.model import packaged_settings
from models_ml.recommend.simulation.homes import Embed, Offered, homes_of, sample_homes
from models_ml.recommend.train import SAMPLE_HOMES, train_recommender
from models_ml.served import PARTS_BYTES_MAX
from serve_apps.cli.captured_listings import captured_homes

MARKET = "dallas"
HOMES_LEAST = 1_000
_TEXTS = 256


def trial(
    captures: Path | None, train: Path | None, seed: int, on_step: Callable[[str], None]
) -> Outcome:
    """Raises ValueError for too few captured homes, NoWeights without the encoder's weights."""
    embed = packaged_embed()
    settings = packaged_settings()
    if train is not None:
        settings = train_recommender(embed, on_step, offered=_captured(train)).settings
    if captures is not None:
        homes, told = homes_of(_captured(captures), embed), "captured homes"
    else:
        homes, told = sample_homes(seed, MARKET, SAMPLE_HOMES, embed), f"sample world {seed}"
    on_step(f"{len(homes.lead_ids):,} homes embedded")
    return evaluate(homes, settings, told, on_step)


def packaged_embed() -> Embed:
    """Embeds listings by the encoder that comes with the package. Raises NoWeights, Unusable."""
    content = weights.packaged(Installation().data_dir / "models" / "packaged")
    model = embedder.read(bundle.unpack(content, PARTS_BYTES_MAX))

    def embed(listings: Sequence[Listing]) -> NDArray[np.float32]:
        texts = [text_of(listing) for listing in listings]
        parts = [texts[start : start + _TEXTS] for start in range(0, len(texts), _TEXTS)]
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            return np.concatenate([model.embed(part, pool) for part in parts])

    return embed


def _captured(folder: Path) -> list[Offered]:
    found = captured_homes(folder)
    if len(found) < HOMES_LEAST:
        raise ValueError(
            f"{folder} has {len(found):,} homes of one region with kind, price and place;"
            f" {HOMES_LEAST:,} are needed to play a market"
        )
    return found
