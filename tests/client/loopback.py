"""A server on loopback that answers as the test says, byte by byte if need be."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any


class Asked:
    """A request that came; `answer` it, `write` bytes, or return without either to hang up."""

    def __init__(self, head: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        first, *lines = head.split("\r\n")
        self.method, self.target, _ = first.split(" ", 2)
        named = (line.split(":", 1) for line in lines if ":" in line)
        self.headers = {name.lower(): value.strip() for name, value in named}
        self.body = body
        self._writer = writer

    @property
    def token(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def answer(self, status: int, body: Any = None, **headers: str) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"HTTP/1.1 {status} -", f"content-length: {len(content)}"]
        lines += [f"{name}: {value}" for name, value in named.items()]
        await self.write(("\r\n".join(lines) + "\r\n\r\n").encode() + content)


Handler = Callable[[Asked], Awaitable[None]]


class Loopback:
    def __init__(self, handler: Handler) -> None:
        self.asked: list[Asked] = []
        self.url = ""
        self._handler = handler
        self._open: set[asyncio.StreamWriter] = set()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    head = (await reader.readuntil(b"\r\n\r\n")).decode()
                    asked = Asked(head.rstrip(), b"", writer)
                    asked.body = await reader.readexactly(
                        int(asked.headers.get("content-length", "0"))
                    )
                    self.asked.append(asked)
                    await self._handler(asked)
                    if asked.headers.get("connection") == "close" or writer.is_closing():
                        return
        finally:
            self._open.discard(writer)
            writer.close()

    def hang_up(self) -> None:
        for writer in self._open:
            writer.transport.abort()


@contextlib.asynccontextmanager
async def loopback(handler: Handler) -> AsyncIterator[Loopback]:
    found = Loopback(handler)
    server = await asyncio.start_server(found, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield found
    finally:
        server.close()
        found.hang_up()
