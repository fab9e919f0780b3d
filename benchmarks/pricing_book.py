"""Whether new prices slow purchases: bought beside continuous repricing, and beside none.

    python -m benchmarks.pricing_book [--runs 5] [--purchases 10000] [--slice 100] [--pause 0.02]

One book with its own PostgreSQL (durable) and Redis, no HTTP. 64 buyers buy as fast as they
are answered; beside them an agent sends one command of 2,000 new prices with their parts after
the other, each as soon as the one before is committed, or none. Runs with and without take
turns in one process. Shown are purchases per second, their p99, and prices per second; with
`--slice` and `--pause` the lane's own measures are tried out. With `--orders` so many standing
orders rest in the market on both sides, so that every new price is matched with them too.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import statistics
import time
from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

from actors import repricing_lane
from actors.client import MarketClient
from actors.lead_book import LeadBook
from benchmarks.resting_orders import rest
from benchmarks.servers import Servers, own_servers
from benchmarks.stand import MARKET, buyer_id, lead_id, seed
from engine.market import commands as c
from engine.market.answers import Bought, Done
from engine.market.plan import load_plans

BUYERS = 64
# The last so many leads, which nobody buys, are repriced round and round.
REPRICED = 20_000
PARTS_BYTES = 44
# Purchases of each run that are not counted.
WARM_UP = 1_000


class Measured(NamedTuple):
    """One run: purchases a second, their p50 and p99 in seconds, prices a second."""

    rate: float
    p50: float
    p99: float
    prices: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--purchases", type=int, default=10_000)
    parser.add_argument("--orders", type=int, default=0)
    parser.add_argument("--slice", type=int, default=repricing_lane.SLICE_LEADS)
    parser.add_argument("--pause", type=float, default=repricing_lane.BESIDE_TRADES_SECONDS)
    options = parser.parse_args()
    repricing_lane.SLICE_LEADS = options.slice
    repricing_lane.BESIDE_TRADES_SECONDS = options.pause
    asyncio.run(_compare(options))


async def _compare(options: argparse.Namespace) -> None:
    leads = 2 * (options.runs + 1) * options.purchases + REPRICED
    runs: dict[bool, list[Measured]] = {False: [], True: []}
    with own_servers() as servers:
        await seed(servers.database_url, leads)
        if options.orders:
            await rest(servers, options.orders)
        numbers = iter(range(leads - REPRICED))
        for run in range(options.runs + 1):
            for repriced, found in runs.items():
                measured = await _trade(servers, numbers, options.purchases, leads, repriced)
                # The first round warms up.
                if run:
                    found.append(measured)
                    name = "with repricing" if repriced else "without"
                    print(
                        f"{name:15} {measured.rate:8,.0f} purchases/s,"
                        f" p50 {measured.p50 * 1e3:5.1f}, p99 {measured.p99 * 1e3:6.1f} ms,"
                        f" {measured.prices:8,.0f} prices/s",
                        flush=True,
                    )
    _summary(runs[False], runs[True])


def _summary(without: list[Measured], beside: list[Measured]) -> None:
    for name in ("rate", "p50", "p99"):
        ratios = [getattr(b, name) / getattr(w, name) for b, w in zip(beside, without, strict=True)]
        medians = [statistics.median(getattr(m, name) for m in side) for side in (beside, without)]
        print(
            f"{name}: {statistics.median(ratios):.2f} of that without"
            f" ({min(ratios):.2f}-{max(ratios):.2f}); of the medians {medians[0] / medians[1]:.2f}"
        )


async def _trade(
    servers: Servers, numbers: Iterator[int], purchases: int, leads: int, repriced: bool
) -> Measured:
    book = LeadBook(MARKET, servers.database_url, servers.redis_url, load_plans())
    await book.start()
    client = MarketClient(lambda _, payload: book.submit(payload))
    left = iter(range(purchases))
    took: list[float] = []

    async def buy(buyer: int) -> None:
        for _ in left:
            began = time.perf_counter()
            command = c.Buy(lead_id(next(numbers)), buyer_id(buyer), secrets.token_hex(8))
            answer = (await client.submit(MARKET, command, request_hash=b"-")).answer
            took.append(time.perf_counter() - began)
            assert isinstance(answer, Bought), answer

    prices = [0]
    agent = asyncio.create_task(_reprice(client, leads, prices)) if repriced else None
    began = time.perf_counter()
    await asyncio.gather(*(buy(buyer) for buyer in range(BUYERS)))
    seconds = time.perf_counter() - began
    rate = prices[0] / seconds
    if agent is not None:
        agent.cancel()
        await asyncio.gather(agent, return_exceptions=True)
    await book.stop()
    # A new book's first flushes plan their statements.
    del took[:WARM_UP]
    took.sort()
    return Measured(purchases / seconds, took[len(took) // 2], took[int(len(took) * 0.99)], rate)


async def _reprice(client: MarketClient, leads: int, prices: list[int]) -> None:
    """2,000 leads after 2,000 leads, another price each round; counts the prices committed."""
    first = leads - REPRICED
    parts = (bytes(PARTS_BYTES),) * c.REPRICE_LEADS_MAX
    rounds = count()
    while True:
        # Within what standing orders pay at most, and never the price there was.
        price = 20 + next(rounds) % 40
        for start in range(first, leads, c.REPRICE_LEADS_MAX):
            ids = tuple(map(lead_id, range(start, start + c.REPRICE_LEADS_MAX)))
            command = c.Reprice(ids, (price,) * len(ids), "demand", (), parts)
            assert (await client.submit(MARKET, command)).answer == Done()
            prices[0] += len(ids)


if __name__ == "__main__":
    main()
