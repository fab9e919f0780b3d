"""Pages on their way through a run: found, read, taken by the desk, and noted as read.

Everything is bounded: batches that are read at a time, readings that wait for the desk,
tries, and failures in a row. A page counts as read only when its records are taken.
"""

from __future__ import annotations

import asyncio
import copy
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, Protocol

import asyncpg
import msgspec

from actors.intake_turn import Counts
from actors.page_tasks import Batch, Reading
from actors.patience import patiently
from engine.adapters.postgres import fetched_pages, runs
from engine.adapters.postgres.runs import PageFailure
from engine.adapters.sources.fetch_failed import FetchFailed

log = logging.getLogger(__name__)

PAGES_PER_TASK = 60
TAKES_UNDER_WAY_MAX = 6
TRIES_MAX = 3
# A site that fails so often in a row is left alone until its next turn.
FAILURES_IN_A_ROW_MAX = 50


class TaskLost(Exception):
    """The task that read a batch ended before its time."""


class DeskRefused(Exception):
    """The desk can't take these records, now or later."""


class RunFailed(Exception):
    """The run can't go on, for the reason it says."""


class Ports(Protocol):
    """What a run works with: `discover` finds batches, `read` reads one (TaskLost), `take` has
    the desk take what was read (DeskRefused; RunFailed when the desk stays away)."""

    def discover(self, walk: dict[str, Any]) -> AsyncGenerator[Batch]: ...

    def read(self, batch: Batch) -> AsyncGenerator[tuple[Any, Reading]]: ...

    async def take(self, payload: Any) -> Counts: ...


class Tally(msgspec.Struct):
    """What a run has brought: pages found, read through, as they were and failed, and what
    became of the records."""

    found: int = 0
    read: int = 0
    unchanged: int = 0
    failed: int = 0
    records: int = 0
    rejected: int = 0
    elsewhere: int = 0
    signals: int = 0
    filled: dict[str, int] = {}
    counts: Counts = msgspec.field(default_factory=Counts)

    def add(self, reading: Reading) -> None:
        self.read += len(reading.pages)
        self.unchanged += len(reading.unchanged)
        self.failed += len(reading.failed)
        for name in ("records", "rejected", "elsewhere", "signals"):
            setattr(self, name, getattr(self, name) + getattr(reading, name))
        for name, count in reading.filled.items():
            self.filled[name] = self.filled.get(name, 0) + count


class _Step(msgspec.Struct):
    """Where the fetcher stood after a batch, of which `open` parts are not taken yet."""

    walk: dict[str, Any]
    open: int


class PageFlow:
    """The pages of one run. `afresh` asks for every page as if it were new."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        run: tuple[str, str, str],
        ports: Ports,
        *,
        tasks_max: int,
        afresh: bool,
        on_progress: Callable[[], None],
    ) -> None:
        self._pool = pool
        self._source, self._market, self._run_id = run
        self._ports = ports
        self._afresh = afresh
        self._on_progress = on_progress
        self._tasks = asyncio.Semaphore(tasks_max)
        self._takes = asyncio.Semaphore(TAKES_UNDER_WAY_MAX)
        self._failed_in_a_row = 0
        self._steps: deque[_Step] = deque()
        self.tally = Tally()
        # Where a run that breaks off now is gone on with.
        self.walk: dict[str, Any] = {}

    async def go_through(self, walk: dict[str, Any]) -> None:
        """Everything there is from `walk` on. Raises RunFailed or FetchFailed, the latter
        when all that was found before is taken; anything else in an ExceptionGroup."""
        self.walk = copy.deepcopy(walk)
        failure: FetchFailed | None = None
        async with asyncio.TaskGroup() as group:
            try:
                async with aclosing(self._ports.discover(walk)) as batches:
                    async for batch in batches:
                        await self._start(group, batch, walk)
            except FetchFailed as error:
                failure = error
        self.walk = walk
        if failure is not None:
            raise failure

    async def _start(self, group: asyncio.TaskGroup, batch: Batch, walk: dict[str, Any]) -> None:
        """Have what was found read in parts, waiting while enough is under way."""
        self.tally.found += len(batch)
        step = _Step(copy.deepcopy(walk), 1)
        self._steps.append(step)
        for part in _parts(batch):
            asked = await self._asked(part)
            if len(asked):
                step.open += 1
                await self._tasks.acquire()
                group.create_task(self._read_part(asked, step))
        self._close(step)

    async def _asked(self, part: Batch) -> Batch:
        """What this run has not read of it, each page with the copy that is known."""
        if not part.addresses:
            return part
        urls = part.urls()
        run = (self._source, self._market, self._run_id)
        done = await patiently(lambda: fetched_pages.pages_of_run(self._pool, *run, urls))
        left = part.without(done)
        if self._afresh:
            return left
        known = await patiently(lambda: fetched_pages.known_pages(self._pool, *run[:2], urls))
        return Batch(
            addresses=tuple(
                msgspec.structs.replace(each, etag=page.etag, last_modified=page.last_modified)
                if (page := known.get(each.url)) is not None
                else each
                for each in left.addresses
            )
        )

    async def _read_part(self, part: Batch, step: _Step) -> None:
        try:
            async with asyncio.TaskGroup() as takes:
                lost = await self._read(part, takes)
        finally:
            self._tasks.release()
        if lost:
            await self._note(Reading(failed=lost))
        self._close(step)

    async def _read(self, part: Batch, takes: asyncio.TaskGroup) -> list[PageFailure]:
        """Have it read, again where its task was lost; what was lost every time."""
        is_fetched, why = bool(part.addresses), ""
        for _ in range(TRIES_MAX):
            try:
                async with aclosing(self._ports.read(part)) as readings:
                    async for payload, reading in readings:
                        part = part.without(_urls_of(reading))
                        await self._takes.acquire()
                        takes.create_task(self._take(payload, reading, is_fetched))
                return []
            except TaskLost as lost:
                why = str(lost)
                log.warning("%s %s: a task was lost: %s", self._source, self._market, why)
        return [PageFailure(url, "task-lost", why) for url in part.urls()]

    async def _take(self, payload: Any, reading: Reading, is_fetched: bool) -> None:
        try:
            if reading.records or reading.rejected:
                self.tally.counts.add(await self._ports.take(payload))
        except DeskRefused as refused:
            urls: list[str | None] = [page.url for page in reading.pages]
            failed = [PageFailure(url, "desk-refused", str(refused)) for url in urls or [None]]
            reading = Reading(unchanged=reading.unchanged, failed=reading.failed + failed)
        finally:
            self._takes.release()
        await self._note(reading, is_fetched)

    async def _note(self, reading: Reading, is_fetched: bool = True) -> None:
        """Keep what became of these pages; documents that came whole have no page to know."""
        run = (self._source, self._market, self._run_id)
        if reading.pages and is_fetched:
            await patiently(lambda: fetched_pages.note_pages(self._pool, *run, reading.pages))
        if reading.unchanged:
            await patiently(
                lambda: fetched_pages.note_unchanged(self._pool, *run, reading.unchanged)
            )
        failed_before = self.tally.failed
        self.tally.add(reading)
        if reading.pages or reading.unchanged:
            self._failed_in_a_row = 0
        if reading.failed:
            await self._note_failed(reading.failed, failed_before)
        self._on_progress()

    async def _note_failed(self, failed: list[PageFailure], before: int) -> None:
        self._failed_in_a_row += len(failed)
        await patiently(lambda: runs.note_errors(self._pool, self._run_id, failed, before=before))
        if self._failed_in_a_row >= FAILURES_IN_A_ROW_MAX:
            last = failed[-1]
            raise RunFailed(
                f"{self._failed_in_a_row} pages in a row failed; the last, {last.url}:"
                f" {last.reason}: {last.detail}"
            )

    def _close(self, step: _Step) -> None:
        """One part of a step is through; pass every step that now is, in their order."""
        step.open -= 1
        while self._steps and self._steps[0].open == 0:
            self.walk = self._steps.popleft().walk


def _parts(batch: Batch) -> list[Batch]:
    """It in the sizes of tasks: a document that came whole is one."""
    starts = range(0, len(batch.addresses), PAGES_PER_TASK)
    return [
        *(Batch(documents=(document,)) for document in batch.documents),
        *(Batch(batch.addresses[start : start + PAGES_PER_TASK]) for start in starts),
    ]


def _urls_of(reading: Reading) -> set[str]:
    """The pages it says something of."""
    failed = {page.url for page in reading.failed if page.url is not None}
    return failed | {page.url for page in reading.pages} | set(reading.unchanged)
