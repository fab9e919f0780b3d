"""What a shard of carts may have missed, read in the tables a page at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeVar

import asyncpg

from engine.adapters.postgres import journalled_notices, live_holds
from engine.adapters.postgres.live_holds import LiveHold
from engine.market.buyer_events import BuyerEvent
from engine.market.cart import MINUTE_US

# Holds read at a time, and whatever else is gone through in one go.
PAGE = 1_000
# What happened to a buyer while no shard was there is told if it is not older than this.
LOOK_BACK_US = 10 * MINUTE_US
LOOK_BACK_ENTRIES = 20_000
T = TypeVar("T")


class CartReader:
    """`put` is given live holds that end within `horizon_us`, `tell` what buyers should have
    been told since it was read last; neither is asked whose they are. `clock` gives µs."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        horizon_us: int,
        *,
        put: Callable[[Sequence[LiveHold]], None],
        tell: Callable[[Sequence[BuyerEvent]], Awaitable[None]],
        clock: Callable[[], int],
    ) -> None:
        self._pool = pool
        self._horizon_us = horizon_us
        self._put = put
        self._tell = tell
        self._clock = clock
        # Journal positions up to where the markets have been read.
        self._read_to: dict[str, int] = {}

    async def read(self) -> None:
        """Read every market once. Raises OSError or asyncpg's errors; what was read stays so."""
        for market in await live_holds.markets(self._pool):
            await self._read_holds(market)
            await self._read_journal(market)

    def look_back(self) -> None:
        """Begin the journals anew, a while ago: other buyers are ours now."""
        self._read_to.clear()

    async def _read_holds(self, market: str) -> None:
        now = self._clock()
        after, until = (now, "", ""), now + self._horizon_us
        while True:
            page = await live_holds.ending(self._pool, market, after=after, until=until, limit=PAGE)
            self._put(page)
            if len(page) < PAGE:
                return
            last = page[-1]
            after = (last.held.held_until, last.held.lead_id, last.user_id)

    async def _read_journal(self, market: str) -> None:
        if market not in self._read_to:
            since = self._clock() - LOOK_BACK_US
            self._read_to[market] = await journalled_notices.position_at(
                self._pool, market, since, LOOK_BACK_ENTRIES
            )
        while True:
            stretch = await journalled_notices.after(self._pool, market, self._read_to[market])
            if stretch.position == self._read_to[market]:
                return
            async for page in pages(stretch.events):
                await self._tell(page)
            self._read_to[market] = stretch.position


async def pages(items: Sequence[T]) -> AsyncIterator[Sequence[T]]:
    """A bounded piece at a time, with a turn for others after each."""
    for start in range(0, len(items), PAGE):
        yield items[start : start + PAGE]
        await asyncio.sleep(0)
