"""Captured files as features, by the same way that a run takes them: parse, clean, compare."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from engine.intake.cleaning import clean
from engine.intake.document import Document
from engine.intake.parsers import PARSERS
from engine.intake.record import SourceRecord
from engine.intake.resolution import MatchFeatures, Resolver, features_of, partition
from engine.market_directory import Market
from engine.source_directory import Source, load_sources

RecordKey = tuple[str, str]
"""(source, source id)."""
BATCH = 500


class NotMeasured(Exception):
    """A part of the captures that a measurement needs is not there; the text says which."""


def records_in(paths: Iterable[Path], source: Source, market: str) -> Iterator[SourceRecord]:
    """What the source's parser reads in the files, in their order."""
    parse = PARSERS[source.parser]
    for path in paths:
        document = Document(
            url=path.name, content=path.read_bytes(), market=market, source=source.name
        )
        yield from (each for each in parse(document) if isinstance(each, SourceRecord))


def latest_by_id(records: Iterable[SourceRecord]) -> dict[RecordKey, SourceRecord]:
    """The last record of each id, as the desk keeps it."""
    return {(record.source, record.source_id): record for record in records}


def cleaned(
    records: Mapping[RecordKey, SourceRecord], markets: Mapping[str, Market]
) -> dict[RecordKey, SourceRecord]:
    return {key: clean(record, markets) for key, record in records.items()}


def features_by_id(records: Mapping[RecordKey, SourceRecord]) -> dict[RecordKey, MatchFeatures]:
    sources = load_sources()
    return {
        key: features_of(record, stable_ids=sources[record.source].stable_ids)
        for key, record in records.items()
    }


def leads_of(features: Mapping[RecordKey, MatchFeatures]) -> dict[RecordKey, int]:
    """For each record the number of its lead, as the resolver decides."""
    resolver, rows, edges = Resolver(), list(features.values()), []
    for start in range(0, len(rows), BATCH):
        for place, matches in enumerate(resolver.match(rows[start : start + BATCH])):
            edges += [(start + place, match.row) for match in matches]
    return dict(zip(features, partition(edges, len(rows)), strict=True))
