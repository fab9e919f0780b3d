"""Rate limits: requests a minute per account, or per address for the anonymous.

The window is a minute from a caller's first request in it. Counting is Redis' work,
coalesced: all requests that arrive while a count is under way are counted by the next
call together. When Redis is away each replica counts for itself; a circuit breaker
keeps an outage from costing anyone time.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import NamedTuple

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

WINDOW_SECONDS = 60
BATCH_MAX = 256
# How long one count may take before the replica counts for itself.
PATIENCE_SECONDS = 0.25
PROBE_EVERY_SECONDS = 1.0
LOCAL_BUCKETS_MAX = 100_000

# For each key: requests in its window, and milliseconds until the window ends.
_COUNT = """
local out = {}
for i, key in ipairs(KEYS) do
  local count = redis.call('INCR', key)
  local left = redis.call('PTTL', key)
  if left < 0 then
    redis.call('PEXPIRE', key, ARGV[1])
    left = tonumber(ARGV[1])
  end
  out[2 * i - 1] = count
  out[2 * i] = left
end
return out
"""


class Allowance(NamedTuple):
    """How a request stands against its limit; `reset_seconds` until the window ends."""

    allowed: bool
    limit: int
    remaining: int
    reset_seconds: int

    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        return (
            (b"ratelimit-limit", b"%d" % self.limit),
            (b"ratelimit-remaining", b"%d" % self.remaining),
            (b"ratelimit-reset", b"%d" % self.reset_seconds),
        )


def redis_client(url: str) -> Redis:
    """A client that fails fast and never retries: the limiter has its own way out."""
    return Redis.from_url(
        url,
        socket_timeout=PATIENCE_SECONDS,
        socket_connect_timeout=PATIENCE_SECONDS,
        retry=Retry(NoBackoff(), 0),
        max_connections=8,
    )


class RateLimits:
    """Counts requests by bucket name. One per replica."""

    def __init__(self, redis: Redis | None, prefix: str = "rate:") -> None:
        self._redis = redis
        self._prefix = prefix
        self._script = redis.register_script(_COUNT) if redis is not None else None
        self._waiting: list[tuple[str, asyncio.Future[tuple[int, int] | None]]] = []
        self._counting: asyncio.Task[None] | None = None
        self._probe: asyncio.Task[None] | None = None
        self._local = LocalBuckets()
        self.away = redis is None

    async def check(self, bucket: str, limit: int) -> Allowance:
        """Count one request of `bucket` against `limit` a minute (at least 1)."""
        counted = None
        if not self.away:
            counted = await self._count(self._prefix + bucket)
        count, left_ms = counted or self._local.count(bucket)
        return Allowance(
            count <= limit, limit, max(0, limit - count), max(1, (left_ms + 999) // 1000)
        )

    async def _count(self, key: str) -> tuple[int, int] | None:
        """None when Redis did not answer."""
        future: asyncio.Future[tuple[int, int] | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((key, future))
        if self._counting is None:
            self._counting = asyncio.create_task(self._count_waiting())
        return await future

    async def _count_waiting(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:BATCH_MAX], self._waiting[BATCH_MAX:]
                counts = await self._ask([key for key, _ in batch]) if not self.away else None
                for number, (_, future) in enumerate(batch):
                    if not future.done():
                        future.set_result(
                            (counts[2 * number], counts[2 * number + 1]) if counts else None
                        )
        finally:
            self._counting = None
            for _, future in self._waiting:
                if not future.done():
                    future.set_result(None)
            self._waiting = []

    async def _ask(self, keys: list[str]) -> list[int] | None:
        assert self._script is not None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self._script(keys=keys, args=[WINDOW_SECONDS * 1000])
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("Redis is away (%s): this replica counts for itself", type(error).__name__)
            self.away = True
            self._probe = asyncio.create_task(self._wait_for_redis())
            return None

    async def _wait_for_redis(self) -> None:
        """Close the circuit again when Redis answers; no request waits for this."""
        assert self._redis is not None
        while True:
            await asyncio.sleep(PROBE_EVERY_SECONDS)
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await self._redis.ping()
            except (RedisError, OSError, TimeoutError):
                continue
            log.info("Redis is back: limits are shared again")
            self.away = False
            return

    async def stop(self) -> None:
        for task in (self._probe, self._counting):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


class LocalBuckets:
    """The same windows, counted in this process; the oldest are forgotten beyond a bound."""

    def __init__(self) -> None:
        self._buckets: dict[str, list[float]] = {}

    def count(self, bucket: str) -> tuple[int, int]:
        """(requests in the window, milliseconds until it ends)."""
        now = time.monotonic()
        entry = self._buckets.get(bucket)
        if entry is None or entry[1] <= now:
            self._buckets.pop(bucket, None)
            if len(self._buckets) >= LOCAL_BUCKETS_MAX:
                self._buckets.pop(next(iter(self._buckets)))
            entry = self._buckets[bucket] = [0, now + WINDOW_SECONDS]
        entry[0] += 1
        return int(entry[0]), int((entry[1] - now) * 1000)
