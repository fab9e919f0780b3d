"""The scheduler: runs each source when it is due, or when an admin asks for it.

It sleeps until the next turn, and PostgreSQL wakes it when something changes before; so it
costs nothing while there is nothing to do. What is due stands in the database: a scheduler
that dies loses nothing but the runs under way, which are gone on with.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

import asyncpg

from actors.source_run import Progress
from engine.adapters.postgres import source_state
from engine.adapters.postgres.pool import open_pool
from engine.adapters.postgres.source_state import CHANNEL, SourceState, Taken
from engine.intake.schedule import first_run_us
from engine.market.instant import from_datetime, to_datetime
from engine.source_directory import Source

log = logging.getLogger(__name__)

RUNS_AT_ONCE = 4
# It looks again after so long even if nobody wakes it: a notice may be lost with its connection.
IDLE_SECONDS_MAX = 300.0
BLOCKED_SECONDS = 15.0
# After a start the first turns wait a little: whoever started the installation may be
# reading its sources just then.
REST_SECONDS = 60.0


class Turn(NamedTuple):
    """A source to run in a market; `run_id` is what an admin was told."""

    source: Source
    market: str
    run_id: str | None


# Runs a turn to its end; raises Taken when the source is being run already.
Runner = Callable[[asyncpg.Pool, Turn], Awaitable[Progress]]


class Scheduler:
    """`sources` are those on, by (name, market). With `keeps_time` off only what is asked for
    is run. `clock` gives µs since the epoch."""

    def __init__(
        self,
        database_url: str,
        sources: Mapping[tuple[str, str], Source],
        runner: Runner,
        *,
        keeps_time: bool = True,
        rest_seconds: float = REST_SECONDS,
        clock: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._database_url = database_url
        self._sources = sources
        self._runner = runner
        self._keeps_time = keeps_time
        self._clock = clock
        self._from_us = clock() + int(rest_seconds * 1e6)
        self._running: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._woken = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None
        self._pool: asyncpg.Pool | None = None
        self._listening: asyncpg.Connection | None = None

    async def start(self) -> None:
        """Begin to keep time. Raises OSError or asyncpg.PostgresError without a database."""
        pool = await open_pool(self._database_url, application="scheduler")
        try:
            if self._keeps_time:
                await source_state.enter(pool, self._first_turns())
        except BaseException:
            pool.terminate()
            raise
        self._pool = pool
        self._serving = asyncio.create_task(self._serve(pool))

    async def stop(self) -> None:
        """End the runs under way; they are gone on with later."""
        tasks = [*self._running.values(), *([self._serving] if self._serving else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._listening is not None:
            self._listening.terminate()
        if self._pool is not None:
            await self._pool.close()

    def running(self) -> list[str]:
        """The runs under way, as "source market"."""
        return [" ".join(key) for key in self._running]

    def _first_turns(self) -> dict[tuple[str, str], Any]:
        chance = secrets.SystemRandom().random
        return {
            key: to_datetime(
                first_run_us(*key, source.every, now_us=self._clock(), chance=chance())
            )
            for key, source in self._sources.items()
            if source.fetch != "uploads"
        }

    async def _serve(self, pool: asyncpg.Pool) -> None:
        while True:
            self._woken.clear()
            seconds = BLOCKED_SECONDS
            try:
                await self._listen()
                seconds = self._start_due(pool, await source_state.states(pool))
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("the schedule can't be read yet: %s", error)
            try:
                async with asyncio.timeout(seconds):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def _listen(self) -> None:
        """Have PostgreSQL wake us, on a connection of its own."""
        if self._listening is None or self._listening.is_closed():
            self._listening = await asyncpg.connect(self._database_url, timeout=10)
            self._listening.add_termination_listener(lambda *_: self._woken.set())
            await self._listening.add_listener(CHANNEL, lambda *_: self._woken.set())

    def _start_due(
        self, pool: asyncpg.Pool, states: Mapping[tuple[str, str], SourceState]
    ) -> float:
        """Start what is due as far as there is room; seconds until there may be more to do."""
        now_us = self._clock()
        turns = due(states, self._sources, now_us=now_us, keeps_time=self._may_start(now_us))
        blocked = False
        for turn in turns:
            # The markets of a source are run one after the other: it is one site.
            busy = {name for name, _ in self._running}
            busy |= {state.source for state in states.values() if state.running is not None}
            if turn.source.name in busy or len(self._running) >= RUNS_AT_ONCE:
                blocked = True
                continue
            key = (turn.source.name, turn.market)
            self._running[key] = asyncio.create_task(self._run(pool, turn))
        return BLOCKED_SECONDS if blocked else self._seconds_to_next(states, now_us)

    def _may_start(self, now_us: int) -> bool:
        return self._keeps_time and now_us >= self._from_us

    def _seconds_to_next(self, states: Mapping[tuple[str, str], SourceState], now_us: int) -> float:
        if not self._keeps_time:
            return IDLE_SECONDS_MAX
        turns = [
            max(from_datetime(state.next_run_at), self._from_us)
            for key, state in states.items()
            if key in self._sources
            and not state.paused
            and state.next_run_at is not None
            and key not in self._running
        ]
        following = min(turns, default=now_us + int(IDLE_SECONDS_MAX * 1e6))
        return min(max((following - now_us) / 1e6, 0.05), IDLE_SECONDS_MAX)

    async def _run(self, pool: asyncpg.Pool, turn: Turn) -> None:
        try:
            progress = await self._runner(pool, turn)
            log.info(
                "%s %s: %d pages, %d new leads%s",
                turn.source.name,
                turn.market,
                progress.pages,
                progress.counts.new,
                f"; failed: {progress.error}" if progress.error else "",
            )
        except Taken as taken:
            log.info("%s", taken)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("%s %s can't be started yet: %s", turn.source.name, turn.market, error)
            # Its turn stands in the database: it is tried again, but not at once.
            await asyncio.sleep(BLOCKED_SECONDS)
        finally:
            del self._running[turn.source.name, turn.market]
            self._woken.set()


def due(
    states: Mapping[tuple[str, str], SourceState],
    sources: Mapping[tuple[str, str], Source],
    *,
    now_us: int,
    keeps_time: bool,
) -> list[Turn]:
    """What is to be run now, what was asked for first, then the longest due first."""
    found = []
    for key, state in states.items():
        if key not in sources or state.running is not None:
            continue
        turn_us = None if state.next_run_at is None else from_datetime(state.next_run_at)
        is_due = keeps_time and not state.paused and turn_us is not None and turn_us <= now_us
        if state.asked is not None or is_due:
            turn = Turn(sources[key], state.market, state.asked)
            found.append((state.asked is None, turn_us or 0, key, turn))
    return [turn for *_, turn in sorted(found, key=lambda each: each[:3])]
