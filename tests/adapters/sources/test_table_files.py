"""Tables of captures and of the sample world, as one stream of placed records."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from engine.adapters.sources.captures import table_paths
from engine.adapters.sources.table_files import open_tables
from engine.intake.record import Rejected, SourceRecord
from engine.intake.sample_world import SampleWorld
from engine.market_directory import load_markets

MARKETS = load_markets()


def test_sample_tables() -> None:
    world = SampleWorld(5, 400, list(MARKETS.values()))
    records = list(open_tables(world, MARKETS))
    expected = Counter(
        s.source for home in world.homes for s in home.sightings if s.source in {"zillow", "redfin"}
    )
    assert Counter(record.source for record in records) == expected
    austin = list(open_tables(world, MARKETS, market="austin", source="redfin"))
    assert austin
    assert all(isinstance(r, SourceRecord) and r.market == "austin" for r in austin)
    assert {r.source for r in austin} == {"redfin"}


def test_unknown_names_are_refused_at_once() -> None:
    world = SampleWorld(5, 4, list(MARKETS.values()))
    with pytest.raises(KeyError, match="atlantis"):
        open_tables(world, MARKETS, market="atlantis")
    with pytest.raises(KeyError, match="fsbo"):
        open_tables(world, MARKETS, source="fsbo")


def test_captured_tables_are_known_by_place(captures: Path) -> None:
    records = list(open_tables(captures, MARKETS))
    placed = Counter(r.market for r in records if isinstance(r, SourceRecord))
    assert set(placed) == set(MARKETS)
    refused = [r for r in records if isinstance(r, Rejected)]
    assert len(refused) < 0.01 * len(records)
    phoenix = sum(1 for _ in open_tables(captures, MARKETS, market="phoenix", source="zillow"))
    assert phoenix == placed["phoenix"]


def test_tables_come_oldest_first(captures: Path) -> None:
    days = [path.name[:10] for source, path in table_paths(captures) if source == "redfin"]
    daily = [day for day in days if day.startswith("2026-")]
    assert daily == sorted(daily)
    assert len(daily) > 100
