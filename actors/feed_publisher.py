"""Carries a book's committed events to Redis, in order, without holding up the book.

Redis may be away or lose everything: what it lacks is taken from the journal once it
is back, and a batch it has already is refused by its own entry ids.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence

import asyncpg
import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from engine.adapters.redis import feed_stream, user_stream
from engine.market.instant import rfc3339
from engine.ports import Committed, ConnectStore, JournalReader

log = logging.getLogger(__name__)

# Committed batches waiting for Redis; past this the journal is read instead.
PENDING_MAX = 2_000
CHUNK = 500
TICKS_CHUNK = 50
# A stream left behind further than this starts anew at the newest: readers take the
# journal's word for what is older.
CATCH_UP_MAX = 50_000
PAUSE_MAX = 2.0

_json = msgspec.json.Encoder().encode


def redis_client(redis_url: str) -> Redis:
    return Redis.from_url(redis_url, socket_timeout=5, socket_connect_timeout=2)


class FeedPublisher:
    """One market's way to its streams. `put` never waits."""

    def __init__(self, market: str, connect: ConnectStore, redis: Redis) -> None:
        self.market = market
        self.published_seq = 0
        self._connect = connect
        self._redis = redis
        self._pending: deque[Committed] = deque()
        self._committed_seq = 0
        self._behind = True
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    def start(self, committed_seq: int) -> None:
        """Publish, beginning with what the journal has up to `committed_seq` and Redis lacks."""
        self._committed_seq = committed_seq
        self._task = asyncio.create_task(self._run(), name=f"publish:{self.market}")

    def resume(self, committed_seq: int) -> None:
        """After a reload of the book: compare with the journal again."""
        self._pending.clear()
        self._committed_seq = committed_seq
        self._behind = True
        self._wake.set()

    def put(self, committed: Committed) -> None:
        self._committed_seq = max(self._committed_seq, committed.to_seq)
        if not committed.events and not committed.ticks and not committed.buyer_events:
            return
        if len(self._pending) >= PENDING_MAX:
            self._pending.clear()
            self._behind = True
        self._pending.append(committed)
        self._wake.set()

    async def stop(self) -> None:
        """Publish what is pending if Redis takes it now, then let go."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=2)
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._redis.aclose()

    async def _run(self) -> None:
        pause = 0.05
        while True:
            try:
                if self._behind:
                    await self._catch_up()
                while self._pending and not self._behind:
                    await self._publish(self._pending.popleft())
                pause = 0.05
            except (RedisError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("feed of %s can't be published yet: %s", self.market, error)
                self._behind = True
                if self._stopping:
                    return
                await asyncio.sleep(pause)
                pause = min(pause * 2, PAUSE_MAX)
                continue
            if self._stopping:
                return
            if not self._pending and not self._behind:
                self._wake.clear()
                await self._wake.wait()

    async def _publish(self, committed: Committed) -> None:
        if committed.events and committed.to_seq > self.published_seq:
            if committed.from_seq != self.published_seq + 1:
                self._behind = True
                return
            text = feed_stream.json_array(committed.events)
            await feed_stream.publish(
                self._redis, self.market, committed.from_seq, committed.to_seq, text
            )
            self.published_seq = committed.to_seq
        if committed.buyer_events:
            await user_stream.publish(self._redis, committed.buyer_events)
        for position, at, reason, ticks in committed.ticks:
            await feed_stream.publish_prices(self._redis, self.market, position, at, reason, ticks)

    async def _catch_up(self) -> None:
        """Bring both streams to the journal's end."""
        published = await feed_stream.last_published(self._redis, self.market)
        store = await self._connect()
        try:
            # A newer book may have published what this one never committed; only what the
            # journal does not have either is another history.
            if published > self._committed_seq and published > await store.feed_seq():
                await feed_stream.discard(self._redis, self.market)
                published = 0
            self.published_seq = max(published, self._committed_seq - CATCH_UP_MAX)
            if self.published_seq < self._committed_seq:
                while events := await store.public_events(self.published_seq, CHUNK):
                    await feed_stream.publish(
                        self._redis,
                        self.market,
                        events[0][0],
                        events[-1][0],
                        feed_stream.json_array(text for _, text in events),
                    )
                    self.published_seq = events[-1][0]
            await self._catch_up_prices(store)
        finally:
            await store.close()
        self._behind = False

    async def _catch_up_prices(self, store: JournalReader) -> None:
        """A price that never reached the stream would stand wrong until its next change."""
        newest = await self._redis.xrevrange(feed_stream.prices_key(self.market), count=1)
        after = feed_stream.entry_number(newest[0][0]) if newest else 0
        while ticks := await store.ticks(after, TICKS_CHUNK, feed_stream.ENTRIES_MAX):
            for tick in ticks:
                await feed_stream.publish_prices(
                    self._redis,
                    self.market,
                    tick.position,
                    rfc3339(tick.at),
                    tick.reason,
                    ticks_json(tick.lead_ids, tick.prices),
                )
            after = ticks[-1].position


def ticks_json(lead_ids: Sequence[str], prices: Sequence[int]) -> str:
    """What a price tick says, as JSON text: `[{"lead_id", "price"}]`."""
    return _json(
        [
            {"lead_id": lead_id, "price": price}
            for lead_id, price in zip(lead_ids, prices, strict=True)
        ]
    ).decode()
