"""An HTTP load generator that is cheap enough not to be what is measured.

Raw asyncio protocols over keep-alive connections, requests prebuilt as bytes, answers
read by status line and Content-Length. `closed` keeps every connection busy; `paced`
offers a fixed rate and times each request from when it was due, so a server that
stalls is charged for the requests it kept waiting. The client that others use,
`aiqleads.client`, is kinder, and would be measured with the server.
"""

from __future__ import annotations

import asyncio
import resource
import time
from collections import Counter, deque
from collections.abc import Iterator
from typing import NamedTuple

import uvloop


class Result(NamedTuple):
    """`latencies` in seconds, sorted; `cpu` is the generator's own CPU seconds."""

    seconds: float
    statuses: Counter[int]
    latencies: list[float]
    cpu: float

    @property
    def rate(self) -> float:
        """Answered 2xx a second."""
        return sum(n for s, n in self.statuses.items() if 200 <= s < 300) / self.seconds

    def quantile(self, share: float) -> float:
        if not self.latencies:
            return float("nan")
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * share))]


class _Connection(asyncio.Protocol):
    def __init__(self, run: _Run) -> None:
        self.run = run
        self.buffer = b""
        self.due = 0.0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport

    def send(self, request: bytes, due: float) -> None:
        assert self.transport is not None
        self.due = due
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.buffer = buffer = self.buffer + data if self.buffer else data
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        at = buffer.lower().find(b"content-length:", 0, end)
        length = int(buffer[at + 15 : buffer.index(b"\r\n", at)]) if at >= 0 else 0
        if len(buffer) < end + 4 + length:
            return
        status = int(buffer[9:12])
        if status >= 400 and len(self.run.samples) < 3:
            self.run.samples.append(buffer[end + 4 :][:300])
        self.buffer = b""
        self.run.answered(self, status)

    def connection_lost(self, error: Exception | None) -> None:
        self.run.lost(self)


class _Run:
    def __init__(self, requests: Iterator[bytes], rate: float | None, count: int) -> None:
        self.requests = requests
        self.rate = rate
        self.left = count
        self.open = 0
        self.statuses: Counter[int] = Counter()
        self.latencies: list[float] = []
        self.samples: list[bytes] = []
        # Used in turn, so that none rests long enough for the server to close it.
        self.idle: deque[_Connection] = deque()
        self.waiting: list[float] = []
        self.waiting_from = 0
        self.done = asyncio.Event()

    def next(self, connection: _Connection) -> None:
        """Give a free connection its next request, if one is due."""
        now = time.perf_counter()
        if self.rate is None:
            if self.left <= 0:
                return self.finish(connection)
            self.left -= 1
            return self.start(connection, now)
        if self.waiting_from < len(self.waiting):
            due = self.waiting[self.waiting_from]
            self.waiting_from += 1
            return self.start(connection, due)
        if self.left <= 0:
            return self.finish(connection)
        self.idle.append(connection)

    def start(self, connection: _Connection, due: float) -> None:
        connection.send(next(self.requests), due)

    def offer(self, due: float) -> None:
        self.left -= 1
        if self.idle:
            self.start(self.idle.popleft(), due)
        else:
            self.waiting.append(due)

    def answered(self, connection: _Connection, status: int) -> None:
        self.latencies.append(time.perf_counter() - connection.due)
        self.statuses[status] += 1
        self.next(connection)

    def lost(self, connection: _Connection) -> None:
        self.statuses[0] += 1
        self.finish(connection)

    def finish(self, connection: _Connection) -> None:
        self.open -= 1
        if self.open <= 0:
            self.done.set()


def closed(
    host: str, port: int, requests: Iterator[bytes], count: int, connections: int = 64
) -> Result:
    """`count` requests, each connection sending its next when it has its answer."""
    return uvloop.run(_drive(host, port, _Run(requests, None, count), connections))


def paced(
    host: str, port: int, requests: Iterator[bytes], count: int, rate: float, connections: int = 64
) -> Result:
    """`count` requests offered at `rate` a second, whatever the server does."""
    return uvloop.run(_drive(host, port, _Run(requests, rate, count), connections))


async def _drive(host: str, port: int, run: _Run, connections: int) -> Result:
    loop = asyncio.get_running_loop()
    opened = [
        (await loop.create_connection(lambda: _Connection(run), host, port))[1]
        for _ in range(connections)
    ]
    run.open = connections
    cpu = _cpu()
    started = time.perf_counter()
    for connection in opened:
        run.next(connection)
    if run.rate is not None:
        await _offer(run, started)
        for connection in run.idle:
            run.finish(connection)
    await asyncio.wait_for(run.done.wait(), 300)
    seconds = time.perf_counter() - started
    cpu = _cpu() - cpu
    run.lost = lambda connection: None  # type: ignore[method-assign]
    for connection in opened:
        if connection.transport is not None:
            connection.transport.close()
    if any(not 200 <= status < 300 for status in run.statuses):
        print("    answers:", dict(run.statuses), run.samples[:2])
    return Result(seconds, run.statuses, sorted(run.latencies), cpu)


async def _offer(run: _Run, started: float) -> None:
    assert run.rate is not None
    offered = 0
    while run.left > 0:
        due_now = int((time.perf_counter() - started) * run.rate)
        while offered < due_now and run.left > 0:
            run.offer(started + offered / run.rate)
            offered += 1
        await asyncio.sleep(0.001)


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def request(
    method: str, path: str, token: str, body: bytes = b"", idempotency_key: str | None = None
) -> bytes:
    """One HTTP/1.1 request as it goes over the wire."""
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {token}",
        f"Content-Length: {len(body)}",
    ]
    if body:
        lines.append("Content-Type: application/json")
    if idempotency_key is not None:
        lines.append(f"Idempotency-Key: {idempotency_key}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body
