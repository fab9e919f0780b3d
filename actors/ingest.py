"""Runs of sources on the cluster: pages read by Ray tasks, taken by the markets' desks."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import asyncpg
import msgspec
import ray
from ray.exceptions import RayError, RayTaskError

from actors.client import BookBusy, BookUnavailable
from actors.cluster import NAMESPACE, connect
from actors.intake_turn import Counts
from actors.page_flow import DeskRefused, RunFailed, TaskLost
from actors.page_tasks import Batch, Reading, read_pages
from actors.source_run import Progress, SourceRun
from engine.adapters.postgres import uploads
from engine.adapters.postgres.known_listings import known_listings
from engine.adapters.postgres.pool import open_pool
from engine.adapters.postgres.source_state import Taken
from engine.adapters.sources.fetchers import client_for, discover, start_address, why_off
from engine.adapters.sources.parsers import open_parsers
from engine.intake.document import Document
from engine.market_directory import load_markets
from engine.settings import Settings
from engine.source_directory import Source, load_sources

__all__ = ["Progress", "reasons_off", "run_ingest", "run_source", "sources_on"]

log = logging.getLogger(__name__)

# Sources that are read at the same time; the markets of one follow one another.
SOURCES_AT_ONCE = 4
# A task mostly waits for its site, so three share a CPU. A run has two at a time, so that one
# reads while the next begins, or more on a larger cluster: never all that there is room for.
CPUS_PER_TASK = 0.33
TASKS_MAX = 32
DESK_PATIENCE_SECONDS = 120.0
POOL_SIZE_MAX = 8

_AWAY = (BookBusy, BookUnavailable, OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
_decode_counts = msgspec.msgpack.Decoder(Counts).decode


class RayPorts:
    """The ports of a run's page flow: a fetcher, Ray tasks over all nodes, the market's desk."""

    def __init__(self, settings: Settings, pool: asyncpg.Pool, source: Source, market: str) -> None:
        self._settings = settings
        self._pool = pool
        self._source = source
        self._market = market
        self._task: Any = ray.remote(
            num_cpus=CPUS_PER_TASK,
            max_retries=0,
            num_returns="streaming",
            scheduling_strategy="SPREAD",
        )(read_pages)
        self._desk: Any = None
        self._tokens_left = settings.repair_tokens_per_run
        self.upload_ids: list[str] = []

    async def discover(self, walk: dict[str, Any]) -> AsyncGenerator[Batch]:
        if self._source.fetch == "uploads":
            async for upload_id, document in uploads.approved(self._pool, self._market):
                self.upload_ids.append(upload_id)
                yield Batch(documents=(document,))
            return
        base = start_address(self._source, self._market, self._settings)
        if base is None:
            raise RunFailed(str(why_off(self._source, self._market, self._settings)))
        if self._source.parser not in (known := open_parsers(self._settings)):
            raise RunFailed(f"no parser {self._source.parser!r}; there are: {', '.join(known)}")
        async with client_for(self._source, self._settings) as client:
            found = discover(
                self._source,
                self._market,
                client,
                base=base,
                checkpoint=walk,
                known=lambda: known_listings(self._pool, self._source.name, self._market),
            )
            async for batch in found:
                documents = tuple(each for each in batch if isinstance(each, Document))
                addresses = tuple(each for each in batch if not isinstance(each, Document))
                yield Batch(addresses, documents)

    async def read(self, batch: Batch) -> AsyncGenerator[tuple[Any, Reading]]:
        """Payloads stay where they were made: only what is told of them comes here."""
        # What a task leaves of its part of the budget comes back; a lost one has spent it.
        tokens = self._tokens_left // 2
        self._tokens_left -= tokens
        stream = self._task.remote(self._settings, self._source, self._market, batch, tokens)
        ended = False
        try:
            async for payload in stream:
                reading = await (await anext(stream))
                tokens -= reading.tokens
                yield payload, reading
            ended = True
            self._tokens_left += tokens
        except (RayError, StopAsyncIteration) as error:
            ended = True
            raise TaskLost(f"{type(error).__name__}: {str(error)[:500]}") from error
        finally:
            if not ended:
                ray.cancel(stream)

    async def take(self, payload: Any) -> Counts:
        give_up_at, pause = time.monotonic() + DESK_PATIENCE_SECONDS, 0.5
        while True:
            try:
                if self._desk is None:
                    # Asks the cluster's head and waits for it: not in the event loop.
                    self._desk = await asyncio.to_thread(
                        ray.get_actor, f"desk:{self._market}", NAMESPACE
                    )
                return _decode_counts(await self._desk.take_encoded.remote(payload))
            except (RayError, ValueError) as error:
                # ValueError is Ray's word for "no actor of this name".
                if isinstance(error, RayTaskError) and not isinstance(error.cause, _AWAY):
                    raise DeskRefused(repr(error.cause)[:500]) from error
                self._desk = None
                if time.monotonic() + pause > give_up_at:
                    raise RunFailed(f"the {self._market} desk is away: {error}"[:500]) from error
            await asyncio.sleep(pause)
            pause = min(2 * pause, 8.0)


async def run_source(
    settings: Settings,
    pool: asyncpg.Pool,
    source: Source,
    market: str,
    *,
    run_id: str | None = None,
    afresh: bool = False,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Progress:
    """Run a source in a market now, to the end. Raises Taken if it is being run already.

    The process must have joined the cluster. `afresh` reads unchanged pages again.
    """
    cpus = int(ray.cluster_resources().get("CPU", 1))
    ports = RayPorts(settings, pool, source, market)
    progress = await SourceRun(
        pool,
        source,
        market,
        ports,
        run_id=run_id,
        on_progress=on_progress,
        tasks_max=max(2, min(cpus // 2, TASKS_MAX)),
        afresh=afresh,
    ).run()
    if ports.upload_ids and progress.error is None:
        await uploads.note_taken(pool, ports.upload_ids, progress.run_id)
    return progress


def run_ingest(
    settings: Settings,
    source: str,
    market: str | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
    *,
    afresh: bool = False,
) -> list[Progress]:
    """Run `source` ("all" for every one that is on) for `market` (None for all), to the end.

    One Progress per source and market; one that failed has its `error` and does not stop
    the others. With "all" a source that is being run by somebody else is `skipped`. Raises
    ValueError naming an unknown source or market, or why the source is off.
    """
    chosen = choose(settings, source, market)
    connect(settings)
    return asyncio.run(_run_all(settings, chosen, on_progress, source == "all", afresh))


def choose(settings: Settings, source: str, market: str | None) -> list[tuple[Source, list[str]]]:
    """The sources to run, each with its markets. Raises as `run_ingest`."""
    sources, markets = load_sources(settings.sources_file), load_markets(settings.markets_file)
    if source != "all" and source not in sources:
        raise ValueError(f"unknown source {source!r}; there are: {', '.join(sources)}")
    if market is not None and market not in markets:
        raise ValueError(f"unknown market {market!r}; there are: {', '.join(markets)}")
    wanted = [market] if market is not None else list(markets)
    if source == "all":
        fetched = [each for each in sources.values() if each.fetch != "uploads"]
        found = [(each, _on(each, wanted, settings)) for each in fetched]
        return [(each, on) for each, on in found if on]
    on = _on(sources[source], wanted, settings)
    if not on:
        reason = why_off(sources[source], wanted[0], settings)
        raise ValueError(f"{source} is off for {wanted[0]}: {reason}")
    return [(sources[source], on)]


def reasons_off(settings: Settings) -> dict[str, str]:
    """Sources that no market's run can read, by name, each with the reason."""
    markets = list(load_markets(settings.markets_file))
    return {
        name: why_off(source, (source.markets or markets)[0], settings) or ""
        for name, source in load_sources(settings.sources_file).items()
        if not _on(source, markets, settings)
    }


def sources_on(settings: Settings) -> dict[tuple[str, str], Source]:
    """What can be run, by (source, market)."""
    markets = list(load_markets(settings.markets_file))
    return {
        (name, market): source
        for name, source in load_sources(settings.sources_file).items()
        for market in _on(source, markets, settings)
    }


def _on(source: Source, markets: Sequence[str], settings: Settings) -> list[str]:
    """The markets in which it can be run. Uploads are here already, wherever they are for."""
    if source.fetch == "uploads":
        return list(markets)
    return [market for market in markets if why_off(source, market, settings) is None]


async def _run_all(
    settings: Settings,
    chosen: Sequence[tuple[Source, list[str]]],
    on_progress: Callable[[Progress], None],
    skip_taken: bool,
    afresh: bool,
) -> list[Progress]:
    pool = await open_pool(settings.database_url, application="ingest", size_max=POOL_SIZE_MAX)
    slots = asyncio.Semaphore(SOURCES_AT_ONCE)

    async def one(source: Source, markets: Sequence[str]) -> list[Progress]:
        async with slots:
            return [await one_market(source, market) for market in markets]

    async def one_market(source: Source, market: str) -> Progress:
        try:
            return await run_source(
                settings, pool, source, market, afresh=afresh, on_progress=on_progress
            )
        except Taken as taken:
            progress = Progress(source.name, market, finished=True)
            if skip_taken:
                progress.skipped = str(taken)
            else:
                progress.error = str(taken)
            on_progress(progress)
            return progress

    try:
        runs = await asyncio.gather(*(one(source, markets) for source, markets in chosen))
    finally:
        await pool.close()
    return [progress for each in runs for progress in each]
