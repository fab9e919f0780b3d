"""A sample world's leads as the market's desks would know them, beside the truth.

Documents are rendered, parsed, cleaned, placed and prepared as a run does, and resolved
into leads (`known_leads.py`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Final, NamedTuple

from engine.intake.cleaning import clean
from engine.intake.placement import place
from engine.intake.prepared import Prepared, prepare
from engine.intake.record import SourceRecord
from engine.intake.sample_world import Home, SampleWorld
from engine.intake.sample_world.seen import Seen, as_seen
from engine.intake.sample_world.world import DEFAULT_AS_OF
from engine.market_directory import load_markets
from engine.source_directory import load_sources
from models_ml.fraud.known_leads import (
    DAY_US,
    Known,
    Lead,
    LeadRows,
    moment_of_day,
    resolved,
    rows_of_leads,
)
from models_ml.resolution.sample_records import rendered_records

_AS_OF_US: Final = int(DEFAULT_AS_OF.timestamp()) * 1_000_000


class World(NamedTuple):
    """A sample world. `at_once` is a market that starts today, so that all its records come in
    within an hour, whenever they were posted."""

    seed: int
    homes: int
    at_once: bool


def read_worlds(
    worlds: Sequence[World], on_world: Callable[[World], None] = lambda _: None
) -> list[LeadRows]:
    """The leads of all markets of each world, in step. `on_world` hears of each that is read."""
    with ProcessPoolExecutor(min(len(worlds), os.cpu_count() or 1)) as pool:
        futures = {pool.submit(_read_world, world): world for world in worlds}
        for future in as_completed(futures):
            on_world(futures[future])
    found = {world: future.result() for future, world in futures.items()}
    return [found[world] for world in worlds]


def _read_world(world: World) -> LeadRows:
    markets = load_markets()
    known = SampleWorld(world.seed, world.homes, list(markets.values()))
    leads = [lead for market in markets for lead in _read_market(known, market)]
    return rows_of_leads([_at_once(lead) for lead in leads] if world.at_once else leads)


def _read_market(world: SampleWorld, market: str) -> list[Lead]:
    markets, sources = load_markets(), load_sources()
    # Every home is built once, not once for each source.
    of_source: dict[str, dict[str, tuple[Home, Seen]]] = {}
    for index in world.homes_of(market):
        home = world.homes[index]
        for sighting in home.sightings:
            told = (home, as_seen(home, sighting))
            of_source.setdefault(sighting.source, {})[sighting.source_id] = told
    known: list[Known] = []
    for name, offered in of_source.items():
        for record in rendered_records((seen for _, seen in offered.values()), market, name):
            placed = place(clean(record, markets), markets, hint=market)
            if record.source_id in offered and isinstance(placed, SourceRecord):
                prepared = prepare(placed, sources[name], now_us=_AS_OF_US)
                known.append(_known(*offered[record.source_id], prepared))
    return resolved(market, known)


def _known(home: Home, seen: Seen, record: Prepared) -> Known:
    contact = seen.person or home.person
    return Known(
        record,
        _AS_OF_US - seen.posted_days_ago * DAY_US + moment_of_day(record.source_id),
        contact.phone or contact.email or contact.name,
        home.scam or "",
    )


def _at_once(lead: Lead) -> Lead:
    records = [
        known._replace(seen_us=_AS_OF_US + moment_of_day(known.record.source_id) // 24)
        for known in lead.records
    ]
    return lead._replace(records=records)
