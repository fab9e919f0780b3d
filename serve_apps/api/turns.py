"""Heavy requests take turns: a few at once, some waiting, the rest are asked to come again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from serve_apps.api.problems import unavailable


class Turns:
    """`at_once` are served at a time, `waiting_max` may wait for it."""

    def __init__(self, at_once: int, waiting_max: int) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._waiting_max = waiting_max
        self._waiting = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Raises Problem `unavailable` when too many wait."""
        if self._free.locked() and self._waiting >= self._waiting_max:
            raise unavailable("this replica has as much of this to do as it can; try again")
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._free.release()
