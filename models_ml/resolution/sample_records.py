"""The sample world as a run takes it: rendered, parsed, cleaned, compared; beside its truth."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.intake.cleaning import clean
from engine.intake.document import Document
from engine.intake.feed.feed import feed_parser
from engine.intake.parsers import PARSERS
from engine.intake.record import SourceRecord
from engine.intake.resolution import MatchFeatures, features_of
from engine.intake.sample_world import SampleWorld
from engine.intake.sample_world.seen import Seen
from engine.intake.sample_world.world import DEFAULT_AS_OF, RENDERERS, Rendered
from engine.mapping_directory import load_mappings
from engine.market_directory import load_markets
from engine.source_directory import load_sources
from models_ml.resolution.captured import RecordKey
from models_ml.resolution.noise_kinds import noise_of

WORKERS_MOST = 8


class Part(NamedTuple):
    """One source in one market of a world."""

    seed: int
    homes: int
    market: str
    source: str


class Sighted(NamedTuple):
    key: RecordKey
    home_index: int
    noise: int


class PartRecords(NamedTuple):
    """What the source's documents gave by id, and what is true of its sightings."""

    part: Part
    features: dict[RecordKey, MatchFeatures]
    sighted: list[Sighted]


class MarketTruth(NamedTuple):
    """The records read of one market in a fixed, mixed order, and the sightings of which no
    record was read."""

    market: str
    features: list[MatchFeatures]
    lead: NDArray[np.int64]
    noise: NDArray[np.int64]
    unread: list[Sighted]


def read_world(
    seed: int, homes: int, on_records: Callable[[int], None] = lambda _: None
) -> list[MarketTruth]:
    """Every market of the world, read on all processors. `on_records` hears of records read."""
    parts = [
        Part(seed, homes, market, source)
        for market in load_markets()
        for source in load_sources()
        if source in RENDERERS and load_sources()[source].serves(market)
    ]
    found: dict[str, list[PartRecords]] = {}
    with ProcessPoolExecutor(min(WORKERS_MOST, os.cpu_count() or 1)) as pool:
        for future in as_completed([pool.submit(read_part, part) for part in parts]):
            records = future.result()
            found.setdefault(records.part.market, []).append(records)
            on_records(len(records.sighted))
    return [_market_truth(market, found[market]) for market in load_markets()]


def read_part(part: Part) -> PartRecords:
    markets = load_markets()
    world = SampleWorld(part.seed, part.homes, list(markets.values()))
    stable = load_sources()[part.source].stable_ids
    sighted = [
        Sighted((seen.source, seen.source_id), seen.home_index, noise)
        for seen in world.sightings(part.market, part.source)
        for noise in (noise_of(world.homes[seen.home_index], seen),)
    ]
    features = {
        (record.source, record.source_id): features_of(clean(record, markets), stable_ids=stable)
        for record in _records(world, part)
    }
    return PartRecords(part, features, sighted)


def _records(world: SampleWorld, part: Part) -> Iterator[SourceRecord]:
    return _parsed(world.documents(part.source, part.market), part.market, part.source)


def rendered_records(sightings: Iterable[Seen], market: str, source: str) -> Iterator[SourceRecord]:
    """What the source's parser reads in its own documents of these sightings."""
    documents = RENDERERS[source](sightings, market=market, as_of=DEFAULT_AS_OF, part=0)
    return _parsed(documents, market, source)


def _parsed(documents: Iterable[Rendered], market: str, source: str) -> Iterator[SourceRecord]:
    name = load_sources()[source].parser
    parse = PARSERS[name] if name in PARSERS else feed_parser(load_mappings(), load_markets())
    for url, media_type, content in documents:
        document = Document(
            url=url, content=content, media_type=media_type, market=market, source=source
        )
        yield from (each for each in parse(document) if isinstance(each, SourceRecord))


def _market_truth(market: str, parts: list[PartRecords]) -> MarketTruth:
    features = {key: each for part in parts for key, each in part.features.items()}
    sighted = sorted((each for part in parts for each in part.sighted), key=_mixed)
    read = [each for each in sighted if each.key in features]
    return MarketTruth(
        market=market,
        features=[features[each.key] for each in read],
        lead=np.array([each.home_index for each in read], dtype=np.int64),
        noise=np.array([each.noise for each in read], dtype=np.int64),
        unread=[each for each in sighted if each.key not in features],
    )


def _mixed(sighted: Sighted) -> bytes:
    """Sources arrive mixed, always in the same order."""
    return hashlib.blake2b("/".join(sighted.key).encode(), digest_size=8).digest()
