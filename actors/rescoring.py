"""The desk's spare time: judging leads again that no model has scored."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import asyncpg

from actors.client import BookBusy, BookUnavailable

log = logging.getLogger(__name__)

# Between one look for leads that wait and the next, and between two parts of many, seconds.
EVERY = 5.0
BETWEEN = 0.05
_AWAY = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, BookBusy, BookUnavailable)


class Rescoring:
    """Calls `step` until it says that there is no more, then looks again after a while."""

    def __init__(self, market: str, step: Callable[[], Awaitable[bool]]) -> None:
        self._market = market
        self._step = step
        self._task: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()

    def start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    def hurry(self) -> None:
        """There is something to do now."""
        self._hurry.set()

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(EVERY):
                    await self._hurry.wait()
            except TimeoutError:
                pass
            self._hurry.clear()
            try:
                while await self._step():
                    await asyncio.sleep(BETWEEN)
            except _AWAY as error:
                log.warning("leads of %s wait to be judged again: %s", self._market, error)
            except Exception:
                log.exception("leads of %s can't be judged again", self._market)
