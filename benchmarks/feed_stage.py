"""What the feed's benchmarks stand on: services, a writer like a book, a server, its readers."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import numpy as np
import psutil
from redis.asyncio import Redis

from benchmarks.feed_servers import MARKET
from engine.adapters.local.ports import free_port
from engine.adapters.local.postgres_server import PostgresServer, service_account, stop_postgres
from engine.adapters.local.redis_server import RedisServer, stop_redis
from engine.adapters.redis import feed_stream
from engine.market.instant import rfc3339
from migrations.migrate import upgrade
from serve_apps.api.tokens import AccessTokens

LEADS = 2_000


def lead_id(number: int) -> str:
    return f"bench-{number:010d}"


def allow_many_files() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextmanager
def environment() -> Iterator[dict[str, str]]:
    """A PostgreSQL and a Redis of our own with one market, its leads, and one account."""
    home = Path(tempfile.mkdtemp(prefix="aiqf-"))
    home.chmod(0o711)
    place = home / "postgres"
    place.mkdir(mode=0o755)
    account = service_account()
    if account is not None:
        os.chown(place, account.pw_uid, account.pw_gid)
    postgres = PostgresServer(
        place / "data", home / "postgres.log", secrets.token_urlsafe(12), durable=False
    )
    redis = RedisServer(home / "redis", home / "redis.log", secrets.token_urlsafe(12))
    try:
        postgres.create()
        database = postgres.start()
        try:
            stream = redis.start()
            try:
                postgres.create_database(database.port, "feed")
                url = postgres.url(database.port, "feed")
                upgrade(url)
                asyncio.run(_seed(url))
                yield {
                    "AIQLEADS_DATABASE_URL": url,
                    "AIQLEADS_REDIS_URL": stream.url,
                    "AIQLEADS_JWT_SECRET": secrets.token_urlsafe(32),
                    "AIQLEADS_FEED_SOCKETS_PER_USER_MAX": "100000",
                    "AIQLEADS_ACCESS_TOKEN_SECONDS": "86400",
                }
            finally:
                stop_redis(stream)
        finally:
            stop_postgres(database)
    finally:
        shutil.rmtree(home, ignore_errors=True)


async def _seed(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(
        "INSERT INTO markets (market, name, time_zone) VALUES ($1, $1, 'UTC')", MARKET
    )
    await connection.execute(
        "INSERT INTO users (user_id, email, password_hash, full_name)"
        " VALUES ('reader', 'reader@example.com', 'x', 'A Reader')"
    )
    await connection.executemany(
        "INSERT INTO lead_trading (lead_id, market, lead_state, price, max_buyers)"
        " VALUES ($1, $2, 'available', 1, 3)",
        [(lead_id(number), MARKET) for number in range(LEADS)],
    )
    await connection.close()


class Writer:
    """Commits and publishes as the book does; notes when each seq, or price, was committed."""

    def __init__(self, connection: asyncpg.Connection, redis: Redis, head: asyncpg.Record) -> None:
        self.connection = connection
        self.redis = redis
        self.seq: int = head["feed_seq"]
        self.position: int = head["position"]
        self.committed_ns: dict[int, int] = {}

    async def commit(self, commits: int, events: int) -> None:
        """So many batches of so many events, published each in an entry of its own."""
        first, at = self.seq + 1, time.time_ns() // 1000
        seqs = range(first, first + commits * events)
        self.position += len(seqs)
        texts = [_event(seq, at) for seq in seqs]
        async with self.connection.transaction():
            await self.connection.execute(
                "INSERT INTO market_events (market, position, feed_seq, at, lead_id, event, public)"
                " SELECT $1, $5::int8 - $6::int8 + n, seq, $2, 'lead', '{}', text"
                " FROM unnest($3::bigint[], $4::json[]) WITH ORDINALITY AS batch (seq, text, n)",
                *(MARKET, at, list(seqs), texts, self.position, len(seqs)),
            )
            await self._move(seqs[-1])
        committed = time.monotonic_ns()
        self.committed_ns.update(dict.fromkeys(seqs, committed))
        self.seq = seqs[-1]
        async with self.redis.pipeline(transaction=False) as pipeline:
            for start in range(0, len(seqs), events):
                text = feed_stream.json_array(texts[start : start + events])
                begin = first + start
                await feed_stream.publish(pipeline, MARKET, begin, begin + events - 1, text)
            await pipeline.execute()

    async def reprice(self, prices: dict[str, int]) -> None:
        """One tick. The prices are numbers of their own, so that each can be told again."""
        at = time.time_ns() // 1000
        self.position += 1
        async with self.connection.transaction():
            await self.connection.execute(
                "INSERT INTO price_ticks (market, position, at, reason, lead_ids, prices)"
                " VALUES ($1, $2, $3, 'demand', $4, $5)",
                *(MARKET, self.position, at, list(prices), list(prices.values())),
            )
            await self._move(self.seq)
        self.committed_ns.update(dict.fromkeys(prices.values(), time.monotonic_ns()))
        ticks = json.dumps([{"lead_id": each, "price": price} for each, price in prices.items()])
        await feed_stream.publish_prices(
            self.redis, MARKET, self.position, rfc3339(at), "demand", ticks
        )

    async def _move(self, seq: int) -> None:
        await self.connection.execute(
            "UPDATE markets SET feed_seq = $2, position = $3 WHERE market = $1",
            *(MARKET, seq, self.position),
        )


def _event(seq: int, at: int) -> str:
    lead = {
        "lead_id": secrets.token_urlsafe(16),
        "lead_state": "held",
        "price": 120,
        "max_buyers": 3,
        "seats_left": 0,
    }
    event = {"seq": seq, "type": "lead.held", "at": rfc3339(at), "lead": lead}
    return json.dumps(event, separators=(",", ":"))


class Arrived(NamedTuple):
    """What came, frame by frame: `numbers` are last seqs, or places in `texts` for prices."""

    numbers: np.ndarray
    at_ns: np.ndarray
    texts: list[str]
    lost: int
    cpu: float


class Readers:
    """The process of `benchmarks.feed_clients`."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self.process = process
        self._folder = folder

    async def said(self, word: str) -> None:
        assert self.process.stdout is not None
        line = await asyncio.to_thread(self.process.stdout.readline)
        if line != f"{word}\n":
            raise SystemExit(f"the readers said {line!r} instead of {word}")

    async def have(self, number: int) -> None:
        """Wait until every socket has the frame with this number, or its price."""
        self._tell(str(number))
        await self.said("all")

    async def end(self) -> Arrived:
        self._tell("end")
        assert self.process.stdout is not None
        told = json.loads(await asyncio.to_thread(self.process.stdout.readline))
        numbers, at_ns = (
            np.fromfile(self._folder / name, np.int64) for name in ("numbers", "at_ns")
        )
        return Arrived(numbers, at_ns, told["texts"], told["lost"], told["cpu"])

    def _tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()


class Run(NamedTuple):
    """A server that is measured, its readers, and who writes what they read."""

    server: psutil.Process
    readers: Readers
    writer: Writer
    # How much memory the server took for a socket, KiB.
    kib: float

    def cpu(self) -> float:
        times = self.server.cpu_times()
        return float(times.user + times.system)


@asynccontextmanager
async def running(
    side: str,
    base: dict[str, str],
    sockets: int,
    asked: dict[str, Any],
    *,
    slow_bytes: int = 0,
    deflate: bool = False,
) -> AsyncIterator[Run]:
    """One server with so many sockets that `asked` for something, `since` the newest event.

    With `slow_bytes` one socket more reads so few a second; with `deflate` all offer
    compression.
    """
    port = free_port()
    server = _spawn("benchmarks.feed_servers", side, str(port), environ={**os.environ, **base})
    connection = await asyncpg.connect(base["AIQLEADS_DATABASE_URL"])
    redis = Redis.from_url(base["AIQLEADS_REDIS_URL"])
    folder = Path(tempfile.mkdtemp(prefix="aiqc-"))
    clients: subprocess.Popen[str] | None = None
    try:
        await _until_answering(port, server)
        process = psutil.Process(server.pid)
        head = await connection.fetchrow(
            "SELECT feed_seq, position FROM markets WHERE market = $1", MARKET
        )
        token = AccessTokens(base["AIQLEADS_JWT_SECRET"], 86400).issue("reader", "bench")
        if asked["channel"].startswith("market:"):
            asked = {**asked, "since": head["feed_seq"]}
        before = process.memory_info().rss
        clients = _spawn(
            "benchmarks.feed_clients",
            *(str(port), token, str(sockets), json.dumps(asked), str(slow_bytes)),
            *("yes" if deflate else "no", str(folder)),
        )
        readers = Readers(clients, folder)
        await readers.said("ready")
        grown = process.memory_info().rss - before
        writer = Writer(connection, redis, head)
        yield Run(process, readers, writer, grown / sockets / 1024)
    finally:
        for child in (clients, server):
            if child is not None:
                child.kill()
                child.communicate()
        shutil.rmtree(folder, ignore_errors=True)
        await redis.aclose()
        await connection.close()


def _spawn(
    module: str, *arguments: str, environ: dict[str, str] | None = None
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


async def _until_answering(port: int, server: subprocess.Popen[str]) -> None:
    for _ in range(600):
        if server.poll() is not None:
            raise SystemExit("the server ended while it started")
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        # Its caches and first imports settle before its memory is read.
        await asyncio.sleep(1.0)
        return
    raise SystemExit("the server did not answer within 30 s")
