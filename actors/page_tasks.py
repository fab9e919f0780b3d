"""What runs of sources do on the cluster: fetch pages, read them, hand on what they say.

`read_pages` is a Ray task that streams: what it has read leaves as soon as it is worth a
call to the desk or has waited long enough, so a page is on the market long before its
batch is through.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence

import asyncpg
import msgspec

from actors.intake_desk import encode_records
from actors.repairs import Repairs, open_repairs
from actors.sorting import Sorting
from engine.adapters.postgres.fetched_pages import FetchedPage, read_elsewhere
from engine.adapters.postgres.runs import PageFailure
from engine.adapters.postgres.signals import write_signals
from engine.adapters.sources.addresses import Address, FetchedDocument
from engine.adapters.sources.fetch_failed import FetchFailed
from engine.adapters.sources.fetchers import client_for, fetch
from engine.adapters.sources.parsers import open_parsers
from engine.adapters.sources.polite_client import PoliteClient
from engine.intake.document import Document, Parser
from engine.intake.drift import fill_of
from engine.intake.prepared import prepare
from engine.intake.readings import content_hash
from engine.intake.record import Rejected, Signal, SourceRecord
from engine.market_directory import Market, load_markets
from engine.settings import Settings
from engine.source_directory import Source

log = logging.getLogger(__name__)

FETCHES_AT_ONCE = 8
RECORDS_PER_CALL = 400
# What was read waits so long for company on its way to the desk.
FLUSH_SECONDS = 0.2


class Reading(msgspec.Struct):
    """What one stretch of reading brought: pages now read through, those that are as they
    were, those that failed, and how many records are usable, unusable, or stand in another
    market whose run reads the same document. `filled` counts the records with a field,
    `tokens` what the model was paid for them."""

    pages: list[FetchedPage] = []
    unchanged: list[str] = []
    failed: list[PageFailure] = []
    records: int = 0
    rejected: int = 0
    elsewhere: int = 0
    signals: int = 0
    filled: dict[str, int] = {}
    tokens: int = 0


class Batch(msgspec.Struct, frozen=True):
    """What one task reads: addresses to fetch, or documents that were found whole."""

    addresses: tuple[Address, ...] = ()
    documents: tuple[Document, ...] = ()

    def __len__(self) -> int:
        return len(self.addresses) + len(self.documents)

    def without(self, urls: set[str]) -> Batch:
        return Batch(
            tuple(each for each in self.addresses if each.url not in urls),
            tuple(each for each in self.documents if each.url not in urls),
        )

    def urls(self) -> list[str]:
        return [each.url for each in self.addresses] + [each.url for each in self.documents]


def payload_of(
    records: Sequence[SourceRecord], rejected: Sequence[Rejected], source: Source
) -> bytes:
    """What the desk takes."""
    now_us = time.time_ns() // 1000
    return encode_records(
        ([prepare(record, source, now_us=now_us) for record in records], rejected)
    )


def read_pages(
    settings: Settings, source: Source, market: str, batch: Batch, tokens_max: int = 0
) -> Iterator[bytes | Reading]:
    """Read a batch (a streaming Ray task): the desk's payload, empty when there is nothing
    for it, and the Reading that tells what is in it, in turn until all is read. The model
    that repairs records may be asked for `tokens_max` tokens."""
    markets, parse = load_markets(settings.markets_file), open_parsers(settings)[source.parser]
    reader = PageReader(settings, source, market, markets, parse)
    with asyncio.Runner() as runner:
        readings = reader.read(batch, tokens_max)
        try:
            while (found := runner.run(_next(readings))) is not None:
                payload, reading = found
                yield payload
                yield reading
        finally:
            runner.run(readings.aclose())


async def _next(
    readings: AsyncIterator[tuple[bytes, Reading]],
) -> tuple[bytes, Reading] | None:
    return await anext(readings, None)


class PageReader:
    """Reads pages of one source for one market."""

    def __init__(
        self,
        settings: Settings,
        source: Source,
        market: str,
        markets: Mapping[str, Market],
        parse: Parser,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._source = source
        self._market = market
        self._clock = clock
        self._parse = parse
        self._sorting = Sorting(settings, source, market, markets)
        self._reading = Reading()
        self._repairs: Repairs
        self._since = clock()

    async def read(
        self, batch: Batch, tokens_max: int = 0
    ) -> AsyncGenerator[tuple[bytes, Reading]]:
        """(payload, Reading) as often as there is enough, or something for long enough."""
        async with open_repairs(self._settings, tokens_max) as self._repairs:
            for document in batch.documents:
                async for flushed in self._read(document, document.url):
                    yield flushed
            if batch.addresses:
                async with client_for(self._source, self._settings) as client:
                    async for flushed in self._read_all(batch.addresses, client):
                        yield flushed
            if self._holds_something():
                yield await self._flush()

    async def _read_all(
        self, addresses: Sequence[Address], client: PoliteClient
    ) -> AsyncIterator[tuple[bytes, Reading]]:
        slots = asyncio.Semaphore(FETCHES_AT_ONCE)
        pending = {
            asyncio.create_task(self._fetch(each, client, slots)): each.url for each in addresses
        }
        try:
            while pending:
                done, _ = await asyncio.wait(
                    pending, timeout=FLUSH_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    url = pending.pop(task)
                    if (document := task.result()) is not None:
                        async for flushed in self._read(document, url):
                            yield flushed
                if self._holds_something() and self._clock() - self._since >= FLUSH_SECONDS:
                    yield await self._flush()
        finally:
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)

    async def _fetch(
        self, address: Address, client: PoliteClient, slots: asyncio.Semaphore
    ) -> FetchedDocument | None:
        """The document, None when it is as it was or can't be had, which is noted."""
        async with slots:
            try:
                document = await fetch(self._source, self._market, address, client)
            except FetchFailed as failed:
                failure = PageFailure(address.url, failed.reason, failed.detail)
                self._reading.failed.append(failure)
                return None
        if document is None:
            self._reading.unchanged.append(address.url)
        return document

    async def _read(self, document: Document, url: str) -> AsyncIterator[tuple[bytes, Reading]]:
        """Parse what was found at `url` to its end, handing on what is enough for a call."""
        digest = content_hash(document.content)
        parsed = self._parse(document)
        while True:
            try:
                found = next(parsed, None)
            except Exception as error:
                # Parsers don't raise; one that does costs this page, not its whole batch.
                log.exception("the %s parser failed at %s", self._source.parser, url)
                failure = PageFailure(url, "parser-failed", repr(error))
                self._reading.failed.append(failure)
                return
            if found is None:
                break
            self._sorting.add(found)
            if len(self._sorting.strays) >= RECORDS_PER_CALL:
                await self._keep_strays(digest)
            if len(self._sorting) >= RECORDS_PER_CALL:
                yield await self._flush()
        if self._sorting.strays:
            await self._keep_strays(digest)
        etag = document.etag if isinstance(document, FetchedDocument) else None
        modified = document.last_modified if isinstance(document, FetchedDocument) else None
        self._reading.pages.append(FetchedPage(url, etag, modified, digest))

    async def _keep_strays(self, digest: str) -> None:
        """What no market can use is kept once, though every market's run reads its document."""
        connection = await asyncpg.connect(self._settings.database_url, timeout=10)
        try:
            told = await read_elsewhere(connection, self._source.name, self._market, digest)
        finally:
            await connection.close()
        self._sorting.settle_strays(keep=not told)

    def _holds_something(self) -> bool:
        reading = self._reading
        return bool(len(self._sorting) or reading.pages or reading.unchanged or reading.failed)

    async def _flush(self) -> tuple[bytes, Reading]:
        reading, sorting = self._reading, self._sorting
        self._reading, self._sorting = Reading(), sorting.next()
        self._since = self._clock()
        reading.records, reading.rejected = len(sorting.records), len(sorting.rejected)
        reading.elsewhere, reading.signals = sorting.elsewhere, len(sorting.signals)
        tokens_left = self._repairs.tokens_left
        records = await self._repairs.repaired(sorting.records)
        reading.tokens = tokens_left - self._repairs.tokens_left
        reading.filled = fill_of(records)
        if sorting.signals:
            await self._write(sorting.signals)
        if not records and not sorting.rejected:
            return b"", reading
        return payload_of(records, sorting.rejected, self._source), reading

    async def _write(self, signals: Sequence[Signal]) -> None:
        connection = await asyncpg.connect(self._settings.database_url, timeout=10)
        try:
            await write_signals(connection, signals)
        finally:
            await connection.close()
