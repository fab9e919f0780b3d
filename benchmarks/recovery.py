"""From `kill -9` of a book to its next committed purchase over HTTP, under load.

    python -m benchmarks.recovery [--leads 200000] [--runs 5] [--rate 200]

Purchases are offered at a fixed rate throughout, by the client that integrators use, which
sends what has no outcome again under its key. At some moment the process of the book is
killed; the time counts from there to the first purchase answered afterwards that was asked
for afterwards. Then the database is asked whether every acknowledged order is
there, none twice, and whether the feed's numbers have a gap. Beside it: how long the
same number of leads takes to load, and the same again as a row-by-row fold of a journal
of listings, which is the recovery without projections.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import statistics
import time

import asyncpg
import httpx

from aiqleads.client import AsyncClient
from aiqleads.client.answers.accounts import Tokens
from benchmarks.stand import MARKET, Side, lead_id, stand
from benchmarks.trading import Deck
from engine.adapters.postgres.audit import audit
from engine.adapters.postgres.book_store import BookStore
from engine.market.book import Book
from engine.market.events import LeadListed
from engine.market.listing import Listing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leads", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rate", type=int, default=200)
    options = parser.parse_args()
    with stand(options.leads, with_baseline=False) as stood:
        import ray

        from actors.launch import statuses

        side = stood.marketplace
        deck = Deck(options.leads)
        acknowledged: set[str] = set()
        times = []
        for _ in range(options.runs):
            status = statuses(stood.settings)[f"book:{MARKET}"]
            assert status is not None
            seconds = asyncio.run(_outage(side, deck, status["pid"], options.rate, acknowledged))
            times.append(seconds)
            print(f"  killed process {status['pid']}, serving again after {seconds:.2f} s")
        # The cluster goes down before this process does.
        ray.shutdown()
        print(
            f"{options.leads:,} leads: kill to next purchase {statistics.median(times):.2f} s"
            f" (min {min(times):.2f}, max {max(times):.2f}, {len(times)} runs)"
        )
        asyncio.run(_check(side, acknowledged))
        asyncio.run(_loads(side.database_url))


async def _outage(side: Side, deck: Deck, pid: int, rate: int, acknowledged: set[str]) -> float:
    """Offer purchases for two seconds, kill, and go on until one asked for later is answered."""
    pairs = deck.pairs()
    killed_at = 0.0
    served = asyncio.Event()
    served_at = 0.0
    waiting: set[asyncio.Task[None]] = set()

    async def buy(http: httpx.AsyncClient) -> None:
        nonlocal served_at
        lead, buyer = next(pairs)
        asked_at = time.perf_counter()
        tokens = Tokens(access_token=side.tokens[buyer], refresh_token="", expires_in=86_400)
        client = AsyncClient(str(http.base_url), http=http, tokens=tokens, trust_env=False)
        purchase = await client.buy(lead_id(lead), key=f"recovery-{lead}-{buyer}")
        acknowledged.add(purchase.orders[0].order_id)
        if killed_at and asked_at > killed_at and not served.is_set():
            served_at = time.perf_counter()
            served.set()

    limits = httpx.Limits(max_connections=500, max_keepalive_connections=500)
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{side.port}", limits=limits, trust_env=False
    ) as http:
        started = time.perf_counter()
        while not served.is_set() and time.perf_counter() - started < 30:
            task = asyncio.create_task(buy(http))
            waiting.add(task)
            task.add_done_callback(waiting.discard)
            await asyncio.sleep(1 / rate)
            if not killed_at and time.perf_counter() - started > 2:
                os.kill(pid, signal.SIGKILL)
                killed_at = time.perf_counter()
        await asyncio.gather(*waiting)
    if not served.is_set():
        raise RuntimeError("the book did not come back within 30 s")
    return served_at - killed_at


async def _check(side: Side, acknowledged: set[str]) -> None:
    connection = await asyncpg.connect(side.database_url)
    try:
        found = await connection.fetch(
            "SELECT order_id, count(*) FROM orders WHERE order_id = ANY($1) GROUP BY order_id",
            list(acknowledged),
        )
    finally:
        await connection.close()
    missing = len(acknowledged) - len(found)
    twice = sum(count > 1 for _, count in found)
    print(f"{len(acknowledged):,} orders acknowledged: {missing} missing, {twice} twice")
    for problem in await audit(side.database_url):
        print("audit:", problem)


async def _loads(database_url: str) -> None:
    store = await BookStore.connect(database_url, MARKET)
    try:
        book = Book()
        started = time.perf_counter()
        await store.load(book, 0)
        projected = time.perf_counter() - started
        leads = {lead_id_: (lead.price, lead.max_buyers) for lead_id_, lead in book.leads.items()}
        folded = Book()
        started = time.perf_counter()
        for lead_id_, (price, seats) in leads.items():
            folded.apply(LeadListed(lead_id_, price, seats, Listing()), 0)
        print(
            f"load from the projection {projected:.2f} s;"
            f" fold alone of as many listings, already read, {time.perf_counter() - started:.2f} s"
        )
    finally:
        await store.close()


if __name__ == "__main__":
    main()
