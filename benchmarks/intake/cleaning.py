"""Microseconds that each rule of cleaning takes of a record, and what its libraries take.

    python -m benchmarks.intake.cleaning [--homes 2000] [--runs 5] [--captures DIR]

Captured post pages where AIQLEADS_CAPTURES (or --captures) names a folder of them, else the
sample world's pages and tables. CPU time, the median of several runs, on records that the
rules before have cleaned. Address and phone parsing are measured apart: by the short way
that most take, and by the library.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from engine.intake.cleaning import clean
from engine.intake.cleaning.addresses import clean_address, likely_parts, usual_parts
from engine.intake.cleaning.amounts import clean_amounts
from engine.intake.cleaning.emails import clean_email
from engine.intake.cleaning.kinds import clean_kind
from engine.intake.cleaning.languages import clean_language, language_of
from engine.intake.cleaning.moments import clean_moments
from engine.intake.cleaning.names import clean_name
from engine.intake.cleaning.phones import clean_phone, phone_of
from engine.intake.cleaning.texts import clean_texts
from engine.intake.cleaning.whereabouts import clean_state, clean_whereabouts
from engine.intake.document import Document
from engine.intake.parsers import PARSERS
from engine.intake.record import SourceRecord
from engine.intake.sample_world import SampleWorld
from engine.market_directory import load_markets

MARKETS = load_markets()
RULES: dict[str, Callable[[SourceRecord], SourceRecord]] = {
    "texts": clean_texts,
    "name": clean_name,
    "phone": clean_phone,
    "email": clean_email,
    "state": clean_state,
    "address": clean_address,
    "whereabouts": lambda record: clean_whereabouts(record, MARKETS),
    "kind": clean_kind,
    "amounts": clean_amounts,
    "moments": lambda record: clean_moments(record, MARKETS),
    "language": clean_language,
}
LIBRARIES: dict[str, Callable[[int], Any]] = {
    "phone, the short way": lambda i: phone_of(f"(702) 555-{i:04d}"),
    "phone, phonenumbers": lambda i: phone_of(f"+1 702 555 {i:04d} ext. 7"),
    "address, the short way": lambda i: usual_parts(f"{i} W Elm Street Apt 5B, Dallas, TX 75219"),
    "address, usaddress": lambda i: likely_parts(f"{i} W Elm Street Apt 5B Dallas TX 75219"),
    "language, by its words": lambda i: language_of(f"{i} The home is close to you and us. " * 9),
    "language, py3langid": lambda i: language_of(f"{i} gated pools cats dogs ok downtown " * 9),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--homes", type=int, default=2_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--captures", type=Path, default=os.environ.get("AIQLEADS_CAPTURES"))
    options = parser.parse_args()

    records = _captured(options.captures) if options.captures else _sample(options.homes)
    if not records:
        raise SystemExit(f"{options.captures} has no craigslist/posts_html/<market>/<post id>.html")
    print(f"{len(records)} records; first one, with tables loaded: {_first(records):,.0f} ms")
    _print_rules(records, options.runs)
    for name, read in LIBRARIES.items():
        read(0)
        # Fresh arguments each run: what was read before is remembered.
        spent = [_spent(read, range(run * 500, run * 500 + 500)) for run in range(1, 6)]
        print(f"{name}: {statistics.median(spent):,.1f} us")


def _print_rules(records: Sequence[SourceRecord], runs: int) -> None:
    by_rule: dict[str, list[float]] = {name: [] for name in RULES}
    whole: list[float] = []
    for _ in range(runs):
        whole.append(_spent(lambda record: clean(record, MARKETS), records))
        current = list(records)
        for name, rule in RULES.items():
            by_rule[name].append(_spent(rule, current))
            current = [rule(record) for record in current]
    for name, spent in by_rule.items():
        print(f"{name}: {statistics.median(spent):,.1f} us/record")
    print(f"clean: {statistics.median(whole):,.1f} us/record (max {max(whole):,.1f}, {runs} runs)")


def _first(records: Sequence[SourceRecord]) -> float:
    started = time.process_time()
    clean(records[0], MARKETS)
    return (time.process_time() - started) * 1e3


def _spent(work: Callable[[Any], Any], over: Sequence[Any]) -> float:
    started = time.process_time()
    for each in over:
        work(each)
    return (time.process_time() - started) / len(over) * 1e6


def _captured(captures: Path) -> list[SourceRecord]:
    paths = sorted(Path(captures).glob("craigslist/posts_html/*/*.html"))[::4]
    return [
        record
        for path in paths
        for record in _records("craigslist", path.name, path.read_bytes(), "text/html")
    ]


def _sample(homes: int) -> list[SourceRecord]:
    world = SampleWorld(1, homes, list(MARKETS.values()))
    return [
        record
        for market in MARKETS
        for source in ("craigslist", "zillow", "redfin")
        for name, media_type, content in world.documents(source, market)
        for record in _records(source, name, content, media_type)
    ]


def _records(source: str, name: str, content: bytes, media_type: str) -> list[SourceRecord]:
    document = Document(url=f"https://x.example/{name}", content=content, media_type=media_type)
    return [each for each in PARSERS[source](document) if isinstance(each, SourceRecord)]


if __name__ == "__main__":
    main()
