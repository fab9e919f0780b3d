"""Carries what buyers are told to Redis without holding up who tells it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from redis.asyncio import Redis
from redis.exceptions import RedisError

from engine.adapters.redis import user_stream
from engine.market.buyer_events import BuyerEvent

log = logging.getLogger(__name__)

# Batches that wait for Redis; the oldest give way.
PENDING_MAX = 200
STOP_SECONDS = 2.0


class UserPublisher:
    """`put` never waits. What Redis does not take is not repeated: all of it can be read again."""

    def __init__(self, redis_url: str) -> None:
        self._redis = Redis.from_url(redis_url, socket_timeout=5, socket_connect_timeout=2)
        self._pending: deque[Sequence[BuyerEvent]] = deque(maxlen=PENDING_MAX)
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="user-events")

    def put(self, events: Sequence[BuyerEvent]) -> None:
        if events:
            self._pending.append(events)
            self._woken.set()

    async def stop(self) -> None:
        """Publish what is pending if Redis takes it now, then let go."""
        if self._task is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    while self._pending:  # noqa: ASYNC110
                        await asyncio.sleep(0.01)
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._redis.aclose()

    async def _run(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        # redis-py may lose a cancellation that comes while it connects.
        while not task.cancelling():
            while self._pending:
                events = self._pending[0]
                try:
                    await user_stream.publish(self._redis, events)
                except (RedisError, OSError, TimeoutError) as error:
                    log.warning("%d user events are not published: %s", len(events), error)
                if self._pending and self._pending[0] is events:
                    self._pending.popleft()
            self._woken.clear()
            await self._woken.wait()
