"""Labelled pairs from sample worlds, found by the same blocking that the desk uses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.intake.cleaning import clean
from engine.intake.resolution import MatchFeatures, Resolver, features_of
from engine.intake.resolution.resolver import Pairs
from engine.intake.sample_world import SampleWorld
from engine.intake.sample_world.seen import Seen
from engine.intake.sample_world.stated import stated_record
from engine.market_directory import load_markets
from engine.source_directory import load_sources

BATCH = 500
SIGHTINGS_PER_HOME = 1.71


class MarketRecords(NamedTuple):
    """The records of one market of a world: what was seen, its features, and whose it is."""

    seen: list[Seen]
    features: list[MatchFeatures]
    lead: NDArray[np.int64]


def sample_world(seed: int, records: int) -> SampleWorld:
    """A world of about so many records over all configured markets."""
    return SampleWorld(
        seed, max(1, round(records / SIGHTINGS_PER_HOME)), list(load_markets().values())
    )


def records_by_market(
    world: SampleWorld, on_record: Callable[[], None] = lambda: None
) -> Iterator[MarketRecords]:
    stable = {source.name for source in load_sources().values() if source.stable_ids}
    markets = load_markets()
    for market in markets.values():
        seen, features = [], []
        for each in world.sightings(market.slug):
            seen.append(each)
            record = clean(stated_record(each), markets)
            features.append(features_of(record, stable_ids=each.source in stable))
            on_record()
        yield MarketRecords(seen, features, np.array([each.home_index for each in seen]))


def candidate_pairs(features: Sequence[MatchFeatures], resolver: Resolver) -> Pairs:
    """All pairs that share a blocking key, judged by the resolver, which then knows them."""
    rows = iter(features)
    parts = []
    while batch := list(islice(rows, BATCH)):
        parts.append(resolver.match_pairs(batch))
    return Pairs(*(np.concatenate(each) for each in zip(*parts, strict=True)))
