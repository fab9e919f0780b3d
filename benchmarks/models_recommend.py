"""How long a recommendation takes in its replica's process, and how that grows.

    python -m benchmarks.models_recommend [--leads 50000 200000 1000000] [--requests 300]

Synthetic leads: vectors of 384 dimensions scattered around 2,000 centres, with facts and places
to filter by, a third of them wanted lately; all in one market, and split over four that are
asked at once, as by a buyer who names none. A request is a buyer with 80 acts of three interests
who asks for 30 leads: without a filter, of a property type, within 8 km, both, or with a
standing order for a type and a price. Timed is all that the replica does once it has the buyer's
taste, which it keeps for a minute, one request after another: CPU time of the process, and the
time that passed, which on a busy machine is more. To make the taste of acts that were read is
told apart. Beside each request the same one, with its nearest leads found by comparing all of
the vectors in full precision. Memory is of the process, by what filling added; filling is what a
replica does when it starts, without the database.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import psutil
from numpy.typing import NDArray

from engine.market.listing import Listing
from engine.market.standing_terms import StandingFilter, StandingTerms
from models_ml.recommend.facts import Kinds, facts_of, row_of
from models_ml.recommend.model import packaged_settings
from models_ml.recommend.recommend import recommend
from models_ml.recommend.shelf import Asked, Rows, Shelf
from models_ml.recommend.taste import Act, Past, Taste, taste_of
from models_ml.recommend.wishes import wish_of

Each = TypeVar("Each")
DIMENSIONS = 384
CENTRES = 2_000
SPLIT = 4
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
CENTRE = (30.27, -97.74)
ORDER = StandingTerms(
    name="houses",
    price_max=30,
    filter=StandingFilter(property_type=("Residential",), list_price_max=400_000),
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
    shelves: Sequence[Shelf]
    taste: Taste
    asked: Asked


class Took(NamedTuple):
    """Milliseconds of each: of the process's CPU, and that passed. Ascending."""

    cpu: list[float]
    passed: list[float]


class Leads:
    """Leads at random around centres that are the same everywhere, in markets of one size."""

    def __init__(self, leads: int, markets: int) -> None:
        self.rng = np.random.default_rng(leads + markets)
        self.kinds = Kinds()
        names = [f"market-{n}" for n in range(markets)]
        self.shelves = [ComparingAll(name, self.kinds, DIMENSIONS) for name in names]
        for shelf in self.shelves:
            for start in range(0, leads // markets, 10_000):
                self._fill(shelf, start, min(start + 10_000, leads // markets))

    def tend(self) -> None:
        for shelf in self.shelves:
            while shelf.index.tend(2_000):
                pass

    def past(self) -> Past:
        chosen = self.rng.integers(0, CENTRES, INTERESTS)
        vectors = around(chosen[self.rng.integers(0, INTERESTS, ACTS)], self.rng)
        rows = [row_of(self.kinds, each, 20, NOW) for each in listings(ACTS, self.rng)]
        acts = [
            Act(f"past-{n}", "bought" if n % 3 == 0 else "viewed", NOW - n * DAY_US // 4)
            for n in range(ACTS)
        ]
        return Past(acts, facts_of(rows), vectors)

    def request(self, asked: Asked, orders: bool) -> Request:
        wish = wish_of(ORDER, self.kinds, self.shelves[0].market, NOW)
        wishes = [wish] if orders and wish is not None else []
        taste = taste_of(self.past()._replace(wishes=wishes), NOW, SETTINGS)
        return Request(self.shelves, taste, asked)

    def _fill(self, shelf: Shelf, start: int, end: int) -> None:
        count = end - start
        ids = [f"{shelf.market}-{n}" for n in range(start, end)]
        listed_at = NOW - self.rng.integers(0, 30 * DAY_US, count)
        prices = self.rng.integers(5, 60, count)
        homes = listings(count, self.rng)
        for lead_id, home, price, at in zip(ids, homes, prices, listed_at, strict=True):
            shelf.put(lead_id, row_of(self.kinds, home, int(price), int(at)))
        # A third was looked at, held or bought lately.
        for n in range(start, end, 3):
            shelf.want(f"{shelf.market}-{n}", 1.0 + n % 5, NOW - n % 7 * DAY_US)
        shelf.put_vectors(ids, around(self.rng.integers(0, CENTRES, count), self.rng))


def listings(count: int, rng: np.random.Generator) -> list[Listing]:
    columns = (
        rng.integers(0, len(TYPES), count).tolist(),
        rng.lognormal(12.7, 0.4, count).tolist(),
        rng.lognormal(7.4, 0.3, count).tolist(),
        (CENTRE[0] + rng.normal(0, 0.12, count)).tolist(),
        (CENTRE[1] + rng.normal(0, 0.12, count)).tolist(),
        rng.uniform(0.2, 0.9, count).tolist(),
    )
    return [
        Listing(
            property_type=TYPES[kind][0],
            property_sub_type=TYPES[kind][1],
            list_price=int(list_price),
            living_area=int(area),
            latitude=latitude,
            longitude=longitude,
            quality=quality,
        )
        for kind, list_price, area, latitude, longitude, quality in zip(*columns, strict=True)
    ]


_centres = np.random.default_rng(1).standard_normal((CENTRES, DIMENSIONS)).astype(np.float32)


def around(centres: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float32]:
    found = _centres[centres] + 0.8 * rng.standard_normal((len(centres), DIMENSIONS), np.float32)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float32)


class Kind(NamedTuple):
    asked: Asked
    orders: bool = False


TYPE, NEAR = ("Residential Lease",), {"near": CENTRE, "radius_m": 8_000.0}
KINDS = {
    "no filter": Kind(Asked()),
    "a property type": Kind(Asked(property_types=TYPE)),
    "within 8 km": Kind(Asked(**NEAR)),  # type: ignore[arg-type]
    "both": Kind(Asked(property_types=TYPE, **NEAR)),  # type: ignore[arg-type]
    "a standing order": Kind(Asked(), orders=True),
}


def answer(request: Request) -> None:
    picks = recommend(request.shelves, request.taste, request.asked, LIMIT, NOW, SETTINGS)
    assert len(picks) == LIMIT


def timed(items: Iterable[Each], what: Callable[[Each], object]) -> Took:
    cpu, passed = [], []
    for item in items:
        began, used = time.perf_counter(), time.process_time()
        what(item)
        cpu.append((time.process_time() - used) * 1e3)
        passed.append((time.perf_counter() - began) * 1e3)
    return Took(sorted(cpu), sorted(passed))


def said(times: list[float]) -> str:
    p99 = times[min(len(times) - 1, int(0.99 * len(times)))]
    return f"{statistics.median(times):.1f}, p99 {p99:.1f}"


def measure(leads: int, markets: int, requests: int) -> None:
    process = psutil.Process(os.getpid())
    before = process.memory_info().rss
    used = time.process_time()
    made = Leads(leads, markets)
    filled = time.process_time() - used
    filled_mb = (process.memory_info().rss - before) / 1e6
    untended = [made.request(Asked(), orders=False) for _ in range(20)]
    waiting = timed(untended, answer)
    used = time.process_time()
    made.tend()
    tended = time.process_time() - used
    mb = (process.memory_info().rss - before) / 1e6
    print(f"\n{leads:,} leads in {markets} market{'s' if markets > 1 else ''}")
    print(
        f"  filled in {filled:.0f} s of CPU to {filled_mb:,.0f} MB, graphs in {tended:.0f} s more"
        f" to {mb:,.0f} MB; before the graphs a request takes ms CPU {said(waiting.cpu)}"
    )
    pasts = [made.past() for _ in range(requests)]
    tastes = timed(pasts, lambda past: taste_of(past, NOW, SETTINGS))
    print(f"  {'a taste':<17} ms CPU {said(tastes.cpu)}", flush=True)
    gc.freeze()
    for name, kind in KINDS.items():
        asked = [made.request(kind.asked, kind.orders) for _ in range(requests)]
        timed(asked[:10], answer)
        ours = timed(asked, answer)
        brute = comparing_all(made.shelves, asked[: max(10, requests // 20)])
        times = statistics.median(brute.cpu) / statistics.median(ours.cpu)
        print(
            f"  {name:<17} ms CPU {said(ours.cpu)}; passed {said(ours.passed)};"
            f" all vectors compared: ms CPU {statistics.median(brute.cpu):.1f} ({times:.1f} times)",
            flush=True,
        )


def comparing_all(shelves: Sequence[ComparingAll], asked: Sequence[Request]) -> Took:
    for shelf in shelves:
        size = len(shelf)
        parts = [
            shelf.vectors(np.arange(start, min(start + 20_000, size)))
            for start in range(0, size, 20_000)
        ]
        shelf.everything = np.concatenate(parts)
    try:
        return timed(asked, answer)
    finally:
        for shelf in shelves:
            shelf.everything = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--leads", type=int, nargs="+", default=[50_000, 200_000, 1_000_000])
    parser.add_argument("--markets", type=int, nargs="+", default=[1, SPLIT])
    parser.add_argument("--requests", type=int, default=300)
    options = parser.parse_args()
    if len(options.leads) == len(options.markets) == 1 and os.environ.get("OMP_NUM_THREADS"):
        measure(options.leads[0], options.markets[0], options.requests)
        return
    # Each in a process of its own: memory that was let go would be counted as free. One thread, as
    # Ray gives a replica.
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    for leads in options.leads:
        for markets in options.markets:
            own = ["--leads", str(leads), "--markets", str(markets)]
            own += ["--requests", str(options.requests)]
            command = [sys.executable, "-m", "benchmarks.models_recommend", *own]
            subprocess.run(command, env={**os.environ, **one_thread}, check=True)


if __name__ == "__main__":
    main()
