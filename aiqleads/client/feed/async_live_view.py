"""A view of a market that keeps itself up to date, for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self, TypeVar

from aiqleads.client.answers.leads import LeadNow
from aiqleads.client.feed.async_feed import AsyncFeed
from aiqleads.client.feed.market_view import MarketView

T = TypeVar("T")


class AsyncLiveView(MarketView):
    """`async with client.view("austin") as view:` enters once the market is known; then
    `view.leads` is what is on offer, a moment old at most while `is_connected`.

    Once the server has refused for good, asking raises why.
    """

    def __init__(self, market: str, feed: AsyncFeed, ready_seconds: float) -> None:
        super().__init__(market)
        self._feed = feed
        self._ready_seconds = ready_seconds
        self._moved = asyncio.Condition()
        self._following: asyncio.Task[None] | None = None
        self._error: Exception | None = None

    @property
    def is_connected(self) -> bool:
        return self._feed.is_connected

    @property
    def leads(self) -> Mapping[str, LeadNow]:
        self._require_whole()
        return super().leads

    async def until(self, holds: Callable[[Self], T], seconds: float | None = None) -> T:
        """Wait until `holds(view)` is true, which is looked at after every change; its value.

        Raises TimeoutError.
        """
        async with asyncio.timeout(seconds), self._moved:
            while not (value := holds(self)):
                self._require_whole()
                await self._moved.wait()
        return value

    async def __aenter__(self) -> Self:
        self._following = asyncio.create_task(self._read())
        try:
            await self.until(lambda view: view.seq is not None, self._ready_seconds)
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stop()

    def _require_whole(self) -> None:
        if self._error is not None:
            raise self._error

    async def _read(self) -> None:
        try:
            async for message in self._feed:
                if self.apply(message):
                    await self._tell()
        except Exception as error:
            # Whoever asks next is told; of a task of its own nobody would hear.
            self._error = error
            await self._tell()

    async def _tell(self) -> None:
        async with self._moved:
            self._moved.notify_all()

    async def _stop(self) -> None:
        following, self._following = self._following, None
        if following is not None:
            following.cancel()
            await asyncio.wait({following})
        await self._feed.close()
