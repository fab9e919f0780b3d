"""The desk's spare time: judging leads again that no model has scored."""

from __future__ import annotations

import asyncio
import contextlib
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
        more = False
        while True:
            await self._wait(BETWEEN if more else EVERY)
            try:
                more = await self._step()
            except _AWAY as error:
                more = False
                log.warning("leads of %s wait to be judged again: %s", self._market, error)
            except Exception:
                more = False
                log.exception("leads of %s can't be judged again", self._market)

    async def _wait(self, seconds: float) -> None:
        """Until there is something to do, or the time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hurry.wait()
        self._hurry.clear()
