"""Calls to books: late, overtaken, twice, or lost on one way or the other."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.simulation.hosts import BookHost
from tests.simulation.loop import Killed

if TYPE_CHECKING:
    from tests.simulation.world import World

# A copy of a call may come this much later, seconds.
STRAGGLES = 1.5


class Network:
    def __init__(self, world: World) -> None:
        self.world = world

    async def call(self, host: BookHost, payload: bytes) -> bytes:
        """The book's answer. Raises Killed when the call or the answer is lost; the book may
        have carried it out all the same, now or later."""
        world, weather = self.world, self.world.weather
        answer: asyncio.Future[bytes] = world.loop.create_future()
        if weather.spoils("duplicate call"):
            world.note(f"a call to {host.process.name} is doubled")
            late = weather.rng.random() * STRAGGLES
            world.later(late, self._arrive, host, payload, world.loop.create_future())
        if weather.spoils("lose call"):
            world.later(weather.to_book(), _lose, answer)
        else:
            world.later(weather.to_book(), self._arrive, host, payload, answer)
        if weather.spoils("lose answer"):
            # Perhaps before the book has even begun.
            world.later(weather.to_book() * 2, _lose, answer)
        return await answer

    def _arrive(self, host: BookHost, payload: bytes, answer: asyncio.Future[bytes]) -> None:
        carried = host.call(host.book.submit(payload))
        carried.add_done_callback(partial(self._return, answer), context=self.world.context)

    def _return(self, answer: asyncio.Future[bytes], carried: asyncio.Future[Any]) -> None:
        error = None if carried.cancelled() else carried.exception()
        if carried.cancelled() or error is not None:
            self.world.later(self.world.weather.to_book(), _lose, answer)
        else:
            self.world.later(self.world.weather.to_book(), _give, answer, carried.result())


def _lose(answer: asyncio.Future[bytes]) -> None:
    if not answer.done():
        answer.set_exception(Killed("the call was lost"))
        # A copy's answer is awaited by nobody.
        answer.exception()


def _give(answer: asyncio.Future[bytes], replies: bytes) -> None:
    if not answer.done():
        answer.set_result(replies)
