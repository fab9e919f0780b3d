"""The database server and the wire to it: requests that arrive late, never, or are answered
to nobody; stalls, restarts, and connections whose end is noticed when it is noticed."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import asyncpg

from engine.adapters.memory.database import MemoryConnection, MemoryDatabase
from tests.simulation.loop import SimulatedLoop, current_process
from tests.simulation.weather import Weather

BROKEN = "connection was closed in the middle of operation"
# As the book's connections are opened.
COMMAND_TIMEOUT = 30.0


class _Request:
    """One request under way, and where its answer goes."""

    __slots__ = ("answer", "link", "name", "serve")

    def __init__(
        self, link: Link, name: str, serve: Callable[[], Awaitable[Any]], answer: Any
    ) -> None:
        self.link = link
        self.name = name
        self.serve = serve
        self.answer: asyncio.Future[Any] = answer


class Link:
    """One connection as the server has it."""

    def __init__(self, connection: MemoryConnection) -> None:
        self.connection = connection
        self.under_way = 0
        self.client_is_gone = False
        # What is still on its way never arrives.
        self.is_cut = False


class DatabaseServer:
    """The simulated world's one database; implements `engine.adapters.memory.database.Wire`."""

    def __init__(
        self, loop: SimulatedLoop, weather: Weather, on_commit: Callable[[str], None]
    ) -> None:
        self.loop = loop
        self.weather = weather
        self.database = MemoryDatabase(self)
        self._on_commit = on_commit
        # What the server does goes on whatever happens to who asked.
        self._context = contextvars.Context()
        self._links: dict[MemoryConnection, Link] = {}
        self._stalled_until = 0.0
        self._stalled: list[_Request] = []
        self._down_until = 0.0

    # --- Wire ----------------------------------------------------------------------

    async def carry(
        self, connection: MemoryConnection, request: str, serve: Callable[[], Awaitable[Any]]
    ) -> Any:
        link = self._links.get(connection)
        if link is None:
            link = self._links[connection] = Link(connection)
            process = current_process()
            if process is not None:
                process.on_death.append(partial(self._client_died, link))
        asked = _Request(link, request, serve, self.loop.create_future())
        link.under_way += 1
        self._later(self.weather.to_database(), self._arrive, asked)
        return await asked.answer

    def _arrive(self, asked: _Request) -> None:
        now = self.loop.time()
        if asked.link.is_cut:
            self._lose(asked)
        elif now < self._down_until:
            self._fail(asked, ConnectionRefusedError("the database is starting up"))
        elif now < self._stalled_until:
            self._wait_out(asked)
        elif self.weather.spoils("break connection"):
            if self.weather.rng.random() < 0.5:
                self._break(asked.link)
                self._lose(asked)
            else:
                self._serve(asked, breaks=True)
        else:
            self._serve(asked)

    def _wait_out(self, asked: _Request) -> None:
        self._stalled.append(asked)
        if self._stalled_until - self.loop.time() > COMMAND_TIMEOUT:
            self._later(COMMAND_TIMEOUT, self._give_up, asked)

    def _give_up(self, asked: _Request) -> None:
        """The client's patience is over, and with it the connection; the server may still do
        what it was asked."""
        if not asked.answer.done():
            asked.answer.set_exception(TimeoutError())
            asked.link.connection.is_closed = True
            self._leave(asked.link)

    def _serve(self, asked: _Request, *, breaks: bool = False) -> None:
        self._go_on(asked, asked.serve(), breaks)

    def _go_on(self, asked: _Request, statement: Any, breaks: bool) -> None:
        """A statement waits for locks alone: it needs no task, which costs more than it does."""
        try:
            lock = statement.send(None)
        except StopIteration as done:
            self._served(asked, breaks, done.value, None)
        except Exception as error:
            self._served(asked, breaks, None, error)
        else:
            lock._asyncio_future_blocking = False
            lock.add_done_callback(
                lambda _: self._go_on(asked, statement, breaks), context=self._context
            )

    def _served(self, asked: _Request, breaks: bool, result: Any, error: Exception | None) -> None:
        self._on_commit(asked.name)
        if breaks:
            self._break(asked.link)
        if asked.link.is_cut:
            self._lose(asked)
        else:
            self._later(self.weather.to_database(), self._answer, asked, result, error)

    def _answer(self, asked: _Request, result: Any, error: Exception | None) -> None:
        if asked.link.is_cut:
            self._lose(asked)
        elif error is not None:
            self._fail(asked, error)
        else:
            self._done(asked)
            if not asked.answer.done():
                asked.answer.set_result(result)

    def _lose(self, asked: _Request) -> None:
        self._fail(asked, asyncpg.ConnectionDoesNotExistError(BROKEN))

    def _fail(self, asked: _Request, error: Exception) -> None:
        self._done(asked)
        if not asked.answer.done():
            asked.answer.set_exception(error)

    def _done(self, asked: _Request) -> None:
        link = asked.link
        link.under_way -= 1
        if link.client_is_gone and not link.under_way:
            self._notice(link)

    # --- ends of connections ---------------------------------------------------------

    def _break(self, link: Link) -> None:
        """The wire is cut: the client sees it at once, the server when it does."""
        link.is_cut = True
        link.connection.is_closed = True
        self._notice(link)

    def hang_up(self, connection: MemoryConnection) -> None:
        link = self._links.get(connection)
        if link is None:
            connection.abandon()
        else:
            self._leave(link)

    def _client_died(self, link: Link) -> None:
        """What it had sent arrives, unless the whole machine was lost."""
        if self._links.get(link.connection) is link:
            if self.weather.rng.random() < 0.4:
                link.is_cut = True
            self._leave(link)

    def _leave(self, link: Link) -> None:
        link.client_is_gone = True
        if not link.under_way:
            self._notice(link)

    def _notice(self, link: Link) -> None:
        """Most ends are seen at once, some only when the server looks for them."""
        rng = self.weather.rng
        self._later(0.0 if rng.random() < 0.7 else rng.random() * 3, self._abandon, link)

    def _abandon(self, link: Link) -> None:
        self._links.pop(link.connection, None)
        link.connection.abandon()

    # --- trouble ---------------------------------------------------------------------

    def stall(self, seconds: float) -> None:
        self._stalled_until = max(self._stalled_until, self.loop.time() + seconds)
        self._later(seconds, self._go_on_serving)

    def _go_on_serving(self) -> None:
        if self.loop.time() >= self._stalled_until:
            stalled, self._stalled = self._stalled, []
            for asked in stalled:
                self._arrive(asked)

    def restart(self, seconds: float) -> None:
        """Everyone is thrown out, and what was not committed is gone."""
        self._down_until = self.loop.time() + seconds
        for link in list(self._links.values()):
            link.is_cut = True
            link.connection.is_closed = True
            self._abandon(link)

    def recover(self) -> None:
        self._stalled_until = self._down_until = 0.0
        self._go_on_serving()

    def _later(self, seconds: float, callback: Callable[..., None], *args: Any) -> None:
        self.loop.call_later(seconds, callback, *args, context=self._context)
