"""Price ticks to many sockets, conflated; and what one slow reader does to the others.

    python -m benchmarks.feed_prices [--runs 3] [--sockets 2000] [--seconds 15]

A writer commits and publishes 100 ticks a second of five leads each, as a pricing agent's
do; one API replica conflates them for `--interval` milliseconds. Shown is the time from
commit to client over every price that came to every socket. Runs with a reader that takes a
hundredth of what is sent take turns with runs without; both begin to count when such a
reader's connection is long full.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import time
from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

import numpy as np

from benchmarks.feed_servers import MARKET
from benchmarks.feed_stage import (
    LEADS,
    Arrived,
    Run,
    Writer,
    allow_many_files,
    environment,
    lead_id,
    running,
)

TICKS_PER_SECOND = 100
LEADS_PER_TICK = 5
# 500 changes a second of about 70 bytes, and a hundredth of that.
SLOW_BYTES_PER_SECOND = 350
# By then what a connection holds, about 200 KB, is full.
WARM_UP_SECONDS = 10.0


class Measured(NamedTuple):
    """One run. Times in seconds; `kib` a socket when subscribed, and after the run."""

    p50: float
    p99: float
    worst: float
    kib: float
    kib_after: float
    server_cpu: float
    client_cpu: float
    frames: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--sockets", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--interval", type=int, default=100)
    options = parser.parse_args()
    allow_many_files()
    runs: dict[str, list[Measured]] = {"without": [], "with a slow reader": []}
    with environment() as base:
        base["AIQLEADS_FEED_PRICES_INTERVAL_MS"] = str(options.interval)
        for _ in range(options.runs):
            for name, found in runs.items():
                slow = 0 if name == "without" else SLOW_BYTES_PER_SECOND
                found.append(asyncio.run(measure(base, options, slow)))
                print(f"  {name:20}{_line(found[-1])}", flush=True)
    _summary(runs)


def _line(m: Measured) -> str:
    return (
        f"p50 {m.p50 * 1000:6.1f}  p99 {m.p99 * 1000:6.1f}  worst {m.worst * 1000:6.1f} ms"
        f"   {m.kib:5.1f} KiB/socket, {m.kib_after:5.1f} after"
        f"   {m.frames:4.1f} frames/s and socket"
        f"   CPU: server {m.server_cpu:4.0%}, clients {m.client_cpu:4.0%}"
    )


def _summary(runs: dict[str, list[Measured]]) -> None:
    for name, measured in runs.items():
        tails = sorted(m.p99 * 1000 for m in measured)
        sizes = sorted(max(m.kib, m.kib_after) for m in measured)
        print(
            f"  median {name:20} p99 {statistics.median(tails):.1f} ms"
            f" ({tails[0]:.1f}-{tails[-1]:.1f}), {statistics.median(sizes):.1f} KiB/socket"
        )
    ratios = sorted(
        slow.p99 / quick.p99
        for quick, slow in zip(runs["without"], runs["with a slow reader"], strict=True)
    )
    print(
        f"  p99 with / without {statistics.median(ratios):.3f} ({ratios[0]:.3f}-{ratios[-1]:.3f})"
    )


async def measure(base: dict[str, str], options: argparse.Namespace, slow: int) -> Measured:
    asked = {"channel": f"prices:{MARKET}"}
    async with running("marketplace", base, options.sockets, asked, slow_bytes=slow) as run:
        numbers = count(2)
        before = run.server.memory_info().rss
        await _tick(run.writer, numbers, WARM_UP_SECONDS)
        first, cpu, began = next(numbers), run.cpu(), time.monotonic()
        began_ns = time.monotonic_ns()
        await _tick(run.writer, numbers, options.seconds)
        last = max(run.writer.committed_ns)
        await run.readers.have(last)
        took, server_cpu = time.monotonic() - began, run.cpu() - cpu
        grown = (run.server.memory_info().rss - before) / options.sockets / 1024
        arrived = await run.readers.end()
    if arrived.lost:
        raise SystemExit(f"{arrived.lost} sockets were lost")
    return _measured(run, arrived, first, began_ns, options.sockets, server_cpu / took, took, grown)


async def _tick(writer: Writer, numbers: Iterator[int], seconds: float) -> None:
    rng = random.Random(1)
    began = time.monotonic()
    for number in range(round(TICKS_PER_SECOND * seconds)):
        await asyncio.sleep(began + number / TICKS_PER_SECOND - time.monotonic())
        leads = rng.sample(range(LEADS), LEADS_PER_TICK)
        await writer.reprice({lead_id(lead): next(numbers) for lead in leads})


def _measured(
    run: Run,
    arrived: Arrived,
    first: int,
    began_ns: int,
    sockets: int,
    server_cpu: float,
    took: float,
    grown: float,
) -> Measured:
    delays = []
    for place, text in enumerate(arrived.texts):
        at_ns = arrived.at_ns[arrived.numbers == place]
        for tick in json.loads(text)["ticks"]:
            if tick["price"] >= first:
                delays.append(at_ns - run.writer.committed_ns[tick["price"]])
    found = np.concatenate(delays) / 1e9
    frames = int((arrived.at_ns >= began_ns).sum())
    return Measured(
        p50=float(np.quantile(found, 0.5)),
        p99=float(np.quantile(found, 0.99)),
        worst=float(found.max()),
        kib=run.kib,
        kib_after=run.kib + grown,
        server_cpu=server_cpu,
        client_cpu=arrived.cpu / (took + WARM_UP_SECONDS),
        frames=frames / sockets / took,
    )


if __name__ == "__main__":
    main()
