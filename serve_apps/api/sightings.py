"""Who saw which lead at this replica: signals of demand, handed to pricing in batches.

Counting costs a request a set look-up per lead. What is counted is written by a task of its
own, one statement a second; away from the database it is dropped, and the drop is counted.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import asyncpg
from prometheus_client import CollectorRegistry, Counter

from engine.adapters.postgres import demand_signals
from engine.adapters.postgres.demand_signals import KINDS, Seen
from engine.adapters.postgres.feed_journal import AWAY
from serve_apps.api.problems import describe

log = logging.getLogger(__name__)

# Seen again within this, or twice as long at most, it is the same sighting; seconds.
WINDOW_SECONDS = 900.0
# Sightings remembered for that: beyond so many, the older half is forgotten early.
REMEMBERED_MAX = 200_000
WRITE_SECONDS = 1.0
# What may wait to be written; beyond it nothing is taken.
WAITING_MAX = 20_000
IMPRESSION, VIEW = KINDS.index("impression"), KINDS.index("view")


class Sightings:
    """Counts what buyers see; `start` writes it until `stop`. `monotonic` is in seconds,
    `clock` in µs since the epoch."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        replica: str,
        registry: CollectorRegistry,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._pool = pool
        self._replica = replica
        self._monotonic = monotonic
        self._clock = clock
        # Hashes of sightings, in two generations: the younger becomes the older.
        self._young: set[int] = set()
        self._old: set[int] = set()
        self._turn_at = monotonic() + WINDOW_SECONDS
        self._waiting: dict[str, list[Seen]] = {}
        self._count = 0
        self._task: asyncio.Task[None] | None = None
        self._written = Counter(
            "aiqleads_sightings_written", "Sightings of leads handed on.", registry=registry
        )
        self._dropped = Counter(
            "aiqleads_sightings_dropped",
            "Sightings of leads lost: too many waited, or the database was away.",
            registry=registry,
        )

    def start(self) -> None:
        self._task = asyncio.create_task(self._write_for_ever(), name="sightings")

    async def stop(self) -> None:
        """Write what waits, if the database is there, and let go."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        with suppress(TimeoutError):
            async with asyncio.timeout(WRITE_SECONDS):
                await self.write()

    def in_answer(self, user_id: str, teasers: Iterable[dict[str, Any]]) -> None:
        """The buyer saw these among others."""
        for teaser in teasers:
            self._see(teaser["market"], Seen(teaser["lead_id"], user_id, IMPRESSION))

    def alone(self, user_id: str, market: str, lead_id: str) -> None:
        """The buyer looked at this one."""
        self._see(market, Seen(lead_id, user_id, VIEW))

    def _see(self, market: str, seen: Seen) -> None:
        mark = hash(seen)
        if mark in self._young or mark in self._old:
            return
        if self._count >= WAITING_MAX:
            self._dropped.inc()
            return
        if len(self._young) >= REMEMBERED_MAX // 2 or self._monotonic() >= self._turn_at:
            self._old, self._young = self._young, set()
            self._turn_at = self._monotonic() + WINDOW_SECONDS
        self._young.add(mark)
        self._waiting.setdefault(market, []).append(seen)
        self._count += 1

    async def write(self) -> None:
        """Write what waits; what can't be written is dropped."""
        waiting, self._waiting = self._waiting, {}
        count, self._count = self._count, 0
        if not count:
            return
        try:
            await demand_signals.write(self._pool, self._replica, self._clock(), waiting)
            self._written.inc(count)
        except AWAY as error:
            self._dropped.inc(count)
            log.warning("%d sightings are dropped: %s", count, type(error).__name__)

    async def _write_for_ever(self) -> None:
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            try:
                await self.write()
            except Exception as error:
                log.error("sightings could not be written\n%s", describe(error))
