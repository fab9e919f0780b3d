"""Waiting for a database that is briefly away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg

T = TypeVar("T")

PATIENCE_SECONDS = 60.0
AWAY = (OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError)


async def patiently(ask: Callable[[], Awaitable[T]], *, seconds: float = PATIENCE_SECONDS) -> T:
    """What the database answers, asked again for a while when it is away. What is asked must
    bear being done twice. Raises what the last try raised."""
    give_up_at, pause = time.monotonic() + seconds, 0.2
    while True:
        try:
            return await ask()
        except AWAY:
            if time.monotonic() + pause > give_up_at:
                raise
            await asyncio.sleep(pause)
            pause = min(2 * pause, 5.0)
