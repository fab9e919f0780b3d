"""Training the recommender: settings fitted to purchases, as a bundle for the registry."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np

from models_ml.recommend.fitting import fit
from models_ml.recommend.model import packed
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
    """`bundle` is what the registry keeps; `training_sha256` is of the homes and the seeds."""

    bundle: bytes
    settings: Settings
    metrics: dict[str, float]
    training_sha256: str


def train_recommender(
    embed: Embed,
    on_step: Callable[[str], None] = lambda _: None,
    *,
    offered: Sequence[Offered] | None = None,
    seed: int = SAMPLE_SEED,
) -> Trained:
    """On simulated buyers of these homes, or of a sample world's market without. Some minutes."""
    if offered is None:
        homes = sample_homes(seed, SAMPLE_MARKET, SAMPLE_HOMES, embed)
    else:
        homes = homes_of(offered, embed)
    on_step(f"{len(homes.lead_ids):,} homes embedded")
    return trained_on(homes, on_step)


def trained_on(homes: Homes, on_step: Callable[[str], None]) -> Trained:
    """The best settings for simulated buyers of these homes."""
    fitted = fit([play(homes, BUYERS, _PLAY_SEED)], STARTING, SINCE_DAY, on_step)
    metrics = {
        "loss": round(fitted.loss, 4),
        "homes": float(len(homes.lead_ids)),
        "buyers": float(BUYERS),
    }
    return Trained(packed(fitted.settings), fitted.settings, metrics, _digest(homes))


def _digest(homes: Homes) -> str:
    found = hashlib.sha256(f"{BUYERS} {SINCE_DAY} {_PLAY_SEED}".encode())
    found.update(msgspec.json.encode([homes.lead_ids, homes.listings]))
    found.update(np.ascontiguousarray(homes.vectors, dtype=np.float16).tobytes())
    return found.hexdigest()
