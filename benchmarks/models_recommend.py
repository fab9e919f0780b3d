"""How long a recommendation takes in its replica's process, and how it grows.

    python -m benchmarks.models_recommend [--leads 200000 1000000] [--requests 300]

Synthetic leads: vectors of 384 dimensions scattered around 2,000 centres, in four markets of one
size, with facts and places to filter by. A request is a buyer with 80 acts of three interests
who asks for 30 leads of a market: without a filter, of a property type, or within 8 km. Timed is
all that the replica does once it has the buyer's taste, which it keeps for a minute, one request
after another in one thread; to make the taste of acts that were read is told apart. Beside it the
same request with its nearest leads found by comparing
all of the market's vectors in full precision. Memory is of the process, by what filling added.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import psutil
from numpy.typing import NDArray

from engine.market.listing import Listing
from models_ml.recommend.facts import Kinds, facts_of, row_of
from models_ml.recommend.model import packaged_settings
from models_ml.recommend.recommend import recommend
from models_ml.recommend.shelf import Asked, Rows, Shelf
from models_ml.recommend.taste import Act, Past, Taste, taste_of

DIMENSIONS = 384
CENTRES = 2_000
MARKETS = 4
ACTS = 80
INTERESTS = 3
DAY_US = 86_400_000_000
NOW = 20_000 * DAY_US
# As many as the API asks for to show 20.
LIMIT = 30
SETTINGS = packaged_settings()
TYPES = (
    ("Residential", "Single Family Residence"),
    ("Residential", "Condominium"),
    ("Residential Lease", "Apartment"),
    ("Residential Income", "Duplex"),
)


class ComparingAll(Shelf):
    """A shelf whose nearest leads can be found by looking at every vector, in float32."""

    everything: NDArray[np.float32] | None = None
    """(rows, dimensions), by row; None to ask the index."""

    def nearest(
        self, vectors: NDArray[np.float32], k: int, allowed: NDArray[np.bool_]
    ) -> tuple[Rows, NDArray[np.float32]]:
        if self.everything is None:
            return super().nearest(vectors, k, allowed)
        cosines = vectors @ self.everything[: len(allowed)].T
        cosines[:, ~allowed] = -np.inf
        first = np.argpartition(-cosines, k, axis=1)[:, :k]
        found = np.take_along_axis(cosines, first, axis=1)
        return np.where(np.isfinite(found), first, -1), found


class Request(NamedTuple):
    shelf: Shelf
    past: Past
    taste: Taste
    asked: Asked


class Market:
    """Leads at random around centres that are the same everywhere."""

    def __init__(self, leads: int, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.kinds = Kinds()
        self.shelf = ComparingAll(f"market-{seed}", self.kinds, DIMENSIONS)
        self.size = leads
        for start in range(0, leads, 10_000):
            self._fill(start, min(start + 10_000, leads))
        while self.shelf.index.tend(2_000):
            pass

    def compare_all(self) -> None:
        self.shelf.everything = np.concatenate(
            [
                self.shelf.vectors(np.arange(start, min(start + 20_000, self.size)))
                for start in range(0, self.size, 20_000)
            ]
        )

    def request(self, asked: Asked) -> Request:
        chosen = np.random.default_rng(self.rng.integers(2**32)).integers(0, CENTRES, INTERESTS)
        vectors = around(chosen[self.rng.integers(0, INTERESTS, ACTS)], self.rng)
        rows = [row_of(self.kinds, self.listing(), 20, NOW) for _ in range(ACTS)]
        acts = [
            Act(f"past-{n}", "bought" if n % 3 == 0 else "viewed", NOW - n * DAY_US // 4)
            for n in range(ACTS)
        ]
        past = Past(acts, facts_of(rows), vectors)
        return Request(self.shelf, past, taste_of(past, NOW, SETTINGS), asked)

    def listing(self) -> Listing:
        rng = self.rng
        kind, sub_kind = TYPES[rng.integers(len(TYPES))]
        return Listing(
            property_type=kind,
            property_sub_type=sub_kind,
            list_price=int(rng.lognormal(12.7, 0.4)),
            living_area=int(rng.lognormal(7.4, 0.3)),
            latitude=30.27 + float(rng.normal(0, 0.12)),
            longitude=-97.74 + float(rng.normal(0, 0.12)),
            quality=float(rng.uniform(0.2, 0.9)),
        )

    def _fill(self, start: int, end: int) -> None:
        ids = [f"{self.shelf.market}-{n}" for n in range(start, end)]
        for lead_id in ids:
            listed_at = NOW - int(self.rng.integers(0, 30 * DAY_US))
            price = int(self.rng.integers(5, 60))
            self.shelf.put(lead_id, row_of(self.kinds, self.listing(), price, listed_at))
        centres = self.rng.integers(0, CENTRES, end - start)
        self.shelf.put_vectors(ids, around(centres, self.rng))


_centres = np.random.default_rng(1).standard_normal((CENTRES, DIMENSIONS)).astype(np.float32)


def around(centres: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float32]:
    found = _centres[centres] + 0.8 * rng.standard_normal((len(centres), DIMENSIONS), np.float32)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float32)


FILTERS: dict[str, Asked] = {
    "no filter": Asked(),
    "a property type": Asked(property_types=("Residential Lease",)),
    "within 8 km": Asked(near=(30.27, -97.74), radius_m=8_000),
}


def answer(request: Request) -> None:
    picks = recommend([request.shelf], request.taste, request.asked, LIMIT, NOW, SETTINGS)
    assert len(picks) == LIMIT


def make_taste(request: Request) -> None:
    taste_of(request.past, NOW, SETTINGS)


def timed(requests: Iterable[Request], what: Callable[[Request], None] = answer) -> list[float]:
    """Milliseconds of each."""
    found = []
    for request in requests:
        began = time.perf_counter()
        what(request)
        found.append((time.perf_counter() - began) * 1e3)
    return sorted(found)


def p99(times: list[float]) -> float:
    return times[min(len(times) - 1, int(0.99 * len(times)))]


def measure(leads: int, requests: int) -> None:
    process = psutil.Process(os.getpid())
    before = process.memory_info().rss
    began = time.perf_counter()
    markets = [Market(leads // MARKETS, seed) for seed in range(MARKETS)]
    took = time.perf_counter() - began
    grown = (process.memory_info().rss - before) / 1e6
    print(f"\n{leads:,} leads in {MARKETS} markets: {grown:,.0f} MB, filled in {took:.0f} s")
    tastes = timed([markets[0].request(Asked()) for _ in range(requests)], make_taste)
    print(
        f"  {'a taste':<16} median {statistics.median(tastes):5.1f} ms, p99 {p99(tastes):5.1f} ms"
    )
    for name, asked in FILTERS.items():
        made = [markets[n % MARKETS].request(asked) for n in range(requests)]
        timed(made[:10])
        ours = timed(made)
        brute = _comparing_all(markets, made[: max(20, requests // 10)])
        print(
            f"  {name:<16} median {statistics.median(ours):5.1f} ms, p99 {p99(ours):5.1f} ms;"
            f" all vectors compared: median {statistics.median(brute):6.1f} ms"
            f" ({statistics.median(brute) / statistics.median(ours):.1f} times)"
        )


def _comparing_all(markets: list[Market], made: list[Request]) -> list[float]:
    """One market at a time, for in full precision all would not fit."""
    found: list[float] = []
    for market in markets:
        market.compare_all()
        own = (request for request in made if request.shelf is market.shelf)
        found += timed(own)
        market.shelf.everything = None
    return sorted(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--leads", type=int, nargs="+", default=[50_000, 200_000, 1_000_000])
    parser.add_argument("--requests", type=int, default=300)
    asked = parser.parse_args()
    if len(asked.leads) == 1:
        measure(asked.leads[0], asked.requests)
        return
    # Each size in a process of its own: memory that was let go would be counted as free.
    for leads in asked.leads:
        own = ["--leads", str(leads), "--requests", str(asked.requests)]
        subprocess.run([sys.executable, "-m", "benchmarks.models_recommend", *own], check=True)


if __name__ == "__main__":
    main()
