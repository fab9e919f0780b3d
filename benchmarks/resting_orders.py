"""Whether standing orders slow trading: purchases beside 10,000 of them, and beside none.

    python -m benchmarks.resting_orders [--orders 10000] [--runs 5] [--purchases 10000]

One book with its own PostgreSQL (durable) and Redis, no HTTP. 64 buyers buy as fast as they
are answered while 500 leads are repriced every half second and 20 new ones listed every
second, so that leads are matched all the time: once with a market full of standing orders,
whose wishes are those of `benchmarks/standing_orders.py`, and once with none. Shown are
purchases per second and their p99; the sides take turns.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import secrets
import statistics
import time
from collections.abc import Iterator
from typing import NamedTuple

import asyncpg
import msgspec

from actors.client import MarketClient
from actors.lead_book import LeadBook
from benchmarks.servers import Servers, own_servers
from benchmarks.stand import MARKET, buyer_id, lead_id, seed
from benchmarks.standing_market import random_lead, random_order
from engine.market import commands as c
from engine.market.answers import Bought
from engine.market.plan import load_plans

BUYERS = 64
REPRICED = 500
REPRICE_SECONDS = 0.5
LISTED = 20
LIST_SECONDS = 1.0


class Measured(NamedTuple):
    """One run: purchases a second, their p99 in seconds, what standing orders bought."""

    rate: float
    p99: float
    filled: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--purchases", type=int, default=10_000)
    options = parser.parse_args()
    asyncio.run(_compare(options))


async def _compare(options: argparse.Namespace) -> None:
    leads = 2 * (options.runs + 1) * options.purchases + 20_000
    with own_servers() as servers:
        await seed(servers.database_url, leads)
        runs: dict[int, list[Measured]] = {0: [], options.orders: []}
        numbers = iter(range(leads - 20_000))
        for run in range(options.runs + 1):
            for orders in runs:
                await rest(servers, orders)
                measured = await _trade(servers, numbers, options.purchases, leads, run)
                # The first round warms up.
                if run:
                    runs[orders].append(measured)
                    print(
                        f"{orders:7,} standing orders: {measured.rate:8,.0f} purchases/s,"
                        f" p99 {measured.p99 * 1000:6.1f} ms, {measured.filled} filled",
                        flush=True,
                    )
    _summary(runs[0], runs[options.orders])


def _summary(without: list[Measured], beside: list[Measured]) -> None:
    for name, ratios in (
        ("purchases/s", [b.rate / w.rate for b, w in zip(beside, without, strict=True)]),
        ("p99", [b.p99 / w.p99 for b, w in zip(beside, without, strict=True)]),
    ):
        print(
            f"{name}: {statistics.median(ratios):.2f} of those without"
            f" ({min(ratios):.2f}-{max(ratios):.2f})"
        )


async def rest(servers: Servers, count: int) -> None:
    """Have `count` standing orders rest in the market, and no others."""
    rng = random.Random(7)
    terms = [random_order(rng) for _ in range(count)]
    connection = await asyncpg.connect(servers.database_url)
    try:
        await connection.execute("UPDATE standing_orders SET cancelled_at = 1")
        await connection.execute(
            "INSERT INTO standing_orders (standing_order_id, market, user_id, terms, revision,"
            " placed_at, changed_at) SELECT u.id, $1, u.user_id, u.terms::jsonb, 1, 1, 1"
            " FROM unnest($2::text[], $3::text[], $4::text[]) u(id, user_id, terms)",
            MARKET,
            [secrets.token_hex(8) for _ in terms],
            [buyer_id(number % 500) for number in range(count)],
            [msgspec.json.encode(each).decode() for each in terms],
        )
        await connection.execute("ANALYZE standing_orders")
    finally:
        await connection.close()


async def _trade(
    servers: Servers, numbers: Iterator[int], purchases: int, leads: int, run: int
) -> Measured:
    book = LeadBook(
        MARKET, servers.database_url, servers.redis_url, load_plans(), claim_window_us=250_000
    )
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

    background = [
        asyncio.create_task(_reprice(client, leads, run)),
        asyncio.create_task(_list(client, run)),
    ]
    began = time.perf_counter()
    await asyncio.gather(*(buy(buyer) for buyer in range(BUYERS)))
    seconds = time.perf_counter() - began
    for task in background:
        task.cancel()
    await asyncio.gather(*background, return_exceptions=True)
    filled = sum(order.bought for order in book._book.standing.orders.values())
    await book.stop()
    took.sort()
    return Measured(purchases / seconds, took[int(len(took) * 0.99)], filled)


async def _reprice(client: MarketClient, leads: int, run: int) -> None:
    """Prices of the last 20,000 leads, which nobody buys by hand, up and down."""
    rng = random.Random(run)
    while True:
        chosen = rng.sample(range(leads - 20_000, leads), REPRICED)
        prices = tuple(rng.randrange(5, 60) for _ in chosen)
        command = c.Reprice(tuple(lead_id(number) for number in chosen), prices, "demand")
        await client.submit(MARKET, command)
        await asyncio.sleep(REPRICE_SECONDS)


async def _list(client: MarketClient, run: int) -> None:
    rng = random.Random(run)
    while True:
        for _ in range(LISTED):
            lead = random_lead(rng)
            command = c.ListLead(secrets.token_hex(8), lead.price, lead.max_buyers, lead.listing)
            await client.submit(MARKET, command)
        await asyncio.sleep(LIST_SECONDS)


if __name__ == "__main__":
    main()
