"""Pages a second and core, from bytes to the record that a desk takes.

    python -m benchmarks.intake.parsing [--pages 300] [--runs 5] [--captures DIR]

Captured post pages where AIQLEADS_CAPTURES (or --captures) names a folder of them, else
the sample world's. Stages are timed apart, in interleaved runs of CPU time: parsing,
cleaning, and making ready (masking, match features); beside them the same parser as it is
usually written, with BeautifulSoup over html.parser (needs the `bench` extra).
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.intake.soup_post import soup_post
from engine.intake.cleaning import clean
from engine.intake.craigslist import parse
from engine.intake.document import Document
from engine.intake.prepared import Prepared, prepare
from engine.intake.record import SourceRecord
from engine.intake.sample_world import SampleWorld
from engine.market_directory import load_markets
from engine.source_directory import load_sources

NOW_US = 1_777_000_000_000_000
MARKETS = load_markets()
CRAIGSLIST = load_sources()["craigslist"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=300)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--captures", type=Path, default=os.environ.get("AIQLEADS_CAPTURES"))
    options = parser.parse_args()

    documents = _documents(options.captures, options.pages)
    stages: dict[str, Callable[[], list[Any]]] = {
        "parse": lambda: [_parsed(document) for document in documents],
        "parse and clean": lambda: [clean(_parsed(d), MARKETS) for d in documents],
        "to the desk's record": lambda: [_ready(document) for document in documents],
        "BeautifulSoup, parse alone": lambda: [soup_post(d.content) for d in documents],
    }
    # Tables and models are loaded on first use: not what is measured.
    _ready(documents[0])
    rates: dict[str, list[float]] = {name: [] for name in stages}
    for _ in range(options.runs):
        for name, stage in stages.items():
            rates[name].append(_rate(stage, len(documents)))
    size = statistics.mean(len(document.content) for document in documents)
    print(f"{len(documents)} pages of {size / 1024:.0f} KiB")
    for name, measured in rates.items():
        print(
            f"{name}: {statistics.median(measured):,.0f} pages/s/core"
            f" (min {min(measured):,.0f}, max {max(measured):,.0f}, {options.runs} runs)"
        )
    soup = statistics.median(rates["BeautifulSoup, parse alone"])
    for name in ("parse", "to the desk's record"):
        print(f"{name} against BeautifulSoup: {statistics.median(rates[name]) / soup:.1f}")


def _rate(stage: Callable[[], list[Any]], pages: int) -> float:
    started = time.process_time()
    stage()
    return pages / (time.process_time() - started)


def _documents(captures: Path | None, pages: int) -> list[Document]:
    found = _captured(Path(captures)) if captures else _sample()
    if not found:
        raise SystemExit(f"{captures} has no craigslist/posts_html/<market>/<post id>.html")
    step = max(1, len(found) // pages)
    return [document for document in found[::step][:pages] if next(iter(_records(document)), None)]


def _captured(captures: Path) -> Sequence[Document]:
    paths = sorted(captures.glob("craigslist/posts_html/*/*.html"))
    return [Document(url=f"https://x.example/{p.name}", content=p.read_bytes()) for p in paths]


def _sample() -> Sequence[Document]:
    world = SampleWorld(1, 4_000, list(MARKETS.values()))
    return [
        Document(url=f"https://x.example/{path}", content=content)
        for market in MARKETS
        for path, content in world.pages(market)
    ]


def _records(document: Document) -> list[SourceRecord]:
    return [each for each in parse(document) if isinstance(each, SourceRecord)]


def _parsed(document: Document) -> SourceRecord:
    (record,) = _records(document)
    return record


def _ready(document: Document) -> Prepared:
    return prepare(clean(_parsed(document), MARKETS), CRAIGSLIST, now_us=NOW_US)


if __name__ == "__main__":
    main()
