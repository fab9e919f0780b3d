"""The feed against a plain FastAPI `send_text` loop, same events, same sockets.

    python -m benchmarks.feed [--runs 5] [--sockets 1000] [--seconds 10] [--loads flood]

Each side is one server process, alone while it is measured; the sides take turns. A
writer commits events to the journal and publishes them on Redis as the book does; both
servers read the same stream. Shown are deliveries (one event to one socket) per CPU second
of the server, the time from commit to client, and memory per socket.
With `--deflate` the readers offer compression, as browsers and most libraries do: the loop
then compresses every message for every socket (uvicorn's default), the feed declines.

| load | what happens |
|---|---|
| `single` | events far apart: each is a frame to everybody, and a write |
| `steady` | faster than a thousand sockets want frames |
| `flood` | a hundred commits of one event at once, and again as soon as every socket has them: \
as fast as the server can. Here our side makes a frame of each event, as the loop does |
| `bursts` | ten events in one commit, as a loaded book makes them |
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from typing import NamedTuple

import numpy as np

from benchmarks.feed_servers import MARKET
from benchmarks.feed_stage import Run, allow_many_files, environment, running

SIDES = ("marketplace", "baseline")
WARM_UP_SECONDS = 1.0


class Load(NamedTuple):
    """`commits` of `events` each, `times` a second; 0: when all have the last ones."""

    name: str
    commits: int
    events: int
    times: float
    ours: str = "marketplace"


LOADS = {
    load.name: load
    for load in (
        Load("single", 1, 1, 10),
        Load("steady", 1, 1, 50),
        Load("flood", 100, 1, 0, "marketplace-single-events"),
        Load("bursts", 1, 10, 2),
    )
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
    parser.add_argument("--loads", default=",".join(LOADS))
    parser.add_argument("--deflate", action="store_true", help="readers offer compression")
    options = parser.parse_args()
    allow_many_files()
    loads = [LOADS[name] for name in options.loads.split(",")]
    with environment() as base:
        for offered in loads:
            pace = f"{offered.times:g} times/s" if offered.times else "as fast as they come"
            print(
                f"{offered.name}: {options.sockets} sockets, {offered.commits} commit(s) of"
                f" {offered.events} event(s), {pace}, {options.seconds:g} s"
            )
            runs: dict[str, list[Measured]] = {side: [] for side in SIDES}
            for _ in range(options.runs):
                for side in SIDES:
                    measured = asyncio.run(measure(side, base, offered, options))
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


async def measure(
    side: str, base: dict[str, str], offered: Load, options: argparse.Namespace
) -> Measured:
    sockets: int = options.sockets
    server = offered.ours if side == "marketplace" else side
    asked = {"channel": f"market:{MARKET}"}
    async with running(server, base, sockets, asked, deflate=options.deflate) as run:
        await _write(run, offered, WARM_UP_SECONDS)
        first, cpu, began = run.writer.seq + 1, run.cpu(), time.monotonic()
        await _write(run, offered, options.seconds)
        # A server that fell behind gets the time to send what it owes; that counts.
        await run.readers.have(run.writer.seq)
        server_cpu, took = run.cpu() - cpu, time.monotonic() - began
        arrived = await run.readers.end()
    counted = arrived.numbers >= first
    committed = np.zeros(run.writer.seq + 1, np.int64)
    committed[list(run.writer.committed_ns)] = list(run.writer.committed_ns.values())
    delays = (arrived.at_ns[counted] - committed[arrived.numbers[counted]]) / 1e9
    if arrived.lost:
        raise SystemExit(f"{arrived.lost} sockets were lost")
    return Measured(
        deliveries=(run.writer.seq - first + 1) * sockets,
        frames=len(delays),
        server_cpu=server_cpu,
        client_cpu=arrived.cpu,
        seconds=took,
        p50=float(np.quantile(delays, 0.5)),
        p99=float(np.quantile(delays, 0.99)),
        kib=run.kib,
    )


async def _write(run: Run, offered: Load, seconds: float) -> None:
    began = time.monotonic()
    number = 0
    while time.monotonic() - began < seconds:
        await run.writer.commit(offered.commits, offered.events)
        number += 1
        if offered.times:
            await asyncio.sleep(began + number / offered.times - time.monotonic())
        else:
            await run.readers.have(run.writer.seq)


if __name__ == "__main__":
    main()
