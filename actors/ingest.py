"""Runs of sources: fetched and parsed by Ray tasks, taken by the markets' desks."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import ray

from actors.intake_desk import RECORDS_MAX, encode_records
from actors.intake_turn import Counts
from actors.launch import NAMESPACE, connect
from engine.adapters.sources.craigslist_site import (
    FetchFailed,
    fetch_index,
    fetch_post,
    site_client,
)
from engine.adapters.sources.table_files import SOURCES as TABLE_SOURCES
from engine.adapters.sources.table_files import open_tables
from engine.intake.craigslist import parse_post
from engine.intake.invented_contact import with_invented_contact
from engine.intake.placement import place
from engine.intake.prepared import prepare
from engine.intake.record import Rejected, SourceRecord
from engine.intake.sample_world import SampleWorld
from engine.market_directory import Market, load_markets
from engine.settings import Settings
from engine.source_directory import load_sources

SOURCES = ("craigslist", *TABLE_SOURCES)
POSTS_PER_TASK = 60
FETCHES_AT_ONCE = 8
RECORDS_PER_CALL = 400
# Tasks and desk calls under way at a time: what bounds memory and the load on the site.
UNDER_WAY_MAX = 6
TASK_SECONDS = 600.0

Parsed = SourceRecord | Rejected


class Progress(msgspec.Struct):
    """How far a run is: `pages` fetched or table parts read, and what became of the records."""

    source: str
    market: str
    pages: int = 0
    counts: Counts = msgspec.field(default_factory=Counts)
    finished: bool = False
    error: str | None = None


def run_ingest(
    settings: Settings,
    source: str,
    market: str | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> list[Progress]:
    """Run `source` ("all" for every one) for `market` (None for all), to the end.

    One Progress per source and market; one that failed has its `error` and does not
    stop the others. Raises ValueError naming an unknown source or market.
    """
    markets = load_markets(settings.markets_file)
    sources = SOURCES if source == "all" else (source,)
    if unknown := [name for name in sources if name not in SOURCES]:
        raise ValueError(f"unknown source {unknown[0]!r}; there are: {', '.join(SOURCES)}")
    if market is not None and market not in markets:
        raise ValueError(f"unknown market {market!r}; there are: {', '.join(markets)}")
    connect(settings)
    runs = []
    for name in sources:
        for slug in (market,) if market is not None else markets:
            runs.append(_Run(settings, Progress(name, slug), on_progress).run())
    return runs


class _Run:
    """One source in one market."""

    def __init__(
        self, settings: Settings, progress: Progress, on_progress: Callable[[Progress], None]
    ) -> None:
        self.settings = settings
        self.progress = progress
        self.on_progress = on_progress
        self.run_id = secrets.token_urlsafe(12)
        self.desk = ray.get_actor(f"desk:{progress.market}", namespace=NAMESPACE)
        # What is under way, with the pages each brings.
        self.parsing: dict[Any, int] = {}
        self.taking: dict[Any, int] = {}

    def run(self) -> Progress:
        asyncio.run(self._note_start())
        try:
            if self.progress.source == "craigslist":
                self._posts()
            else:
                self._tables()
        except (ray.exceptions.RayError, FetchFailed, OSError, ValueError) as error:
            self.progress.error = f"{type(error).__name__}: {error}"[:500]
        finally:
            self.progress.finished = True
            asyncio.run(self._note_end())
            self.on_progress(self.progress)
        return self.progress

    def _posts(self) -> None:
        task = ray.remote(num_cpus=0.5, max_retries=2)(parse_posts)
        for urls in self._post_urls():
            self._make_room(self.parsing)
            self.parsing[task.remote(urls, self.settings, self.progress.market)] = len(urls)
        while self.parsing:
            self._settle(self.parsing)
        while self.taking:
            self._settle(self.taking)

    def _post_urls(self) -> Iterator[list[str]]:
        urls = asyncio.run(_index(self.settings.replay_url, self.progress.market))
        for start in range(0, len(urls), POSTS_PER_TASK):
            yield urls[start : start + POSTS_PER_TASK]

    def _tables(self) -> None:
        task = ray.remote(num_cpus=0.5, max_retries=2, num_returns="streaming")(parse_tables)
        parts = task.remote(self.settings, self.progress.source, self.progress.market)
        for part in parts:
            self._hand_over(part, 1)
        while self.taking:
            self._settle(self.taking)

    def _hand_over(self, parsed: Any, pages: int) -> None:
        """Give parsed records to the desk without bringing them here."""
        self._make_room(self.taking)
        self.taking[self.desk.take_encoded.remote(parsed)] = pages

    def _make_room(self, under_way: dict[Any, int]) -> None:
        while len(under_way) >= UNDER_WAY_MAX:
            self._settle(under_way)

    def _settle(self, under_way: dict[Any, int]) -> None:
        """Wait for one to finish, and go on with what it brought."""
        done, _ = ray.wait(list(under_way), num_returns=1, timeout=TASK_SECONDS)
        if not done:
            raise TimeoutError(f"a task of {self.progress.source} took over {TASK_SECONDS:.0f} s")
        for ref in done:
            pages = under_way.pop(ref)
            if under_way is self.parsing:
                self._hand_over(ref, pages)
            else:
                self.progress.pages += pages
                self.progress.counts.add(msgspec.msgpack.decode(ray.get(ref), type=Counts))
                self.on_progress(self.progress)

    async def _note_start(self) -> None:
        await self._execute(
            "INSERT INTO ingest_runs (run_id, source, market) VALUES ($1, $2, $3)",
            self.run_id,
            self.progress.source,
            self.progress.market,
        )

    async def _note_end(self) -> None:
        await self._execute(
            "UPDATE ingest_runs SET finished_at = now(), counts = $2, error = $3 WHERE run_id = $1",
            self.run_id,
            json.dumps(msgspec.to_builtins(self.progress.counts)),
            self.progress.error,
        )

    async def _execute(self, statement: str, *values: object) -> None:
        connection = await asyncpg.connect(self.settings.database_url, timeout=10)
        try:
            await connection.execute(statement, *values)
        finally:
            await connection.close()


async def _index(base_url: str, market: str) -> list[str]:
    async with site_client() as client:
        return [url async for page in fetch_index(client, base_url, market) for url in page]


def parse_posts(urls: list[str], settings: Settings, market: str) -> bytes:
    """Fetch and parse post pages (a Ray task): the desk's payload."""
    markets = load_markets(settings.markets_file)
    parsed = asyncio.run(_fetch_and_parse(urls, market, markets))
    return _payload(parsed)


async def _fetch_and_parse(
    urls: list[str], market: str, markets: Mapping[str, Market]
) -> list[Parsed]:
    slots = asyncio.Semaphore(FETCHES_AT_ONCE)

    async def one(url: str) -> Parsed | None:
        async with slots:
            try:
                post = await fetch_post(client, url)
            except FetchFailed as failed:
                return Rejected(
                    source="craigslist",
                    source_id=None,
                    reason=failed.reason,
                    detail=str(failed),
                    content_hash=url,
                )
        if post.content is None:
            return None
        record = parse_post(post.content, url=url)
        return place(record, markets, hint=market) if isinstance(record, SourceRecord) else record

    async with site_client(connections=FETCHES_AT_ONCE) as client:
        found = await asyncio.gather(*(one(url) for url in urls))
    return [_of_market(record, market) for record in found if record is not None]


def _of_market(record: Parsed, market: str) -> Parsed:
    """A market's site also carries posts of homes elsewhere: those are not this run's."""
    if isinstance(record, SourceRecord) and record.market != market:
        return Rejected(
            source=record.source,
            source_id=record.source_id,
            reason="out-of-market",
            detail=f"stands in {record.market}, found on the site of {market}",
            content_hash=record.content_hash,
        )
    return record


def parse_tables(settings: Settings, source: str, market: str) -> Iterator[bytes]:
    """Read a source's tables (a streaming Ray task): the desk's payloads, in order."""
    markets = load_markets(settings.markets_file)
    chunk: list[Parsed] = []
    for record in open_tables(_origin(settings, markets), markets, market=market, source=source):
        chunk.append(record)
        if len(chunk) == RECORDS_PER_CALL:
            yield _payload(chunk)
            chunk = []
    if chunk:
        yield _payload(chunk)


def _origin(settings: Settings, markets: Mapping[str, Market]) -> Path | SampleWorld:
    if settings.captures is not None:
        return settings.captures
    return SampleWorld(settings.sample_seed, settings.sample_size, list(markets.values()))


def _payload(parsed: list[Parsed]) -> bytes:
    records = [with_invented_contact(each) for each in parsed if isinstance(each, SourceRecord)]
    rejected = [each for each in parsed if isinstance(each, Rejected)]
    assert len(parsed) <= RECORDS_MAX
    sources, now_us = load_sources(), time.time_ns() // 1000
    prepared = [prepare(each, sources[each.source], now_us=now_us) for each in records]
    return encode_records((prepared, rejected))
