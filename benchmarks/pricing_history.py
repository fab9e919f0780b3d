"""What `GET /v1/leads/{id}/price` reads, in a market of many ticks.

    python -m benchmarks.pricing_history [--ticks 100000] [--leads 2000] [--per-tick 100]

A PostgreSQL of its own, ticks chained as a book writes them. Shown is the time of one read, of
leads drawn at random, and beside it in the same run the time of finding the newest prices of
a lead without the chain, by looking through the newest 5,000 ticks.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import time
from collections.abc import Awaitable, Callable

import asyncpg

from benchmarks.servers import own_servers
from benchmarks.stand import MARKET, lead_id, seed
from engine.adapters.postgres import lead_journal, lead_prices

READS = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ticks", type=int, default=100_000)
    parser.add_argument("--leads", type=int, default=2_000)
    parser.add_argument("--per-tick", type=int, default=100)
    options = parser.parse_args()
    asyncio.run(_measure(options))


async def _measure(options: argparse.Namespace) -> None:
    with own_servers() as servers:
        await seed(servers.database_url, options.leads)
        async with asyncpg.create_pool(servers.database_url, min_size=1, max_size=1) as pool:
            await _tick(pool, options)
            size = await pool.fetchval("SELECT pg_size_pretty(pg_total_relation_size($1))", TICKS)
            print(f"{options.ticks:,} ticks of {options.per_tick} leads: {size}")
            rng = random.Random(1)
            chosen = [lead_id(rng.randrange(options.leads)) for _ in range(READS)]
            found = await lead_prices.read(pool, chosen[0])
            assert found is not None
            await _report("by the chain", chosen, lambda id_: lead_prices.read(pool, id_))
            scan = [*chosen[:20]]
            await _report(
                "through the newest ticks",
                scan,
                lambda id_: lead_journal.points(pool, MARKET, id_, after=0, limit=200),
            )
            print(f"a history of {len(found.history)} prices")


TICKS = "price_ticks"


async def _tick(pool: asyncpg.Pool, options: argparse.Namespace) -> None:
    """As `BookStore.write_ticks` and `write` would; in blocks, so that it takes seconds."""
    leads = options.leads
    newest = [None] * leads
    rng = random.Random(2)
    columns = ["market", "position", "at", "reason", "lead_ids", "prices", "parts", "before"]
    for start in range(0, options.ticks, 1_000):
        rows = []
        for position in range(start + 1, min(start + 1_000, options.ticks) + 1):
            chosen = rng.sample(range(leads), options.per_tick)
            before = [newest[each] for each in chosen]
            for each in chosen:
                newest[each] = position  # type: ignore[call-overload]
            ids = [lead_id(each) for each in chosen]
            parts = [rng.randbytes(44) for _ in chosen]
            prices = [rng.randrange(5, 90) for _ in chosen]
            rows.append((MARKET, position, position, "demand", ids, prices, parts, before))
        async with pool.acquire() as connection:
            await connection.copy_records_to_table(TICKS, records=rows, columns=columns)
    await pool.execute(
        "UPDATE lead_trading t SET tick_position = u.position"
        " FROM unnest($1::text[], $2::int8[]) u(lead_id, position) WHERE t.lead_id = u.lead_id",
        [lead_id(each) for each in range(leads)],
        newest,
    )
    await pool.execute("ANALYZE price_ticks, lead_trading")


async def _report(name: str, lead_ids: list[str], read: Callable[[str], Awaitable[object]]) -> None:
    took = []
    for id_ in lead_ids:
        began = time.perf_counter()
        await read(id_)
        took.append((time.perf_counter() - began) * 1e3)
    took.sort()
    print(
        f"{name}: median {statistics.median(took):.2f} ms, p99 {took[int(len(took) * 0.99)]:.2f} ms"
    )


if __name__ == "__main__":
    main()
