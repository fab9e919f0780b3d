"""The portals' tables as one stream of records, each in the market where it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from engine.adapters.sources.captures import table_paths
from engine.intake.document import Document
from engine.intake.placement import place
from engine.intake.record import Rejected, SourceRecord
from engine.intake.redfin import parse as parse_redfin
from engine.intake.sample_world import SampleWorld
from engine.intake.zillow import parse as parse_zillow
from engine.market_directory import Market

_READERS = {"zillow": parse_zillow, "redfin": parse_redfin}
SOURCES = tuple(_READERS)


def open_tables(
    origin: Path | SampleWorld,
    markets: Mapping[str, Market],
    *,
    market: str | None = None,
    source: str | None = None,
) -> Iterator[SourceRecord | Rejected]:
    """Records of all tables of a captures folder or of a sample world, oldest first.

    With `market` only that market's records; what belongs to no market is Rejected
    (`out-of-market`, `no-place`) and appears only when all markets are read, so that it
    is counted once. With `source` only that source's tables. Raises KeyError for an
    unknown market or source, OSError when a file can't be read.
    """
    if market is not None and market not in markets:
        raise KeyError(f"market {market!r} is not configured; known: {', '.join(markets)}")
    if source is not None and source not in _READERS:
        raise KeyError(f"no tables of source {source!r}; known: {', '.join(_READERS)}")
    return _records(origin, markets, market, source)


def _records(
    origin: Path | SampleWorld,
    markets: Mapping[str, Market],
    market: str | None,
    source: str | None,
) -> Iterator[SourceRecord | Rejected]:
    for table_source, filename, content in _tables(origin, markets, market):
        if source is not None and table_source != source:
            continue
        for record in _READERS[table_source](Document(url=filename, content=content)):
            placed = place(record, markets) if isinstance(record, SourceRecord) else record
            if market is None or (isinstance(placed, SourceRecord) and placed.market == market):
                yield placed


def _tables(
    origin: Path | SampleWorld, markets: Mapping[str, Market], market: str | None
) -> Iterator[tuple[str, str, bytes]]:
    if isinstance(origin, SampleWorld):
        for slug in markets if market is None else (market,):
            yield from origin.tables(slug)
        return
    for source, path in table_paths(origin):
        yield source, path.name, path.read_bytes()
