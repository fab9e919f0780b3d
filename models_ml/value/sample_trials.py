"""Simulated decisions over the leads of a sample world: nobody has bought here yet."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import timedelta
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.intake.cleaning import clean
from engine.intake.lead_news import offer_of
from engine.intake.prepared import Stated, prepare, stated
from engine.intake.record import SourceRecord
from engine.intake.sample_world import SampleWorld
from engine.intake.sample_world.seen import Seen
from engine.intake.sample_world.stated import stated_record
from engine.intake.sample_world.world import DEFAULT_AS_OF
from engine.market.instant import from_datetime, rfc3339
from engine.market.listing import Listing
from engine.market_directory import load_markets
from engine.source_directory import load_sources
from models_ml.value.comparables import ComparablesIndex, Compared
from models_ml.value.features import feature_matrix
from models_ml.value.sample_law import BUYER_SD, LEAD_SD, median_values, table_prices
from models_ml.value.trials_table import Decisions

DECISIONS_PER_LEAD = 8
# Prices that leads are seen at: the table's times exp(uniform(-SPREAD, SPREAD)).
SPREAD = 1.1
WORKERS_MOST = 4


class SampleLeads(NamedTuple):
    """Leads of all markets of a world, as their books would hear of them."""

    lead_ids: list[str]
    listings: list[Listing]
    max_buyers: list[int]
    compared: Compared


class SampleDecisions(NamedTuple):
    """`truth` is, for each decision, the median value of its lead by the law, in credits."""

    decisions: Decisions
    truth: NDArray[np.float64]


def sample_leads(
    seed: int, homes: int, on_market: Callable[[str], None] = lambda _: None
) -> SampleLeads:
    """The leads of a world of so many homes: read, cleaned, masked, merged, compared.

    Markets are read on all processors; `on_market` hears of each that is read.
    """
    parts: dict[str, SampleLeads] = {}
    with ProcessPoolExecutor(min(WORKERS_MOST, os.cpu_count() or 1)) as pool:
        reading = {pool.submit(market_leads, seed, homes, each): each for each in load_markets()}
        for future in as_completed(reading):
            parts[reading[future]] = future.result()
            on_market(reading[future])
    return together([parts[market] for market in load_markets()])


def market_leads(seed: int, homes: int, market: str) -> SampleLeads:
    """The leads of one market of a world of so many homes over all markets."""
    markets = load_markets()
    world = SampleWorld(seed, homes, list(markets.values()))
    said: dict[int, list[Stated]] = {}
    for seen in world.sightings(market):
        record = clean(_dated(seen), markets)
        ready = prepare(record, load_sources()[seen.source], now_us=_AS_OF_US)
        said.setdefault(seen.home_index, []).append(stated(ready))
    lead_ids = [f"{seed}-{index}" for index in said]
    offers = [offer_of(records, None) for records in said.values()]
    listings = [listing for listing, _ in offers]
    index = ComparablesIndex()
    for lead_id, listing in zip(lead_ids, listings, strict=True):
        index.put(lead_id, listing)
    seats = [seats for _, seats in offers]
    return SampleLeads(lead_ids, listings, seats, index.compare(lead_ids, listings))


def together(parts: Sequence[SampleLeads]) -> SampleLeads:
    """The leads of several markets, each compared within its own."""
    return SampleLeads(
        [each for part in parts for each in part.lead_ids],
        [each for part in parts for each in part.listings],
        [each for part in parts for each in part.max_buyers],
        Compared(*(np.concatenate(c) for c in zip(*(p.compared for p in parts), strict=True))),
    )


def sample_decisions(leads: SampleLeads, rng: np.random.Generator) -> SampleDecisions:
    """DECISIONS_PER_LEAD buyers a lead, each shown a whole number of credits around the table's
    price; they buy by the law of `sample_law`."""
    values = median_values(leads.listings, leads.max_buyers, leads.compared)
    tables = table_prices(leads.listings, leads.max_buyers)
    features = feature_matrix(leads.listings, leads.max_buyers, leads.compared)
    row = np.repeat(np.arange(len(values)), DECISIONS_PER_LEAD)
    unseen = rng.standard_normal(len(values)) * LEAD_SD
    worth = np.log(values[row]) + unseen[row] + rng.standard_normal(len(row)) * BUYER_SD
    price = np.maximum(1, np.rint(tables[row] * np.exp(rng.uniform(-SPREAD, SPREAD, len(row)))))
    bought: NDArray[np.bool_] = worth >= np.log(price)
    decisions = Decisions(
        lead=np.array(leads.lead_ids)[row],
        features=features[row],
        price=price,
        bought=bought,
        weight=np.ones(len(row)),
        table=tables[row],
    )
    return SampleDecisions(decisions, values[row])


_AS_OF_US = from_datetime(DEFAULT_AS_OF)


def _dated(seen: Seen) -> SourceRecord:
    posted = DEFAULT_AS_OF - timedelta(days=seen.posted_days_ago)
    extra: dict[str, str | int | float | bool | None] = {
        "previous_list_price": seen.previous_price,
        "listed_by": "owner" if seen.by_owner else None,
    }
    record = stated_record(seen)
    return msgspec.structs.replace(
        record,
        posted_at=rfc3339(from_datetime(posted)),
        extra={**record.extra, **{name: v for name, v in extra.items() if v is not None}},
    )
