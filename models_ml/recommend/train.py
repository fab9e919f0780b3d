"""Training the recommender: settings fitted to purchases, as a bundle for the registry."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np

from models_ml.recommend.fitting import fit
from models_ml.recommend.model import Metadata, packed
from models_ml.recommend.settings import STARTING, Settings
from models_ml.recommend.simulation.homes import Embed, Homes, Offered, homes_of, sample_homes
from models_ml.recommend.simulation.play import play

SAMPLE_SEED: Final = 5
SAMPLE_MARKET: Final = "austin"
SAMPLE_HOMES: Final = 3_000
BUYERS: Final = 200
SINCE_DAY: Final = 20.0
_PLAY_SEED: Final = 9


class Trained(NamedTuple):
    """`bundle` is what the registry keeps; the metadata's hash is of the homes and the seeds."""

    bundle: bytes
    settings: Settings
    metadata: Metadata


def train_recommender(
    embed: Embed,
    on_step: Callable[[str], None] = lambda _: None,
    *,
    offered: Sequence[Offered] | None = None,
    seed: int = SAMPLE_SEED,
) -> Trained:
    """On simulated buyers of these homes, or of a sample world's market without. Some minutes."""
    if offered is None:
        homes, told = sample_homes(seed, SAMPLE_MARKET, SAMPLE_HOMES, embed), f"sample world {seed}"
    else:
        homes, told = homes_of(offered, embed), "captured homes"
    on_step(f"{len(homes.lead_ids):,} homes embedded")
    return trained_on(homes, f"simulated buyers of {told}", on_step)


def trained_on(homes: Homes, told: str, on_step: Callable[[str], None]) -> Trained:
    """The best settings for simulated buyers of these homes."""
    fitted = fit([play(homes, BUYERS, _PLAY_SEED)], STARTING, SINCE_DAY, on_step)
    metrics = {
        "loss": round(fitted.loss, 4),
        "homes": float(len(homes.lead_ids)),
        "buyers": float(BUYERS),
    }
    metadata = Metadata(trained_on=told, training_sha256=_digest(homes), metrics=metrics)
    return Trained(packed(fitted.settings, metadata), fitted.settings, metadata)


def _digest(homes: Homes) -> str:
    found = hashlib.sha256(f"{BUYERS} {SINCE_DAY} {_PLAY_SEED}".encode())
    found.update(msgspec.json.encode([homes.lead_ids, homes.listings]))
    found.update(np.ascontiguousarray(homes.vectors, dtype=np.float16).tobytes())
    return found.hexdigest()
