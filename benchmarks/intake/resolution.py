"""Records resolved per second beside a million known ones; quality beside Splink's batch.

    python -m benchmarks.intake.resolution [--known 1000000] [--records 20000] [--batch 400]
        [--runs 3] [--quality-records 20000] [--no-splink]

One market, one process; seconds are CPU seconds. The known rows are made up as columns of
features (`made_up_rows.py`), since rendering and parsing a million pages would take longer
than all that is measured. What comes before the desk (cleaning with its address and phone
parsing, and the features) is reported apart, on records of the sample world. Splink (the
`bench` extra) learns and predicts on the same sample-world records of one market.
"""

from __future__ import annotations

import argparse
import gc
import resource
import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.intake.made_up_rows import as_features, made_up_rows
from engine.intake.cleaning import clean
from engine.intake.cleaning.addresses import clean_address
from engine.intake.cleaning.phones import clean_phone
from engine.intake.record import SourceRecord
from engine.intake.resolution import Resolver, features_of
from engine.intake.sample_world import SampleWorld
from engine.intake.sample_world.stated import stated_record
from engine.market_directory import load_markets
from models_ml.resolution.sample_pairs import SIGHTINGS_PER_HOME, candidate_pairs
from models_ml.resolution.scores import PairCounts, partition_counts

MARKETS = load_markets()
SEED = 51
_ROWS_AT_ONCE = 50_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--known", type=int, default=1_000_000)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=400)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--quality-records", type=int, default=20_000)
    parser.add_argument("--no-splink", action="store_true")
    options = parser.parse_args()

    _report_before_the_desk()
    _report_resolving(options)
    _report_quality(options.quality_records, with_splink=not options.no_splink)


def _report_before_the_desk() -> None:
    stated = _stated_records(4_000)
    for record in stated[:200]:
        clean(record, MARKETS)
    cleaned = [clean(record, MARKETS) for record in stated]
    steps: dict[str, tuple[Callable[[SourceRecord], object], Sequence[SourceRecord]]] = {
        "cleaning, all rules": (lambda record: clean(record, MARKETS), stated),
        "  of it the address": (clean_address, stated),
        "  of it the phone": (clean_phone, stated),
        "features": (lambda record: features_of(record, stable_ids=True), cleaned),
    }
    for name, (step, records) in steps.items():
        start = time.process_time()
        for record in records:
            step(record)
        seconds = (time.process_time() - start) / len(records)
        print(f"{name}: {seconds * 1e6:,.0f} us a record, {1 / seconds:,.0f}/s")


def _stated_records(count: int) -> list[SourceRecord]:
    markets = list(MARKETS.values())
    world = SampleWorld(SEED, round(count / SIGHTINGS_PER_HOME * len(markets)), markets)
    return [stated_record(seen) for seen in world.sightings(markets[0].slug)]


def _report_resolving(options: argparse.Namespace) -> None:
    columns, _ = made_up_rows(options.known + options.records * options.runs, SEED)
    gc.collect()
    before = _resident()
    resolver = Resolver()
    start = time.process_time()
    for first in range(0, options.known, _ROWS_AT_ONCE):
        stop = min(first + _ROWS_AT_ONCE, options.known)
        resolver.add_columns({name: values[first:stop] for name, values in columns.items()})
    seconds = time.process_time() - start
    gc.collect()
    print(
        f"{len(resolver):,} known rows added in {seconds:.1f} s,"
        f" {(_resident() - before) / max(1, options.known):,.0f} bytes a row (RSS)"
    )
    rates, found = [], 0
    for run in range(options.runs):
        first = options.known + run * options.records
        rate, matches = _resolved(resolver, columns, first, options)
        rates.append(rate)
        found += matches
    print(
        f"resolved beside them: {statistics.median(rates):,.0f} records/s"
        f" (min {min(rates):,.0f}, max {max(rates):,.0f}, {options.runs} runs of"
        f" {options.records:,}), {found / (options.runs * options.records):.2f} matches a record,"
        f" {resolver.capped} blocks above the cap"
    )
    last = as_features(columns, options.known, options.known + options.batch)
    compared = len(resolver.match_pairs(last).later) / len(last)
    print(f"{compared:.1f} pairs compared a record")


def _resolved(
    resolver: Resolver, columns: dict[str, np.ndarray], first: int, options: argparse.Namespace
) -> tuple[float, int]:
    """(records per CPU-second, matches found)."""
    rows = as_features(columns, first, first + options.records)
    found = 0
    start = time.process_time()
    for place in range(0, len(rows), options.batch):
        found += sum(map(len, resolver.match(rows[place : place + options.batch])))
    return options.records / (time.process_time() - start), found


def _report_quality(count: int, *, with_splink: bool) -> None:
    markets = list(MARKETS.values())
    world = SampleWorld(SEED, round(count / SIGHTINGS_PER_HOME * len(markets)), markets)
    seen = list(world.sightings(markets[0].slug))
    records = [clean(stated_record(each), MARKETS) for each in seen]
    lead = np.array([each.home_index for each in seen], dtype=np.int64)
    stable = {"zillow", "redfin", "realtor", "mls"}
    features = [features_of(each, stable_ids=each.source in stable) for each in records]
    start = time.perf_counter()
    resolver = Resolver()
    pairs = candidate_pairs(features, resolver)
    counts = partition_counts(pairs, pairs.probability, lead, resolver.threshold)
    seconds = time.perf_counter() - start
    print(f"quality on {len(seen):,} sample-world records of one market, as leads:")
    _print_quality(f"ours at {resolver.threshold}", counts, seconds)
    if with_splink:
        from benchmarks.intake.splink_batch import splink_counts

        for learns, knows_truth in (("by EM", False), ("from the truth itself", True)):
            for threshold, found, took in splink_counts(records, lead, knows_truth=knows_truth):
                _print_quality(f"Splink, trained {learns}, at {threshold}", found, took)


def _print_quality(name: str, counts: PairCounts, seconds: float) -> None:
    print(
        f"  {name}: precision {counts.precision:.4f}, recall {counts.recall:.4f}, {seconds:.1f} s"
    )


def _resident() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    main()
