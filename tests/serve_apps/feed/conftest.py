"""A pool, a Redis client and markets of each test's own."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest
from redis.asyncio import Redis

from engine.adapters.postgres.pool import open_pool
from tests.serve_apps.feed.world import Trader

_numbers = itertools.count(1)


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    opened = await open_pool(database_url, application="feed tests", size_max=6)
    try:
        yield opened
    finally:
        await opened.close()


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(redis_url)
    try:
        yield client
    finally:
        await client.aclose()


@pytest.fixture
def market(pool: asyncpg.Pool, redis: Redis) -> Callable[[int], Awaitable[Trader]]:
    """`await market(leads)` opens a market of a new name with that many leads on offer."""

    async def open_market(leads: int = 0) -> Trader:
        trader = Trader(pool, redis, f"town-{next(_numbers)}")
        await trader.open(leads)
        return trader

    return open_market
