"""A sample world's leads as the market's desks would know them, beside the truth.

Documents are rendered, parsed, cleaned, placed and prepared as a run does, records resolved
into leads by the resolver, and evidence gathered in the order in which records come in.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.intake.cleaning import clean
from engine.intake.fraud.evidence import Evidence, EvidenceBook, Trace
from engine.intake.fraud.rules import Case
from engine.intake.lead_news import offer_of
from engine.intake.placement import place
from engine.intake.prepared import Prepared, prepare, stated
from engine.intake.record import SourceRecord
from engine.intake.resolution import Resolver, partition
from engine.intake.sample_world import Home, SampleWorld
from engine.intake.sample_world.seen import Seen
from engine.intake.sample_world.world import DEFAULT_AS_OF
from engine.market.listing import Listing
from engine.market_directory import load_markets
from engine.source_directory import load_sources
from models_ml.fraud.listing_features import cases, rows_of
from models_ml.resolution.sample_pairs import candidate_pairs
from models_ml.resolution.sample_records import rendered_records
from models_ml.value.comparables import ComparablesIndex, Compared

WORKERS_MOST: Final = 8
_DAY_US: Final = 86_400_000_000
_AS_OF_US: Final = int(DEFAULT_AS_OF.timestamp()) * 1_000_000


class Known(NamedTuple):
    """A record, when it was first seen, and its contact; `kind` names its scam, "" for none."""

    record: Prepared
    seen_us: int
    advertiser: str
    kind: str


class SampleLeads(NamedTuple):
    """Rows of leads, each at its last record and once more when all is known (`is_later`), for
    the desk scores a lead anew when anything changes. `kind` is "" for honest ones;
    `advertiser` is the contact; `seen_us` when the row's last record came in."""

    features: NDArray[np.float32]
    cases: list[Case]
    kind: NDArray[np.str_]
    advertiser: NDArray[np.str_]
    seen_us: NDArray[np.int64]
    is_later: NDArray[np.bool_]

    @property
    def scam(self) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = self.kind != ""
        return found

    def rows(self, which: NDArray[np.bool_]) -> SampleLeads:
        kept = [case for case, keep in zip(self.cases, which.tolist(), strict=True) if keep]
        return SampleLeads(
            self.features[which],
            kept,
            self.kind[which],
            self.advertiser[which],
            self.seen_us[which],
            self.is_later[which],
        )


def read_leads(
    seed: int, homes: int, *, at_once: bool, on_records: Callable[[int], None] = lambda _: None
) -> SampleLeads:
    """The leads of all markets of a world. `at_once` is a market that starts today, so that all
    its records come in within an hour, whenever they were posted."""
    found: list[_Lead] = []
    with ProcessPoolExecutor(min(WORKERS_MOST, os.cpu_count() or 1)) as pool:
        futures = [pool.submit(_read_market, seed, homes, market) for market in load_markets()]
        for future in as_completed(futures):
            leads = future.result()
            found.extend(leads)
            on_records(sum(len(lead.records) for lead in leads))
    return _leads(sorted(found, key=lambda lead: lead.lead_id), at_once=at_once)


class _Lead(NamedTuple):
    lead_id: str
    market: str
    records: list[Known]
    listing: Listing


def _read_market(seed: int, homes: int, market: str) -> list[_Lead]:
    markets, sources = load_markets(), load_sources()
    world = SampleWorld(seed, homes, list(markets.values()))
    # Every home is built once, not once for each source.
    of_source: dict[str, dict[str, Seen]] = {}
    for seen in world.sightings(market):
        of_source.setdefault(seen.source, {})[seen.source_id] = seen
    known: list[Known] = []
    for name, sightings in of_source.items():
        for record in rendered_records(sightings.values(), market, name):
            placed = place(clean(record, markets), markets, hint=market)
            if record.source_id in sightings and isinstance(placed, SourceRecord):
                seen = sightings[record.source_id]
                prepared = prepare(placed, sources[name], now_us=_AS_OF_US)
                known.append(_known(world.homes[seen.home_index], seen, prepared))
    return _resolved(market, known)


def _known(home: Home, seen: Seen, record: Prepared) -> Known:
    contact = seen.person or home.person
    return Known(
        record,
        _AS_OF_US - seen.posted_days_ago * _DAY_US + _moment(record.source_id),
        contact.phone or contact.email or contact.name,
        home.scam or "",
    )


def _moment(source_id: str) -> int:
    """Some time of the day, always the same for one record, µs."""
    digest = hashlib.blake2b(source_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") % _DAY_US


def _resolved(market: str, known: list[Known]) -> list[_Lead]:
    """The market's leads. A lead is a scam if one of its records is."""
    known = sorted(known, key=lambda each: (_moment(each.record.source_id), each.record.key))
    resolver = Resolver()
    pairs = candidate_pairs([each.record.features for each in known], resolver)
    chosen = pairs.probability >= resolver.threshold
    edges = zip(pairs.later[chosen].tolist(), pairs.earlier[chosen].tolist(), strict=True)
    members: dict[int, list[Known]] = {}
    for row, part in enumerate(partition(edges, len(known))):
        members.setdefault(part, []).append(known[row])
    return [
        _Lead(
            f"{market}/{part}",
            market,
            records,
            offer_of([stated(each.record) for each in records], None)[0],
        )
        for part, records in members.items()
    ]


def _leads(leads: Sequence[_Lead], *, at_once: bool) -> SampleLeads:
    def seen_us(known: Known) -> int:
        return _AS_OF_US + _moment(known.record.source_id) // 24 if at_once else known.seen_us

    arrivals = sorted(
        ((seen_us(known), lead.lead_id, known) for lead in leads for known in lead.records),
        key=lambda each: (each[0], each[1]),
    )
    last_us = {lead_id: at_us for at_us, lead_id, _ in arrivals}
    book, at_arrival = EvidenceBook(), {}
    markets = {lead.lead_id: lead.market for lead in leads}
    for at_us, lead_id, known in arrivals:
        book.put(
            Trace(
                key=known.record.key,
                lead_id=lead_id,
                market=markets[lead_id],
                seen_us=at_us,
                features=known.record.features,
            )
        )
        if at_us == last_us[lead_id]:
            at_arrival[lead_id] = book.of(lead_id, at_us)
    later = [book.of(lead.lead_id, arrivals[-1][0]) for lead in leads]
    both = [*(at_arrival[lead.lead_id] for lead in leads), *later]
    return _rows([*leads, *leads], both, last_us)


def _rows(
    leads: Sequence[_Lead], evidence: Sequence[Evidence], last_us: dict[str, int]
) -> SampleLeads:
    """The leads twice over, in step with what was known of them."""
    listings = [lead.listing for lead in leads]
    compared = _compared(leads[: len(leads) // 2])
    known = cases(listings, evidence, compared)
    first = [next((each for each in lead.records if each.kind), lead.records[0]) for lead in leads]
    return SampleLeads(
        rows_of(listings, known, compared),
        known,
        np.array([each.kind for each in first]),
        np.array([each.advertiser for each in first]),
        np.array([last_us[lead.lead_id] for lead in leads], dtype=np.int64),
        np.arange(len(leads)) >= len(leads) // 2,
    )


def _compared(leads: Sequence[_Lead]) -> Compared:
    """Each lead against the others of its market, twice over."""
    found = Compared.unknown(len(leads))
    by_market: dict[str, list[int]] = {}
    for row, lead in enumerate(leads):
        by_market.setdefault(lead.market, []).append(row)
    for rows in by_market.values():
        index = ComparablesIndex()
        for row in rows:
            index.put(leads[row].lead_id, leads[row].listing)
        ids, listings = [leads[row].lead_id for row in rows], [leads[row].listing for row in rows]
        told = index.compare(ids, listings)
        found.price_to[rows], found.count[rows] = told.price_to, told.count
    return Compared(np.tile(found.price_to, 2), np.tile(found.count, 2))
