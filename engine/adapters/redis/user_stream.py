"""The one Redis Stream of what single buyers are told: key `user-events`.

Books, cart shards and the API write to it after a commit; every API replica and cart shard
reads all of it. An entry has one field `events`, a JSON array of BuyerEvents. It is a
convenience: whatever it says can be read again by GET, so nothing is repeated when Redis
was away, and readers are told that they may have missed something.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from engine.market.buyer_events import BuyerEvent

log = logging.getLogger(__name__)

KEY = "user-events"
# How far back the stream reaches, in entries, about.
ENTRIES_MAX = 20_000
_BLOCK_MS = 1_000
_PATIENCE_SECONDS = _BLOCK_MS / 1000 + 4
_ENTRIES_PER_READ = 200
_PAUSE_SECONDS = 0.25
_PAUSE_SECONDS_MAX = 2.0

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[BuyerEvent]).decode


async def publish(redis: Redis, events: Sequence[BuyerEvent]) -> None:
    """Raises redis.exceptions.RedisError when Redis is away or full."""
    await redis.xadd(KEY, {"events": _encode(list(events))}, maxlen=ENTRIES_MAX, approximate=True)


async def follow(
    redis_url: str,
    on_events: Callable[[list[BuyerEvent]], None],
    on_missed: Callable[[], None] = lambda: None,
) -> None:
    """Hand on what is published from now on, until cancelled.

    `on_missed` is called each time something may have been missed: before the first read,
    and whenever Redis is back after having been away. Both are called from the event loop
    and must neither wait nor raise.
    """
    last: Any = None
    pause = _PAUSE_SECONDS
    redis = Redis.from_url(
        redis_url,
        protocol=2,
        # A timeout of the client's own may lose a cancellation (asyncio.wait_for, Python 3.11).
        socket_timeout=None,
        socket_connect_timeout=2,
        retry=Retry(NoBackoff(), 0),
    )
    task = asyncio.current_task()
    assert task is not None
    try:
        while True:
            # redis-py may lose a cancellation that comes while it connects.
            if task.cancelling():
                raise asyncio.CancelledError
            try:
                if last is None:
                    last = await _newest(redis)
                    on_missed()
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    read: Any = await redis.xread(
                        {KEY: last}, count=_ENTRIES_PER_READ, block=_BLOCK_MS
                    )
                pause = _PAUSE_SECONDS
            except (RedisError, OSError, TimeoutError) as error:
                log.warning("user events can't be read: %s", error)
                last = None
                await asyncio.sleep(pause)
                pause = min(pause * 2, _PAUSE_SECONDS_MAX)
                continue
            for _, entries in read or ():
                for entry_id, fields in entries:
                    last = entry_id
                    try:
                        events = _decode(fields[b"events"])
                    except (msgspec.DecodeError, KeyError) as error:
                        # As from a newer version: what it says can be read again by GET.
                        log.warning("user events %r are not readable: %s", entry_id, error)
                        continue
                    on_events(events)
    finally:
        await redis.aclose()


async def _newest(redis: Redis) -> Any:
    async with asyncio.timeout(_PATIENCE_SECONDS):
        newest: Any = await redis.xrevrange(KEY, count=1)
    return newest[0][0] if newest else "0-0"
