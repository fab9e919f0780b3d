"""One run of a source in a market, from its lease to what it leaves behind.

A plain object over the ports of its page flow, so that it can be driven without a cluster.
A run that breaks off, whatever the reason, is gone on with by the next one.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from typing import Any

import asyncpg
import msgspec

from actors.intake_turn import Counts
from actors.page_flow import PageFlow, Ports, RunFailed, Tally
from actors.patience import patiently
from engine.adapters.postgres import fetched_pages, runs, source_state
from engine.adapters.postgres.source_state import LEASE_SECONDS, Lease
from engine.adapters.sources.fetch_failed import FetchFailed
from engine.intake.drift import Fall, Shares, falls, pooled
from engine.intake.schedule import next_run_us, retry_us
from engine.market.instant import rfc3339, to_datetime
from engine.source_directory import Source

log = logging.getLogger(__name__)

ERROR_LENGTH_MAX = 500


class Progress(msgspec.Struct):
    """How far a run is. Of the pages `found` so far `pages` are read or as they were
    (`unchanged_pages`), `errors` failed; `records` were usable, `counts` tells what the desk
    made of them; `elsewhere` counts those that the runs of other markets take from the same
    documents; `drift` is what fell against the source's past. `skipped` says why it was not
    run."""

    source: str
    market: str
    run_id: str = ""
    found: int = 0
    pages: int = 0
    unchanged_pages: int = 0
    errors: int = 0
    records: int = 0
    counts: Counts = msgspec.field(default_factory=Counts)
    signals: int = 0
    elsewhere: int = 0
    seconds: float = 0.0
    resumed_from: str | None = None
    drift: list[Fall] = []
    finished: bool = False
    skipped: str | None = None
    error: str | None = None


def _chance() -> float:
    return secrets.randbelow(1 << 32) / (1 << 32)


class SourceRun:
    """Use once. `tasks_max` batches are read at a time; `clock` gives µs since the epoch,
    `chance` a number in [0, 1)."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        source: Source,
        market: str,
        ports: Ports,
        *,
        run_id: str | None = None,
        on_progress: Callable[[Progress], None] = lambda _: None,
        tasks_max: int = 2,
        afresh: bool = False,
        clock: Callable[[], int] = lambda: time.time_ns() // 1000,
        chance: Callable[[], float] = _chance,
    ) -> None:
        self.progress = Progress(source.name, market, run_id or secrets.token_urlsafe(12))
        self._pool = pool
        self._source = source
        self._on_progress = on_progress
        self._afresh = afresh
        self._clock = clock
        self._chance = chance
        self._begun = time.monotonic()
        self._begun_us = clock()
        self._run = (source.name, market, self.progress.run_id)
        self._flow = PageFlow(
            pool, self._run, ports, tasks_max=tasks_max, afresh=afresh, on_progress=self._tell
        )

    async def run(self) -> Progress:
        """To the end. Raises source_state.Taken when the source is being read there already;
        whatever else stops it becomes the progress's `error`."""
        self._begun_us = self._clock()
        lease = await source_state.take_lease(self._pool, *self._run)
        self.progress.resumed_from = lease.unfinished
        ended = False
        try:
            await self._under_lease(lease)
            ended = True
        except Exception as error:
            # Whatever it was, it ends this run and no other.
            cause = _first(error)
            is_known = isinstance(cause, (RunFailed, FetchFailed))
            told = str(cause) if is_known else f"{type(cause).__name__}: {cause}"
            log.warning(
                "%s %s ended: %s", *self._run[:2], told, exc_info=None if is_known else error
            )
            self.progress.error = told[:ERROR_LENGTH_MAX]
            ended = True
        finally:
            await self._end(lease, broke_off=not ended)
        return self.progress

    async def _under_lease(self, lease: Lease) -> None:
        going = asyncio.create_task(self._go_through(lease))
        holding = asyncio.create_task(self._hold_lease())
        try:
            await asyncio.wait({going, holding}, return_when=asyncio.FIRST_COMPLETED)
            if not going.done():
                await holding
            await going
        finally:
            going.cancel()
            holding.cancel()
            await asyncio.gather(going, holding, return_exceptions=True)

    async def _go_through(self, lease: Lease) -> None:
        if lease.unfinished is not None:
            source, market, run_id = self._run
            await fetched_pages.pass_on(
                self._pool, source, market, of_run=lease.unfinished, to_run=run_id
            )
        await self._flow.go_through(self._walk_from(lease))

    def _walk_from(self, lease: Lease) -> dict[str, Any]:
        """Where the fetcher begins: its place in pages of long ago is none, what it has
        synchronised to still is, and so is what makes a whole document's request conditional."""
        if lease.unfinished is not None or self._source.fetch == "reso":
            return lease.walk
        if self._afresh:
            return {}
        return {name: lease.walk[name] for name in ("etag", "last_modified") if name in lease.walk}

    async def _hold_lease(self) -> None:
        """Renew it for ever. Raises RunFailed once it is lost."""
        held_at = time.monotonic()
        while time.monotonic() - held_at < LEASE_SECONDS:
            await asyncio.sleep(LEASE_SECONDS / 6)
            asked_at = time.monotonic()
            try:
                if not await source_state.renew_lease(self._pool, *self._run, self._flow.walk):
                    raise RunFailed("another run took over: this one was silent for too long")
                await self._note_progress()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("%s %s can't renew its lease yet: %s", *self._run[:2], error)
            else:
                held_at = asked_at
        raise RunFailed(f"the database was away for over {LEASE_SECONDS:.0f} s")

    async def _end(self, lease: Lease, *, broke_off: bool) -> None:
        """Say what became of it, judge it by its past, and let go of the source."""
        drift, failures = lease.drift, lease.failures
        try:
            if self.progress.error is not None:
                failures += 1
            elif not broke_off:
                failures = 0
                drift = await patiently(lambda: self._drift(lease))
            await patiently(lambda: self._note_progress(finished=not broke_off))
            await patiently(lambda: self._let_go(drift, failures, broke_off=broke_off))
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            # The lease ends by itself, and the next run goes on with this one.
            log.error("%s %s: the end of the run can't be noted: %s", *self._run[:2], error)
            self.progress.error = self.progress.error or f"its end can't be noted: {error}"
        finally:
            self.progress.finished = True
            self._tell()

    async def _let_go(self, drift: dict[str, Any], failures: int, *, broke_off: bool) -> None:
        source, market, _ = self._run
        now_us, chance = self._clock(), self._chance()
        if self.progress.error is not None or broke_off:
            turn = retry_us(max(1, failures), self._source.every, now_us=now_us, chance=chance)
        else:
            turn = next_run_us(source, market, self._source.every, now_us=now_us, chance=chance)
        await source_state.end_lease(
            self._pool,
            *self._run,
            walk=self._flow.walk,
            next_run_at=to_datetime(turn),
            failures=failures,
            drift=drift,
            finished=self.progress.error is None and not broke_off,
        )

    async def _drift(self, lease: Lease) -> dict[str, Any]:
        """What is to be known of the source's drift after this run. A run that went on with
        another saw a part of its source only: it says nothing; nor do files of many hands."""
        if self.progress.resumed_from is not None or self._source.fetch == "uploads":
            return lease.drift
        source, market, _ = self._run
        lately, before = await runs.past_shares(self._pool, source, market, drift=lease.drift)
        since = lease.drift.get("since")
        groups = pooled([self._shares(), *lately]) if since else pooled([self._shares(), *before])
        if not groups:
            return lease.drift
        past = pooled(before) if since else groups[1:]
        found = falls(groups[0], past)
        if not found:
            if since and past and groups[0].rates().keys() >= past[0].rates().keys():
                log.warning("%s %s has recovered from its drift", source, market)
                return _without(lease.drift, "since", "falls")
            return lease.drift
        self.progress.drift = found
        told = ", ".join(f"{fall.field} was {fall.was:g}, is {fall.now:g}" for fall in found)
        log.warning("%s %s has drifted: %s", source, market, told)
        begun = rfc3339(self._begun_us)
        return {**lease.drift, "since": since or begun, "falls": msgspec.to_builtins(found)}

    def _shares(self) -> Shares:
        tally = self._flow.tally
        return Shares(
            # A source that is asked for changes only has as many pages as there were changes.
            pages=0 if self._source.fetch == "reso" else tally.found,
            read=tally.read,
            records=tally.records,
            rejected=tally.rejected,
            filled=tally.filled,
        )

    async def _note_progress(self, *, finished: bool = False) -> None:
        progress = self.progress
        counts = {
            **msgspec.structs.asdict(progress.counts),
            "signals": progress.signals,
            "elsewhere": progress.elsewhere,
            "unchanged_pages": progress.unchanged_pages,
        }
        await runs.note_progress(
            self._pool,
            progress.run_id,
            counts={name: count for name, count in counts.items() if count},
            pages=progress.pages,
            shares=self._shares() if progress.resumed_from is None else None,
            records=self._flow.tally.records,
            errors=progress.errors,
            finished=finished,
            error=progress.error,
        )

    def _tell(self) -> None:
        tally: Tally = self._flow.tally
        progress = self.progress
        progress.found, progress.records = tally.found, tally.records
        progress.pages = tally.read + tally.unchanged
        progress.unchanged_pages, progress.errors = tally.unchanged, tally.failed
        progress.signals, progress.elsewhere = tally.signals, tally.elsewhere
        progress.counts = tally.counts
        progress.seconds = round(time.monotonic() - self._begun, 3)
        self._on_progress(progress)


def _first(error: BaseException) -> BaseException:
    """The first of what went wrong at once."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _without(mapping: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if name not in names}
