"""What `aiqleads models train` learns from, by model: sample worlds, and what the installation
knows that real people did."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import asyncpg
import numpy as np

from engine.adapters.postgres import co_purchases, model_labels
from engine.market.listing import Listing
from models_ml.served import ModelName
from serve_apps.cli.model_words import with_registry

OnStep = Callable[[str], None]
SAMPLE_MARKET: Final = "austin"
SAMPLE_BUYERS: Final = 200
FRAUD_SEED: Final = 101
FRAUD_WORLDS: Final = 3
FRAUD_HOMES: Final = 5_000
# The world whose buyers an encoder learns from; its judge is another (model_evaluations.py).
EMBEDDER_SEED: Final = 6


class Source(NamedTuple):
    """Where to learn from; None: the model's own default. `reviews` (fraud): those of the
    installation. `purchases` (embedder): the installation's, not those of simulated buyers.
    `folder` (advertiser): captures with the labelled table."""

    seed: int | None = None
    homes: int | None = None
    reviews: bool = False
    purchases: bool = False
    folder: Path | None = None


class Made(NamedTuple):
    """A bundle, and in words what it learnt from, for the list of versions."""

    bundle: bytes
    learnt_from: str


def train(name: ModelName, source: Source, on_step: OnStep) -> Made:
    """Minutes. Raises ValueError, LookupError, ImportError, Unusable and what a trainer raises
    of its own, each with words for an operator."""
    return _TRAINERS[name](source, on_step)


def _fraud(source: Source, on_step: OnStep) -> Made:
    from models_ml.fraud.listing_features import SCHEMA
    from models_ml.fraud.listing_train import Reviewed, train_listing
    from models_ml.fraud.sample_leads import World

    reviewed, told = None, ""
    if source.reviews:
        found = with_registry(lambda _, pool: model_labels.reviews(pool, SCHEMA))
        count = len(found.is_scam)
        said = f"{count:,} leads decided by reviewers"
        on_step(said + (f"; {found.others:,} of other features left out" if found.others else ""))
        if count:
            labels = [int(each) for each in found.is_scam]
            reviewed = Reviewed(found.features, labels, [SCHEMA] * count)
            told = f" and {said}"
    first, homes = source.seed or FRAUD_SEED, source.homes or FRAUD_HOMES
    # One of them is a market that starts, and takes in all at once.
    worlds = [World(first + place, homes, place == 1) for place in range(FRAUD_WORLDS)]
    made = train_listing(reviewed, worlds, on_step)
    last = first + FRAUD_WORLDS - 1
    return Made(made.bundle, f"sample worlds {first} to {last} of {homes:,} homes{told}")


def _advertiser(source: Source, on_step: OnStep) -> Made:
    from models_ml.fraud.listing_train import train_advertiser

    if source.folder is None:
        raise ValueError(
            "the advertiser model learns from a labelled table alone; name its folder by --train"
        )
    on_step("fitting")
    return Made(train_advertiser(source.folder).bundle, f"labelled table of {source.folder.name}")


def _embedder(source: Source, on_step: OnStep) -> Made:
    from models_ml.embedding.lead_text import text_of
    from models_ml.embedding.train import train_embedder

    if source.purchases:
        found = with_registry(_bought_together)
        pairs, listings = found.pairs, found.listings
        told = f"{len(pairs):,} pairs of leads that the same buyers bought"
    else:
        pairs, listings, told = sample_pairs(source.seed or EMBEDDER_SEED, source.homes, on_step)
    on_step(told)
    texts = {lead_id: text_of(listing) for lead_id, listing in listings.items()}
    pairs = [pair for pair in pairs if pair[0] in texts and pair[1] in texts]
    with tempfile.TemporaryDirectory() as folder:
        made = train_embedder(pairs, texts, Path(folder), on_step=on_step)
    return Made(made.content, told)


def _recommender(source: Source, on_step: OnStep) -> Made:
    from models_ml.recommend.simulation.homes import sample_homes
    from models_ml.recommend.train import SAMPLE_HOMES, SAMPLE_SEED, trained_on
    from serve_apps.cli.recommend_trial import packaged_embed

    seed, count = source.seed or SAMPLE_SEED, source.homes or SAMPLE_HOMES
    homes = sample_homes(seed, SAMPLE_MARKET, count, packaged_embed())
    on_step(f"{len(homes.lead_ids):,} homes embedded")
    told = f"simulated buyers of sample world {seed}"
    return Made(trained_on(homes, told, on_step).bundle, told)


def sample_pairs(
    seed: int, count: int | None, on_step: OnStep
) -> tuple[list[tuple[str, str]], dict[str, Listing], str]:
    """Leads that simulated buyers of a sample world bought together; their listings by id."""
    from models_ml.recommend.simulation.bought_together import bought_together
    from models_ml.recommend.simulation.homes import sample_homes
    from models_ml.recommend.simulation.play import play
    from models_ml.recommend.train import SAMPLE_HOMES

    # Simulated buyers look at homes, not at vectors.
    homes = sample_homes(
        seed, SAMPLE_MARKET, count or SAMPLE_HOMES, lambda known: np.zeros((len(known), 1), "f4")
    )
    on_step(f"{len(homes.lead_ids):,} homes of sample world {seed}")
    pairs = bought_together(play(homes, SAMPLE_BUYERS, seed))
    listings = dict(zip(homes.lead_ids, homes.listings, strict=True))
    return pairs, listings, f"{len(pairs):,} pairs of simulated buyers of sample world {seed}"


async def _bought_together(_: object, pool: asyncpg.Pool) -> co_purchases.CoPurchases:
    async with pool.acquire() as connection:
        return await co_purchases.co_purchases(connection)


_TRAINERS: Final[dict[ModelName, Callable[[Source, OnStep], Made]]] = {
    "fraud": _fraud,
    "advertiser": _advertiser,
    "embedder": _embedder,
    "recommender": _recommender,
}
