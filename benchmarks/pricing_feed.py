"""From deciding on a price to the client that reads it: through a book, its journal and the feed.

    python -m benchmarks.pricing_feed [--runs 3] [--sockets 1000] [--seconds 10] [--buyers 0]

An agent's command of five new prices, ten times a second, goes through a LeadBook (with its own
PostgreSQL, durability off, and Redis) to one API replica, which conflates for `--interval`
milliseconds, and to every socket. Counted is from before the command is submitted until the
frame with the price is read, over every price and socket. With `--buyers` so many buyers trade
as fast as they are answered meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import secrets
import statistics
import time
from itertools import count
from typing import NamedTuple

import asyncpg
import numpy as np

from actors.client import MarketClient
from actors.lead_book import LeadBook
from benchmarks.feed_servers import MARKET
from benchmarks.feed_stage import LEADS, allow_many_files, environment, lead_id, running
from engine.market import commands as c
from engine.market.answers import Done
from engine.market.plan import load_plans

TICKS_PER_SECOND = 10
LEADS_PER_TICK = 5
WARM_UP_SECONDS = 3.0
PARTS = (bytes(44),) * LEADS_PER_TICK


class Measured(NamedTuple):
    """One run; seconds."""

    commit_p99: float
    p50: float
    p99: float
    worst: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--sockets", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--interval", type=int, default=100)
    parser.add_argument("--buyers", type=int, default=0)
    options = parser.parse_args()
    allow_many_files()
    found = []
    with environment() as base:
        base["AIQLEADS_FEED_PRICES_INTERVAL_MS"] = str(options.interval)
        asyncio.run(_seed_buyers(base["AIQLEADS_DATABASE_URL"], options.buyers))
        for _ in range(options.runs):
            m = asyncio.run(_measure(base, options))
            found.append(m)
            print(
                f"  commit p99 {m.commit_p99 * 1e3:6.1f}   to client p50 {m.p50 * 1e3:6.1f}"
                f"  p99 {m.p99 * 1e3:6.1f}  worst {m.worst * 1e3:6.1f} ms",
                flush=True,
            )
    tails = sorted(m.p99 * 1e3 for m in found)
    print(f"  median p99 {statistics.median(tails):.1f} ms ({tails[0]:.1f}-{tails[-1]:.1f})")


async def _measure(base: dict[str, str], options: argparse.Namespace) -> Measured:
    book = LeadBook(MARKET, base["AIQLEADS_DATABASE_URL"], base["AIQLEADS_REDIS_URL"], load_plans())
    await book.start()
    client = MarketClient(lambda _, payload: book.submit(payload))
    asked = {"channel": f"prices:{MARKET}"}
    buying = [asyncio.create_task(_trade(client, number)) for number in range(options.buyers)]
    try:
        async with running("marketplace", base, options.sockets, asked) as run:
            # The prices are numbers of their own, so that each can be told again.
            numbers = count(time.time_ns() // 1_000_000_000 * 1_000)
            decided: dict[int, int] = {}
            commits: list[float] = []
            await _tick(client, numbers, {}, [], WARM_UP_SECONDS)
            await _tick(client, numbers, decided, commits, options.seconds)
            await run.readers.have(max(decided))
            arrived = await run.readers.end()
    finally:
        for task in buying:
            task.cancel()
        await asyncio.gather(*buying, return_exceptions=True)
        await book.stop()
    if arrived.lost:
        raise SystemExit(f"{arrived.lost} sockets were lost")
    delays = []
    for place, text in enumerate(arrived.texts):
        at_ns = arrived.at_ns[arrived.numbers == place]
        for tick in json.loads(text)["ticks"]:
            if tick["price"] in decided:
                delays.append(at_ns - decided[tick["price"]])
    found = np.concatenate(delays) / 1e9
    commits.sort()
    return Measured(
        commits[int(len(commits) * 0.99)],
        float(np.quantile(found, 0.5)),
        float(np.quantile(found, 0.99)),
        float(found.max()),
    )


async def _tick(
    client: MarketClient,
    numbers: count[int],
    decided: dict[int, int],
    commits: list[float],
    seconds: float,
) -> None:
    rng = random.Random(1)
    began = time.monotonic()
    for number in range(round(TICKS_PER_SECOND * seconds)):
        # Not in step with the feed's own intervals.
        pause = number / TICKS_PER_SECOND + rng.random() / TICKS_PER_SECOND
        await asyncio.sleep(began + pause - time.monotonic())
        leads = tuple(lead_id(lead) for lead in rng.sample(range(LEADS // 2), LEADS_PER_TICK))
        prices = tuple(next(numbers) for _ in leads)
        decided.update(dict.fromkeys(prices, time.monotonic_ns()))
        asked = time.perf_counter()
        answer = (await client.submit(MARKET, c.Reprice(leads, prices, "demand", (), PARTS))).answer
        commits.append(time.perf_counter() - asked)
        assert answer == Done(), answer


async def _trade(client: MarketClient, number: int) -> None:
    """Holds and releases of leads that are not repriced."""
    rng = random.Random(number)
    user_id = f"trader-{number}"
    while True:
        lead = lead_id(LEADS // 2 + rng.randrange(LEADS // 2))
        await client.submit(MARKET, c.Hold(lead, user_id, "15m"))
        await client.submit(MARKET, c.Release(lead, user_id))


async def _seed_buyers(url: str, buyers: int) -> None:
    async with contextlib.AsyncExitStack() as stack:
        connection = await asyncpg.connect(url)
        stack.push_async_callback(connection.close)
        for number in range(buyers):
            user_id = f"trader-{number}"
            await connection.execute(
                "INSERT INTO users (user_id, email, password_hash, full_name, plan)"
                " VALUES ($1, $2, '-', 'A Trader', 'enterprise')",
                user_id,
                f"{secrets.token_hex(6)}@example.com",
            )
            await connection.execute("INSERT INTO wallets VALUES ($1, 1000000000)", user_id)


if __name__ == "__main__":
    main()
