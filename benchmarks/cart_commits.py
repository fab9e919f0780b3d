"""The durable side of `benchmarks/carts`: a real book's expiries, a real shard's reminders."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from actors.cart_shard import CartShard
from actors.lead_book import LeadBook
from engine.adapters.local.postgres_server import PostgresServer, service_account, stop_postgres
from engine.adapters.local.redis_server import RedisServer, stop_redis
from engine.market.plan import load_plans
from migrations.migrate import upgrade

MARKET = "austin"
BUYERS = 2_000
SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
STREAM_SECONDS = 10
# From seeding to the first deadline: what loading takes, and more.
LEAD_IN_US = 8 * SECOND_US
_EXPIRED = "event->>'type' = 'released' AND event->>'reason' = 'expired'"


def measure(expiries: int, reminders: int) -> None:
    """Print the rates."""
    with _servers() as (fresh, redis_url):
        print(f"{expiries:,} durable expiries of one book, PostgreSQL with fsync", flush=True)
        asyncio.run(_expiries(fresh(), redis_url, expiries, 0))
        asyncio.run(_expiries(fresh(), redis_url, expiries, STREAM_SECONDS))
        print(f"{reminders:,} durable reminders of one shard", flush=True)
        asyncio.run(_reminders(fresh(), redis_url, reminders))


@contextmanager
def _servers() -> Iterator[tuple]:
    """A PostgreSQL and a Redis of our own: (a maker of migrated databases, Redis URL)."""
    home = Path(tempfile.mkdtemp(prefix="aiqc-"))
    home.chmod(0o711)
    place = home / "postgres"
    place.mkdir(mode=0o755)
    account = service_account()
    if account is not None:
        os.chown(place, account.pw_uid, account.pw_gid)
    postgres = PostgresServer(place / "data", home / "postgres.log", secrets.token_urlsafe(12))
    redis = RedisServer(home / "redis", home / "redis.log", secrets.token_urlsafe(12))
    try:
        postgres.create()
        database = postgres.start()
        stream = redis.start()

        def fresh() -> str:
            name = f"carts_{secrets.token_hex(4)}"
            postgres.create_database(database.port, name)
            upgrade(postgres.url(database.port, name))
            return postgres.url(database.port, name)

        try:
            yield fresh, stream.url
        finally:
            stop_redis(stream)
            stop_postgres(database)
    finally:
        shutil.rmtree(home, ignore_errors=True)


async def _seed(url: str, holds: int, first: int, spread_us: int, held_at: int) -> None:
    """Leads of one seat, each held; the holds end evenly from `first` over `spread_us`."""
    connection = await asyncpg.connect(url, command_timeout=300)
    try:
        await connection.execute("INSERT INTO markets VALUES ($1, 'Austin', 'UTC')", MARKET)
        await connection.execute(
            "INSERT INTO users (user_id, email, password_hash, full_name, plan)"
            " SELECT 'buyer-' || n, 'buyer' || n || '@example.com', '-', 'Buyer', 'enterprise'"
            " FROM generate_series(0, $1::int - 1) n",
            BUYERS,
        )
        await connection.execute("INSERT INTO wallets SELECT user_id, 1000 FROM users")
        await connection.execute(
            "INSERT INTO leads (lead_id, market, listed_at, updated_at, quality, sources, city)"
            " SELECT 'lead-' || n, $2, now(), now(), 0.5, '{bench}', 'Austin'"
            " FROM generate_series(0, $1::int - 1) n",
            holds,
            MARKET,
        )
        await connection.execute(
            "INSERT INTO lead_trading (lead_id, market, lead_state, price, max_buyers, held)"
            " SELECT lead_id, market, 'held', 10, 1, 1 FROM leads"
        )
        await connection.execute(
            "INSERT INTO seats (lead_id, seat, market, user_id, max_buyers, price, hold,"
            " first_held_at, held_at, held_until, forget_after)"
            " SELECT 'lead-' || n, 1, $2, 'buyer-' || n % $3, 1, 10, '15m', $4, $4,"
            " $5::int8 + n * $6::int8 / $1::int, 604800000000"
            " FROM generate_series(0, $1::int - 1) n",
            holds,
            MARKET,
            BUYERS,
            held_at,
            first,
            spread_us,
        )
        await connection.execute(
            "INSERT INTO hold_counts (user_id, market, live_holds, held_value)"
            " SELECT user_id, market, count(*), sum(price) FROM seats GROUP BY user_id, market"
        )
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


async def _expiries(url: str, redis_url: str, holds: int, spread_seconds: int) -> None:
    first = time.time_ns() // 1000 + LEAD_IN_US
    await _seed(url, holds, first, spread_seconds * SECOND_US, first - 15 * MINUTE_US)
    book = LeadBook(MARKET, url, redis_url, load_plans())
    await book.start()
    assert time.time_ns() // 1000 < first, "loading took longer than the lead-in"
    flushes = book.stats()["flushes"]
    while book.stats()["position"] < holds:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    took = time.time_ns() / 1e9 - first / 1e6
    flushes = book.stats()["flushes"] - flushes
    await book.stop()
    if spread_seconds == 0:
        print(
            f"  all at one instant: {holds / took:,.0f}/s, committed within {took:.2f} s,"
            f" {flushes} flushes",
            flush=True,
        )
        return
    connection = await asyncpg.connect(url)
    try:
        # The instant at which each was decided against the deadline in the order they were due.
        late = await connection.fetchrow(
            "SELECT percentile_disc(ARRAY[0.5, 0.99, 1.0]) WITHIN GROUP (ORDER BY e.at - u.until)"
            f" FROM (SELECT at, lead_id FROM market_events WHERE {_EXPIRED}) e"
            " JOIN (SELECT lead_id, forget_at - 604800000000 AS until FROM past_holds) u"
            " USING (lead_id)"
        )
    finally:
        await connection.close()
    p50, p99, most = (each / 1000 for each in late[0])
    print(
        f"  evenly over {spread_seconds} s: {holds / spread_seconds:,.0f}/s offered, the last"
        f" committed {took - spread_seconds:.2f} s after its deadline, {flushes} flushes; decided"
        f" late p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {most:.1f} ms",
        flush=True,
    )


async def _reminders(url: str, redis_url: str, reminders: int) -> None:
    due = time.time_ns() // 1000 + LEAD_IN_US
    await _seed(url, reminders, due + 10 * MINUTE_US, 0, due - 5 * MINUTE_US)
    shard = CartShard(0, 1, url, redis_url, (10, 1))
    began = time.perf_counter()
    await shard.start()
    loaded = time.perf_counter() - began
    assert time.time_ns() // 1000 < due, "loading took longer than the lead-in"
    while shard.stats()["told"] < reminders:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    took = time.time_ns() / 1e9 - due / 1e6
    await shard.stop()
    print(
        f"  all at one instant: {reminders / took:,.0f}/s looked up, written and published,"
        f" {took:.2f} s; loading them took {loaded:.2f} s",
        flush=True,
    )
