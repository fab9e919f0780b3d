"""Carts: bytes and lateness of a million timers, durable expiries and reminders a second.

    python -m benchmarks.carts [--carts 1000000] [--shards 2] [--seconds 60]
                               [--expiries 20000] [--reminders 20000] [--parts timers,durable]

`timers`: carts of one hold each in shards, one process a shard, whose first reminder falls
due within `seconds`; every one fires through the loop that a CartShard runs, into a notifier
that only notes how late it was. The other side, in the same run, is what one writes first:
a dataclass per hold in a dict per buyer, and `asyncio.call_later` for each, with a tenth of
the carts at the same rate, in as many processes.

`durable`: a real LeadBook on PostgreSQL with fsync, whose holds all end at one instant, then
ones that end evenly over ten seconds; and a real CartShard whose reminders all fall due at
one instant, until each has its row.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import multiprocessing
import random
import resource
import secrets
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import Connection
from typing import NamedTuple

from actors.cart_clock import CartClock
from benchmarks import cart_commits
from engine.market.cart import MINUTE_US, CartBook, HeldLead
from engine.market.cart_shards import shard_of
from engine.market.instant import from_datetime
from engine.market.notices import Cause

START = 1_800_000_000_000_000
REMINDERS = (10, 1)
# Buyers press hold for a quarter of an hour; the first timers fire a moment after the start.
LEAD_IN_US = 2_000_000


class Part(NamedTuple):
    """What one process did. Lateness in µs, `cpu` in seconds of it while the timers fired."""

    carts: int
    bytes_a_cart: float
    late_us: array[int]
    cpu: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--carts", type=int, default=1_000_000)
    parser.add_argument("--shards", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--expiries", type=int, default=20_000)
    parser.add_argument("--reminders", type=int, default=20_000)
    parser.add_argument("--parts", default="timers,durable")
    options = parser.parse_args()
    if "timers" in options.parts:
        print(f"{options.carts:,} carts with timers, due over {options.seconds:g} s", flush=True)
        ours = _run(_cart_shard, options.carts, options.shards, options.seconds)
        _report("carts in shards", ours, options.seconds)
        tenth = options.carts // 10
        plain = _run(_call_later, tenth, options.shards, options.seconds / 10)
        _report("call_later per cart, a tenth", plain, options.seconds / 10)
        print(
            f"  bytes a cart: {_bytes(plain) / _bytes(ours):.1f} times as many for call_later",
            flush=True,
        )
    if "durable" in options.parts:
        cart_commits.measure(options.expiries, options.reminders)


def _bytes(parts: Sequence[Part]) -> float:
    return sum(p.bytes_a_cart * p.carts for p in parts) / sum(p.carts for p in parts)


def _report(name: str, parts: Sequence[Part], seconds: float) -> None:
    late = sorted(us for part in parts for us in part.late_us)
    carts = sum(part.carts for part in parts)
    assert len(late) == carts, f"{len(late)} of {carts} fired"
    p50, p99, most = (late[int((len(late) - 1) * q)] / 1000 for q in (0.5, 0.99, 1.0))
    cpu = sum(part.cpu for part in parts)
    print(
        f"  {name}: {carts:,} in {len(parts)} processes, {_bytes(parts):,.0f} bytes a cart,"
        f" {carts / seconds:,.0f} fired/s; late p50 {p50:.1f} ms, p99 {p99:.1f} ms,"
        f" max {most:.1f} ms; {cpu / carts * 1e6:.1f} µs of CPU each",
        flush=True,
    )


def _run(
    target: Callable[[Connection, int, int, int, float], None],
    carts: int,
    shards: int,
    seconds: float,
) -> list[Part]:
    """Fill every process, then start their clocks together."""
    context = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for index in range(shards):
        here, there = context.Pipe()
        share = carts // shards + (index < carts % shards)
        process = context.Process(target=target, args=(there, index, shards, share, seconds))
        process.start()
        pipes.append(here)
        processes.append(process)
    for pipe in pipes:
        pipe.recv()
    for pipe in pipes:
        pipe.send("go")
    parts = [Part(*pipe.recv()) for pipe in pipes]
    for process in processes:
        process.join()
    return parts


def _resident() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


def _holds(index: int, shards: int, carts: int, seconds: float) -> list[tuple[str, str, int]]:
    """(buyer, lead, held_until) of carts that are this shard's."""
    rng = random.Random(index)
    found: list[tuple[str, str, int]] = []
    while len(found) < carts:
        user_id = secrets.token_urlsafe(16)
        if shard_of(user_id, shards) == index:
            first = START + LEAD_IN_US + int(rng.random() * seconds * 1e6)
            found.append((user_id, secrets.token_urlsafe(16), first + REMINDERS[0] * MINUTE_US))
    return found


def _cart_shard(pipe: Connection, index: int, shards: int, carts: int, seconds: float) -> None:
    gc.collect()
    before = _resident()
    book = CartBook(REMINDERS)
    for user_id, lead_id, until in _drain(_holds(index, shards, carts, seconds)):
        book.put(user_id, HeldLead(lead_id, "austin", 25, "15m", until), START, since=START)
    gc.collect()
    size = (_resident() - before) / carts
    # As a CartShard does once it has loaded.
    gc.freeze()
    pipe.send("ready")
    pipe.recv()
    began = time.monotonic_ns()

    def clock() -> int:
        return START + (time.monotonic_ns() - began) // 1000

    late = array("q")

    async def tell(causes: Sequence[Cause], now: int) -> None:
        # The row that a notifier writes is another measurement.
        await asyncio.sleep(0)
        told = clock()
        for cause in causes:
            until = from_datetime(datetime.fromisoformat(cause.event.body["held_until"]))
            late.append(told - until + cause.minutes * MINUTE_US)

    async def fire() -> None:
        running = asyncio.create_task(CartClock(book, tell, clock).run())
        while len(late) < carts:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        running.cancel()

    cpu = time.process_time()
    asyncio.run(fire())
    pipe.send(Part(carts, size, late, time.process_time() - cpu))


@dataclass
class PlainHold:
    user_id: str
    lead_id: str
    market: str
    price: int
    hold: str
    held_until: int
    timer: asyncio.TimerHandle | None = None


def _call_later(pipe: Connection, index: int, shards: int, carts: int, seconds: float) -> None:
    asyncio.run(_plain_timers(pipe, index, shards, carts, seconds))


async def _plain_timers(
    pipe: Connection, index: int, shards: int, carts: int, seconds: float
) -> None:
    loop = asyncio.get_running_loop()
    gc.collect()
    before = _resident()
    users: dict[str, dict[str, PlainHold]] = {}
    late = array("q")
    # Time enough to fill, as the other side needs none: its clock is its own.
    origin = loop.time() + carts * 30e-6

    def fire(hold: PlainHold) -> None:
        due = (hold.held_until - REMINDERS[0] * MINUTE_US - START) / 1e6 + origin
        late.append(int((loop.time() - due) * 1e6))

    for user_id, lead_id, until in _drain(_holds(index, shards, carts, seconds)):
        hold = PlainHold(user_id, lead_id, "austin", 25, "15m", until)
        due = (until - REMINDERS[0] * MINUTE_US - START) / 1e6 + origin
        hold.timer = loop.call_at(due, fire, hold)
        users.setdefault(user_id, {})[lead_id] = hold
    gc.collect()
    size = (_resident() - before) / carts
    pipe.send("ready")
    pipe.recv()
    cpu = time.process_time()
    while len(late) < carts:  # noqa: ASYNC110
        await asyncio.sleep(0.2)
    pipe.send(Part(carts, size, late, time.process_time() - cpu))


def _drain(holds: list[tuple[str, str, int]]):
    """Hand the holds out and let them go: what is kept of them is what is measured."""
    while holds:
        yield holds.pop()


if __name__ == "__main__":
    main()
