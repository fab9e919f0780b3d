"""What `aiqleads models evaluate` judges a version by: data that it has not learnt from, or that
are named if it may have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.adapters.postgres import model_labels
from models_ml.served import ModelName, Served
from serve_apps.cli.model_trainers import OnStep, sample_pairs
from serve_apps.cli.model_words import with_registry

FRAUD_SEED: Final = 202
FRAUD_HOMES: Final = 8_000
EMBEDDER_SEED: Final = 77
RECOMMENDER_SEED: Final = 77
RECOMMENDER_MARKET: Final = "dallas"
_TEXTS: Final = 256


class Against(NamedTuple):
    """What to judge by; None: the model's own default. `reviews` (fraud): also the leads that
    the installation's reviewers decided. `folder` (advertiser): captures with the labelled table.
    """

    seed: int | None = None
    homes: int | None = None
    reviews: bool = False
    folder: Path | None = None


class Judged(NamedTuple):
    """`data` names what it was judged by; two versions compare where it is the same."""

    data: str
    rows: int
    metrics: dict[str, float]
    note: str = ""


def judge(name: ModelName, model: Served, against: Against, on_step: OnStep) -> list[Judged]:
    """Up to minutes. Raises ValueError, LookupError or Unusable, with words for an operator."""
    return _JUDGES[name](model, against, on_step)


def _fraud(model: Any, against: Against, on_step: OnStep) -> list[Judged]:
    from models_ml.fraud.sample_leads import World, read_worlds

    seed, homes = against.seed or FRAUD_SEED, against.homes or FRAUD_HOMES
    (leads,) = read_worlds([World(seed, homes, False)])
    # As they came in: what is known of a lead only later is of no use by then.
    first = leads.rows(~leads.is_later)
    on_step(f"sample world {seed}: {len(first.kind):,} leads")
    found = [
        Judged(
            f"sample world {seed} of {homes:,} homes",
            len(first.kind),
            _of_probabilities(model, model.probabilities(first.features), first.scam),
        )
    ]
    if against.reviews:
        found += _reviewed(model, on_step)
    return found


def _reviewed(model: Any, on_step: OnStep) -> list[Judged]:
    known = with_registry(lambda _, pool: model_labels.reviews(pool, model.schema))
    scam = np.array(known.is_scam, dtype=np.bool_)
    on_step(f"{len(scam):,} leads decided by reviewers")
    if scam.all() or not scam.any():
        on_step("reviewers' decisions are left out: leads of both kinds are needed")
        return []
    chances = model.probabilities(np.array(known.features, dtype=np.float32))
    learnt = int(model.metadata.reviewed)
    note = f"it has learnt from {learnt:,} decisions, perhaps of these" if learnt else ""
    metrics = _of_probabilities(model, chances, scam)
    return [Judged("reviewers' decisions", len(scam), metrics, note)]


def _of_probabilities(
    model: Any, chances: NDArray[np.float64], scam: NDArray[np.bool_]
) -> dict[str, float]:
    from models_ml.fraud.scores import calibration_error, curve

    precision, recall = curve(scam, chances, np.ones(len(scam)))
    found = {
        "average_precision": precision,
        "recall_at_1_percent": recall,
        "calibration_error": calibration_error(scam, chances),
        "brier": float(np.mean((chances - scam) ** 2)),
    }
    for word, at in (
        ("flagged", getattr(model, "flag_at", None)),
        ("quarantined", getattr(model, "quarantine_at", None)),
    ):
        if at is not None:
            found[f"{word}_scams"] = float((chances[scam] >= at).mean())
            found[f"{word}_honest"] = float((chances[~scam] >= at).mean())
    return {name: round(value, 4) for name, value in found.items()}


def _advertiser(model: Any, against: Against, on_step: OnStep) -> list[Judged]:
    from models_ml.fraud.advertisements import read

    if against.folder is None:
        on_step("no labelled table is named (--captures): the known example alone is scored")
        return []
    data = read(against.folder)
    if data.scam.all() or not data.scam.any():
        raise ValueError("the table has advertisements of one kind alone")
    on_step(f"{len(data.scam):,} advertisements")
    digest = data.digest()
    note = ""
    if digest == model.metadata.training_sha256:
        note = "it has learnt from this very table: these figures say nothing of others"
    metrics = _of_probabilities(model, model.probabilities(data.advertisements), data.scam)
    return [Judged(f"labelled table {digest[:12]}", len(data.scam), metrics, note)]


def _embedder(model: Any, against: Against, on_step: OnStep) -> list[Judged]:
    from models_ml.embedding.lead_text import text_of
    from models_ml.embedding.pairs import leads_of, nearness

    seed = against.seed or EMBEDDER_SEED
    pairs, listings, told = sample_pairs(seed, against.homes, on_step)
    on_step(told)
    lead_ids = leads_of(pairs)
    texts = [text_of(listings[lead_id]) for lead_id in lead_ids]
    found = nearness(_vectors(model, texts), lead_ids, pairs)
    metrics = {
        "hit_rate_20": round(found.hit_rate, 4),
        "reciprocal_rank": round(found.reciprocal_rank, 4),
        "leads": float(len(lead_ids)),
    }
    homes = "" if against.homes is None else f" of {against.homes:,} homes"
    return [Judged(f"sample world {seed}{homes}", len(pairs), metrics)]


def _vectors(model: Any, texts: Sequence[str]) -> NDArray[np.float32]:
    parts = [texts[start : start + _TEXTS] for start in range(0, len(texts), _TEXTS)]
    found: NDArray[np.float32] = np.concatenate([model.embed(part) for part in parts])
    return found


def _recommender(model: Any, against: Against, on_step: OnStep) -> list[Judged]:
    from models_ml.recommend.baselines import ByPopularity
    from models_ml.recommend.evaluate import BUYERS, HELD_OUT_FROM_DAY, KNOWN_ACTS
    from models_ml.recommend.ours import Ours
    from models_ml.recommend.replay import replay
    from models_ml.recommend.scores import scores_of
    from models_ml.recommend.simulation.homes import sample_homes
    from models_ml.recommend.simulation.play import play
    from models_ml.recommend.train import SAMPLE_HOMES
    from serve_apps.cli.recommend_trial import packaged_embed

    seed, count = against.seed or RECOMMENDER_SEED, against.homes or SAMPLE_HOMES
    homes = sample_homes(seed, RECOMMENDER_MARKET, count, packaged_embed())
    on_step(f"{len(homes.lead_ids):,} homes embedded")
    played = play(homes, BUYERS, seed)
    rankers = [Ours(played, model.settings, "recommender"), ByPopularity(played, 3.0)]
    judged = replay(played, rankers, HELD_OUT_FROM_DAY)
    known = [each for each in judged if each.acts >= KNOWN_ACTS]
    ours, popular = (scores_of(ranker.name, known, homes.vectors) for ranker in rankers)
    metrics = {
        "hit_rate_20": round(ours.hits.value, 4),
        "ndcg_20": round(ours.gain.value, 4),
        "ndcg_20_of_popularity": round(popular.gain.value, 4),
        "buyers": float(ours.buyers),
    }
    return [Judged(f"simulated buyers of sample world {seed} of {count:,} homes", len(known),
                   metrics)]  # fmt: skip


_JUDGES: Final[dict[ModelName, Callable[[Any, Against, OnStep], list[Judged]]]] = {
    "fraud": _fraud,
    "advertiser": _advertiser,
    "embedder": _embedder,
    "recommender": _recommender,
}
