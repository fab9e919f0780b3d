"""The feed against a plain FastAPI `send_text` loop, same events, same sockets.

    python -m benchmarks.feed [--runs 5] [--sockets 1000] [--seconds 10]

Each side is one server process, alone while it is measured; the sides take turns. A
writer commits events to the journal and publishes them on Redis as the book does; both
servers read the same stream. Shown are deliveries (one frame with one event, to one
socket) per CPU second of the server, the time from commit to client, and memory per
socket. `single` events come far apart, so that each is a frame to everybody; `steady` ones
come faster than a thousand sockets want frames; `bursts` are ten events in one commit,
as a loaded book makes them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import asyncpg
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

SIDES = ("marketplace", "baseline")
WARM_UP_SECONDS = 1.0


class Load(NamedTuple):
    """`commits` a second of `events` each."""

    name: str
    commits: float
    events: int


LOADS = {
    load.name: load
    for load in (Load("single", 10, 1), Load("steady", 50, 1), Load("bursts", 2, 10))
}


class Measured(NamedTuple):
    """One run of one side. Times in seconds, `kib` per socket."""

    deliveries: int
    frames: int
    server_cpu: float
    client_cpu: float
    seconds: float
    p50: float
    p99: float
    kib: float

    @property
    def per_cpu_second(self) -> float:
        return self.deliveries / self.server_cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--sockets", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--loads", default="single,steady,bursts")
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    loads = [LOADS[name] for name in options.loads.split(",")]
    with environment() as base:
        for offered in loads:
            print(
                f"{offered.name}: {options.sockets} sockets, {offered.commits:g} commits/s of"
                f" {offered.events} event(s), {options.seconds:g} s"
            )
            runs: dict[str, list[Measured]] = {side: [] for side in SIDES}
            for _ in range(options.runs):
                for side in SIDES:
                    measured = asyncio.run(
                        measure(side, base, offered, options.sockets, options.seconds)
                    )
                    runs[side].append(measured)
                    print(f"  {side:12}{_line(measured)}", flush=True)
            _summary(runs)


def _line(m: Measured) -> str:
    return (
        f"{m.per_cpu_second:12,.0f} deliveries/CPU-s"
        f"{m.frames / m.server_cpu:12,.0f} frames/CPU-s"
        f"   p50 {m.p50 * 1000:7.1f} ms   p99 {m.p99 * 1000:7.1f} ms"
        f"   {m.kib:5.1f} KiB/socket"
        f"   CPU: server {m.server_cpu / m.seconds:4.0%}, clients {m.client_cpu / m.seconds:4.0%}"
    )


def _summary(runs: dict[str, list[Measured]]) -> None:
    for side, measured in runs.items():
        rates = sorted(m.per_cpu_second for m in measured)
        tails = sorted(m.p99 * 1000 for m in measured)
        sizes = sorted(m.kib for m in measured)
        print(
            f"  median {side:12} {statistics.median(rates):10,.0f} deliveries/CPU-s"
            f" ({rates[0]:,.0f}-{rates[-1]:,.0f}),"
            f" p99 {statistics.median(tails):.1f} ms ({tails[0]:.1f}-{tails[-1]:.1f}),"
            f" {statistics.median(sizes):.1f} KiB/socket ({sizes[0]:.1f}-{sizes[-1]:.1f})"
        )
    ratios = sorted(
        ours.per_cpu_second / plain.per_cpu_second
        for ours, plain in zip(runs["marketplace"], runs["baseline"], strict=True)
    )
    print(
        f"  ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})\n", flush=True
    )


@contextmanager
def environment() -> Iterator[dict[str, str]]:
    """A PostgreSQL and a Redis of our own with one market and one account."""
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
    await connection.close()


class Writer:
    """Commits and publishes as the book does; notes when each seq was committed."""

    def __init__(self, connection: asyncpg.Connection, redis: Redis, seq: int) -> None:
        self.connection = connection
        self.redis = redis
        self.seq = seq
        self.committed_ns: dict[int, int] = {}

    async def write(self, offered: Load, seconds: float) -> None:
        began = time.monotonic()
        for number in range(round(offered.commits * seconds)):
            await asyncio.sleep(began + number / offered.commits - time.monotonic())
            await self._commit(offered.events)

    async def _commit(self, count: int) -> None:
        first, at = self.seq + 1, time.time_ns() // 1000
        self.seq += count
        seqs = range(first, self.seq + 1)
        texts = [_event(seq, at) for seq in seqs]
        async with self.connection.transaction():
            await self.connection.execute(
                "INSERT INTO market_events (market, position, feed_seq, at, lead_id, event, public)"
                " SELECT $1, seq, seq, $2, 'lead', '{}', text"
                " FROM unnest($3::bigint[], $4::json[]) AS batch (seq, text)",
                MARKET,
                at,
                list(seqs),
                texts,
            )
            await self.connection.execute(
                "UPDATE markets SET feed_seq = $2, position = $2 WHERE market = $1",
                MARKET,
                self.seq,
            )
        self.committed_ns[self.seq] = committed = time.monotonic_ns()
        for seq in seqs:
            self.committed_ns[seq] = committed
        text = feed_stream.json_array(texts)
        await feed_stream.publish(self.redis, MARKET, first, self.seq, text)


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


async def measure(
    side: str, base: dict[str, str], offered: Load, sockets: int, seconds: float
) -> Measured:
    port = free_port()
    server = _spawn("benchmarks.feed_servers", side, str(port), environ={**os.environ, **base})
    connection = await asyncpg.connect(base["AIQLEADS_DATABASE_URL"])
    redis = Redis.from_url(base["AIQLEADS_REDIS_URL"])
    clients: subprocess.Popen[str] | None = None
    try:
        await _until_answering(port, server)
        process = psutil.Process(server.pid)
        seq = await connection.fetchval("SELECT feed_seq FROM markets WHERE market = $1", MARKET)
        token = AccessTokens(base["AIQLEADS_JWT_SECRET"], 86400).issue("reader", "bench")
        before = process.memory_info().rss
        clients = _spawn("benchmarks.feed_clients", str(port), token, str(sockets), str(seq))
        assert clients.stdin is not None
        assert clients.stdout is not None
        if await asyncio.to_thread(clients.stdout.readline) != "ready\n":
            raise SystemExit("the readers could not subscribe")
        grown = process.memory_info().rss - before
        writer = Writer(connection, redis, seq)
        await writer.write(offered, WARM_UP_SECONDS)
        first, cpu, began = writer.seq + 1, process.cpu_times(), time.monotonic()
        await writer.write(offered, seconds)
        clients.stdin.write(f"{writer.seq}\n")
        clients.stdin.flush()
        # A server that fell behind gets the time to send what it owes; that counts.
        await asyncio.to_thread(clients.stdout.readline)
        spent, took = process.cpu_times(), time.monotonic() - began
        arrived = json.loads(await asyncio.to_thread(clients.stdout.readline))
    finally:
        for child in (clients, server):
            if child is not None:
                child.kill()
                child.communicate()
        await redis.aclose()
        await connection.close()
    server_cpu = spent.user + spent.system - cpu.user - cpu.system
    return _measured(arrived, writer, first, sockets, server_cpu, took, grown)


def _measured(
    arrived: dict, writer: Writer, first: int, sockets: int, cpu: float, took: float, grown: int
) -> Measured:
    last: dict[int, int] = {}
    delays = []
    for seq, at_ns in zip(arrived["seqs"], arrived["at_ns"], strict=True):
        last[seq] = last.get(seq, 0) + 1
        if seq >= first:
            delays.append((at_ns - writer.committed_ns[seq]) / 1e9)
    if arrived["lost"] or last.get(writer.seq) != sockets:
        raise SystemExit(f"{arrived['lost']} sockets were lost, or events did not arrive")
    delays.sort()
    return Measured(
        deliveries=(writer.seq - first + 1) * sockets,
        frames=len(delays),
        server_cpu=cpu,
        client_cpu=arrived["cpu"],
        seconds=took,
        p50=delays[len(delays) // 2],
        p99=delays[int(len(delays) * 0.99)],
        kib=grown / sockets / 1024,
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


if __name__ == "__main__":
    main()
