"""From records to leads and what survives of them: the order of arrival changes neither."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.intake.cleaning import clean
from engine.intake.listing import to_listing
from engine.intake.record import SourceRecord
from engine.intake.resolution import Resolver, features_of, partition
from engine.intake.sample_world import SampleWorld
from engine.intake.sample_world.stated import stated_record
from engine.intake.survivorship import Claim, Survivors, survive
from engine.market_directory import load_markets
from engine.source_directory import load_sources

MARKETS = load_markets()
SOURCES = load_sources()
Key = tuple[str, str]


def world_records() -> list[SourceRecord]:
    world = SampleWorld(13, 250, [MARKETS["austin"]])
    return [clean(stated_record(seen), MARKETS) for seen in world.sightings("austin")]


def claim_of(record: SourceRecord) -> Claim:
    confidence = {name: note.confidence for name, note in record.notes.items()}
    return Claim(
        record.source,
        record.source_id,
        SOURCES[record.source].trust,
        record.modification_timestamp,
        to_listing(record, now_us=0),
        confidence,
    )


def leads_of(records: list[SourceRecord]) -> dict[frozenset[Key], Survivors]:
    """What survives of each lead, the records arriving one after another."""
    resolver, edges = Resolver(), []
    for row, record in enumerate(records):
        features = features_of(record, stable_ids=SOURCES[record.source].stable_ids)
        edges += [(row, match.row) for match in resolver.match([features])[0]]
    parts: dict[int, list[SourceRecord]] = {}
    for record, part in zip(records, partition(edges, len(records)), strict=True):
        parts.setdefault(part, []).append(record)
    return {
        frozenset((each.source, each.source_id) for each in members): survive(
            [claim_of(each) for each in members]
        )
        for members in parts.values()
    }


RECORDS = world_records()
EXPECTED = leads_of(RECORDS)


def test_the_world_has_leads_of_several_records() -> None:
    assert sum(len(keys) > 1 for keys in EXPECTED) > 50


@settings(max_examples=8, deadline=None)
@given(st.randoms(use_true_random=False))
def test_order_changes_neither_leads_nor_what_survives(rng: random.Random) -> None:
    assert leads_of(rng.sample(RECORDS, len(RECORDS))) == EXPECTED
