"""Milliseconds to price a whole market, in columns and lead by lead.

    python -m benchmarks.pricing [--policy NAME] [--runs 5]

For 100,000 and 1,000,000 leads on offer: one scheduled pass that looks up every lead's
multipliers, makes its price of them, applies floors, ceilings, steps and commitments, and finds
what changed. In a calm pass few prices change, in a storm all of them do and every one gets its
parts written. Beside it, in the same run, the same arithmetic in a Python loop over one object
a lead, with the multipliers of the `decay` policy, whose formula is the shortest.
"""

from __future__ import annotations

import argparse
import gc
import math
import resource
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from engine.market.listing import Listing
from engine.market.pricing import policies
from engine.market.pricing.decay import HALF_LIFE_HOURS
from engine.market.pricing.market_prices import MarketPrices
from engine.market.pricing.parts import CREDIT, HOUR_US, ONE, PriceParts, price_of
from engine.market.pricing.repricing import Arm, changes
from engine.market.pricing.segments import Segments

START = 1_800_000_000_000_000
SIZES = (100_000, 1_000_000)
CELLS = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policy", choices=policies.names(), default=policies.DEFAULT)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    for size in SIZES:
        gc.collect()
        before = _resident()
        prices = _market(size, options.policy)
        print(f"{size:,} leads, {(_resident() - before) / size:,.0f} bytes a lead (RSS)")
        _compare(prices, options.runs)


def _compare(prices: MarketPrices, runs: int) -> None:
    leads = _objects(prices)
    calm, storm, loop = [], [], []
    for run in range(runs + 1):
        now = START + (1 + run) * HOUR_US
        settled = _timed(lambda: _settle(prices, now))  # noqa: B023  (called at once)
        times = (
            _timed(lambda: _pass(prices, now)),  # noqa: B023
            settled,
            _timed(lambda: _loop(leads, now)),  # noqa: B023
        )
        # The first is a warm-up.
        if run:
            for into, took in zip((calm, storm, loop), times, strict=True):
                into.append(took)
    for name, took in (("calm pass", calm), ("all change", storm), ("Python loop", loop)):
        print(
            f"  {name}: {statistics.median(took):,.1f} ms CPU"
            f" (min {min(took):,.1f}, max {max(took):,.1f}, {len(took)} runs)"
        )
    ratio = statistics.median(loop) / statistics.median(calm)
    print(f"  ratio of medians, loop to calm pass: {ratio:.0f}")


def _timed(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return (time.process_time() - started) * 1_000


def _resident() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


def _market(size: int, policy: str) -> MarketPrices:
    """A market in which everything is on offer, one cell after the other."""
    segments = Segments()
    prices = MarketPrices(
        segments, [Arm(policies.number_of(policy), policies.make(policy, segments))]
    )
    rng = np.random.default_rng(1)
    numbers = [
        segments.of(Listing(list_price=300_000, latitude=30 + cell / 50, longitude=-97.7))
        for cell in range(CELLS)
    ]
    columns = prices.columns
    for number in range(size):
        columns.add(f"{number:016x}")
    columns.base[:size] = rng.integers(5 * CREDIT, 120 * CREDIT, size)
    columns.segment[:size] = rng.choice(numbers, size)
    columns.max_buyers[:size] = rng.choice([1, 3], size)
    columns.listed_at[:size] = START - rng.integers(0, 30 * 24 * HOUR_US, size)
    columns.is_offered[:size] = True
    columns.price[:size] = columns.base[:size] // CREDIT
    prices.learn(START)
    prices.arms[0].policy.decide(START, rng)
    return prices


def _pass(prices: MarketPrices, now: int) -> int:
    found = changes(prices.columns, prices.columns.offered(), prices.arms, prices.rails, now)
    return len(found.rows)


def _settle(prices: MarketPrices, now: int) -> int:
    """A pass in which every price is far off, so that all of them change."""
    columns, size = prices.columns, len(prices.columns)
    columns.price[:size] = np.maximum(1, columns.base[:size] * 2 // CREDIT)
    columns.committed_at[:size] = 0
    columns.changed_at[:size] = 0
    rows = columns.offered()
    found = changes(columns, rows, prices.arms, prices.rails, now)
    columns.price[found.rows] = found.prices
    columns.changed_at[found.rows] = now
    columns.committed[found.rows] = found.parts.committed
    columns.committed_at[found.rows] = found.parts.committed_at
    columns.rate[found.rows] = found.parts.rate
    return len(found.rows)


class _Lead(NamedTuple):
    base: int
    price: int
    listed_at: int


def _objects(prices: MarketPrices) -> list[_Lead]:
    columns, size = prices.columns, len(prices.columns)
    rows = (columns.base[:size], columns.price[:size], columns.listed_at[:size])
    return [_Lead(*row) for row in zip(*(column.tolist() for column in rows), strict=True)]


def _loop(leads: list[_Lead], now: int) -> int:
    """The same arithmetic, one lead after the other."""
    rate, changed = math.log(2) / HALF_LIFE_HOURS, 0
    for base, previous, listed_at in leads:
        age = round(ONE * math.exp(-rate * (now - listed_at) / HOUR_US))
        parts = PriceParts(
            2,
            base,
            age=age,
            previous=previous,
            step=max(1, previous // 10),
            floor=max(5, base * 150 // 1_000_000),
            ceiling=min(500, -(-base * 3_000 // 1_000_000)),
        )
        price = price_of(parts)
        changed += abs(price - previous) * 50 >= previous > 0
    return changed


if __name__ == "__main__":
    main()
