"""From prepared records to leads with what the fraud model looks at, as the market's desks would.

Records are resolved into leads by the resolver, and evidence is gathered in the order in which
they come in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.intake.fraud.evidence import Evidence, EvidenceBook, Trace
from engine.intake.fraud.rules import Case
from engine.intake.lead_news import offer_of
from engine.intake.prepared import Prepared, stated
from engine.intake.resolution import Resolver, partition
from engine.market.listing import Listing
from models_ml.fraud.listing_features import cases, rows_of
from models_ml.resolution.sample_pairs import candidate_pairs
from models_ml.value.comparables import ComparablesIndex, Compared

DAY_US: Final = 86_400_000_000


class Known(NamedTuple):
    """A record, when it was first seen, and its contact; `kind` names its scam, "" for none."""

    record: Prepared
    seen_us: int
    advertiser: str
    kind: str


class Lead(NamedTuple):
    lead_id: str
    market: str
    records: list[Known]
    listing: Listing


class LeadRows(NamedTuple):
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

    def rows(self, which: NDArray[np.bool_]) -> LeadRows:
        kept = [case for case, keep in zip(self.cases, which.tolist(), strict=True) if keep]
        return LeadRows(
            self.features[which],
            kept,
            self.kind[which],
            self.advertiser[which],
            self.seen_us[which],
            self.is_later[which],
        )


def moment_of_day(source_id: str) -> int:
    """Some time of the day, always the same for one record, µs."""
    digest = hashlib.blake2b(source_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") % DAY_US


def resolved(market: str, known: list[Known]) -> list[Lead]:
    """The market's leads. A lead is a scam if one of its records is."""
    known = sorted(known, key=lambda each: (moment_of_day(each.record.source_id), each.record.key))
    resolver = Resolver()
    pairs = candidate_pairs([each.record.features for each in known], resolver)
    chosen = pairs.probability >= resolver.threshold
    edges = zip(pairs.later[chosen].tolist(), pairs.earlier[chosen].tolist(), strict=True)
    members: dict[int, list[Known]] = {}
    for row, part in enumerate(partition(edges, len(known))):
        members.setdefault(part, []).append(known[row])
    return [
        Lead(
            f"{market}/{part}",
            market,
            records,
            offer_of([stated(each.record) for each in records], None)[0],
        )
        for part, records in members.items()
    ]


def rows_of_leads(leads: Sequence[Lead]) -> LeadRows:
    """The leads of all markets, evidence of one another."""
    arrivals = sorted(
        ((known.seen_us, lead.lead_id, known) for lead in leads for known in lead.records),
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


def _rows(leads: Sequence[Lead], evidence: Sequence[Evidence], last_us: dict[str, int]) -> LeadRows:
    """The leads twice over, in step with what was known of them."""
    listings = [lead.listing for lead in leads]
    compared = _compared(leads[: len(leads) // 2])
    known = cases(listings, evidence, compared)
    first = [next((each for each in lead.records if each.kind), lead.records[0]) for lead in leads]
    return LeadRows(
        rows_of(listings, known, compared),
        known,
        np.array([each.kind for each in first]),
        np.array([each.advertiser for each in first]),
        np.array([last_us[lead.lead_id] for lead in leads], dtype=np.int64),
        np.arange(len(leads)) >= len(leads) // 2,
    )


def _compared(leads: Sequence[Lead]) -> Compared:
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
