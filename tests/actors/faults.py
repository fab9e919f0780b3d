"""What goes wrong between a book and its servers: statements that fail, wires that break."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg

COUNTED = ("execute", "executemany", "fetch", "fetchrow", "fetchval")


class FailingConnection:
    """A connection that breaks at its `fail_at`th step, before or after the server did it.

    Steps are statements and the commit of a transaction.
    """

    def __init__(self, connection: asyncpg.Connection, fail_at: int, *, after: bool) -> None:
        self._connection = connection
        self._left = fail_at
        self._after = after
        self.failed = False

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._connection, name)
        if name not in COUNTED:
            return attribute

        async def counted(*args: Any, **kwargs: Any) -> Any:
            async with self._step():
                return await attribute(*args, **kwargs)

        return counted

    @contextlib.asynccontextmanager
    async def transaction(self, **options: Any) -> Any:
        inner = self._connection.transaction(**options)
        await inner.start()
        try:
            yield
        except BaseException:
            if not self._connection.is_closed():
                await inner.rollback()
            raise
        async with self._step():
            await inner.commit()

    @contextlib.asynccontextmanager
    async def _step(self) -> Any:
        self._left -= 1
        if self._left == 0 and not self._after:
            self._break()
        yield
        if self._left == 0:
            self._break()

    def _break(self) -> None:
        self.failed = True
        self._connection.terminate()
        raise asyncpg.ConnectionDoesNotExistError("the connection broke")


class Wire:
    """A TCP wire to a server that can be cut and mended; `url` leads through it."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._port = 0
        self._ends: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        credentials, at, _ = self._target.netloc.rpartition("@")
        netloc = f"{credentials}{at}127.0.0.1:{self._port}"
        return urlunsplit(self._target._replace(netloc=netloc))

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Refuse new connections and drop those there are."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for end in list(self._ends):
            end.transport.abort()
        if self._pumps:
            await asyncio.wait(self._pumps)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self._target.hostname is not None
        assert self._target.port is not None
        far_reader, far_writer = await asyncio.open_connection(
            self._target.hostname, self._target.port
        )
        self._ends |= {writer, far_writer}
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            pump = asyncio.create_task(self._pump(source, sink))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65_536):
                sink.write(data)
                await sink.drain()
        self._ends.discard(sink)
        sink.transport.abort()


@contextlib.asynccontextmanager
async def wire(url: str) -> Any:
    each = Wire(url)
    await each.mend()
    try:
        yield each
    finally:
        await each.cut()
