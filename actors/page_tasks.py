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
from engine.adapters.postgres.fetched_pages import FetchedPage, read_elsewhere
from engine.adapters.postgres.runs import PageFailure
from engine.adapters.postgres.signals import write_signals
from engine.adapters.sources.addresses import Address, FetchedDocument
from engine.adapters.sources.fetch_failed import FetchFailed
from engine.adapters.sources.fetchers import client_for, fetch
from engine.adapters.sources.parsers import open_parsers
from engine.adapters.sources.polite_client import PoliteClient
from engine.intake.cleaning import clean
from engine.intake.document import Document, Parsed, Parser
from engine.intake.drift import fill_of
from engine.intake.invented_contact import with_invented_contact
from engine.intake.listing import GONE_STATUSES
from engine.intake.placement import place
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


class Sorting:
    """What was parsed, cleaned and put where it belongs. `strays` are unusable records of a
    document that the runs of several markets read, until it is known who keeps them."""

    def __init__(
        self, settings: Settings, source: Source, market: str, markets: Mapping[str, Market]
    ) -> None:
        self._settings = settings
        self._source = source
        self._market = market
        self._markets = markets
        self._is_shared = is_shared(source, settings)
        self.records: list[SourceRecord] = []
        self.rejected: list[Rejected] = []
        self.signals: list[Signal] = []
        self.strays: list[Rejected] = []
        self.elsewhere = 0

    def next(self) -> Sorting:
        """An empty one, to which the strays of the document under way are passed on."""
        following = Sorting(self._settings, self._source, self._market, self._markets)
        following.strays = self.strays
        return following

    def __len__(self) -> int:
        return len(self.records) + len(self.rejected) + len(self.signals)

    def add(self, parsed: Parsed) -> None:
        if isinstance(parsed, SourceRecord):
            parsed = self._placed(parsed)
        if isinstance(parsed, SourceRecord):
            self._add_placed(parsed)
        elif isinstance(parsed, Signal):
            if parsed.market in (None, self._market):
                self.signals.append(parsed)
        else:
            (self.strays if self._is_shared else self.rejected).append(parsed)

    def _placed(self, record: SourceRecord) -> SourceRecord | Rejected:
        if not self._is_shared:
            hinted = msgspec.structs.replace(record, market=self._market)
            return place(clean(hinted, self._markets), self._markets, hint=self._market)
        # What is gone may tell no more than its id: each market sees whether it was there.
        hint = self._market if record.standard_status in GONE_STATUSES else None
        # Most of a shared document stands in other markets: that shows before it is cleaned.
        at_once = place(record, self._markets, hint=hint)
        if isinstance(at_once, SourceRecord) and at_once.market != self._market:
            return at_once
        return place(clean(record, self._markets), self._markets, hint=hint)

    def _add_placed(self, record: SourceRecord) -> None:
        if record.market == self._market:
            is_replayed = self._settings.captures is not None and self._source.fetch != "uploads"
            self.records.append(with_invented_contact(record) if is_replayed else record)
        elif self._is_shared:
            self.elsewhere += 1
        else:
            self.rejected.append(
                Rejected(
                    source=record.source,
                    source_id=record.source_id,
                    reason="out-of-market",
                    detail=f"stands in {record.market}, found on the site of {self._market}",
                    content_hash=record.content_hash,
                )
            )

    def settle_strays(self, *, keep: bool) -> None:
        if keep:
            self.rejected += self.strays
        else:
            self.elsewhere += len(self.strays)
        self.strays = []


def is_shared(source: Source, settings: Settings) -> bool:
    """Whether the runs of all markets read the same documents, so that being found in one's
    run says nothing of where a home stands. Captured tables are shared; the sample world
    and a site with a place for each market are not."""
    if source.fetch in ("index", "uploads") or len(source.markets) == 1:
        return False
    if settings.replay_url:
        return settings.captures is not None
    return "{market}" not in source.address
