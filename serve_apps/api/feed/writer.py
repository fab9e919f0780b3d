"""The way to one client: what a socket needs of its connection, and the plain ASGI one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from serve_apps.api.feed.frame import Frame

# The ASGI scope's extension under which FeedProtocol offers its writer.
EXTENSION = "aiqleads.frames"

# What a client may send at once. Past it, close code 1009.
MESSAGE_BYTES_MAX = 64 * 1024

# A client that was sent a close has this long to read what is before it, seconds.
CLOSE_SECONDS = 5.0

# A writer is paused above the first and goes on below the second, bytes.
HIGH_WATER = 64 * 1024
LOW_WATER = 16 * 1024

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Watcher(Protocol):
    """Who is told how the client reads. Called from the event loop; must not wait or raise."""

    def on_paused(self) -> None: ...

    def on_drained(self) -> None: ...


class Listener(Watcher, Protocol):
    """Who is told, besides, what the client says."""

    def on_text(self, text: str) -> None: ...

    def on_binary(self) -> None: ...

    def on_control(self) -> bool:
        """A ping or pong; False if it should not be answered."""

    def on_lost(self, code: int) -> None:
        """The connection is over; `code` is the client's, or one for how it ended."""


class FrameWriter(Protocol):
    """Writes prebuilt frames; nothing here waits but `drain`."""

    watcher: Watcher | None
    paused: bool
    # Writes bytes of whole frames, as cheap as it gets; None if only `write_frame` can.
    write_wire: Callable[[bytes], object] | None

    def write_frame(self, frame: Frame) -> None: ...

    def buffered(self) -> int:
        """Bytes that the client has not been able to take yet."""

    async def drain(self) -> None:
        """Wait until the client has read most of what was written, or is gone."""

    def close(self, code: int, reason: str) -> None:
        """Send a close behind what is buffered; cut the connection if it is not read in time."""


class AsgiWriter:
    """Frames over the ASGI `send` of any server: a bounded queue and a task that empties it.

    The bound is its owner's to keep, by `buffered`. Run `run` beside the receiving side.
    """

    def __init__(self, send: Send) -> None:
        self.write_wire: Callable[[bytes], object] | None = None
        self.watcher: Watcher | None = None
        self.paused = False
        self._send = send
        self._queue: deque[Frame] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self._closing: tuple[int, str] | None = None

    def write_frame(self, frame: Frame) -> None:
        if self._closing is not None:
            return
        self._queue.append(frame)
        self._bytes += len(frame.wire)
        self._wake.set()
        if not self.paused and self._bytes > HIGH_WATER:
            self.paused = True
            self._drained.clear()
            if self.watcher is not None:
                self.watcher.on_paused()

    def buffered(self) -> int:
        return self._bytes

    async def drain(self) -> None:
        await self._drained.wait()

    def close(self, code: int, reason: str) -> None:
        if self._closing is None:
            self._closing = (code, reason)
            self._wake.set()
            # Nobody need wait for a buffer that won't drain.
            self._drained.set()

    async def run(self) -> None:
        """Send until closed. Raises whatever the server raises on a client that is gone."""
        while True:
            while self._queue and self._closing is None:
                frame = self._queue.popleft()
                await self._send({"type": "websocket.send", "text": frame.text})
                self._sent(frame)
            if self._closing is not None:
                await self._finish(*self._closing)
                return
            self._wake.clear()
            await self._wake.wait()

    def _sent(self, frame: Frame) -> None:
        self._bytes -= len(frame.wire)
        if self.paused and self._bytes < LOW_WATER:
            self.paused = False
            self._drained.set()
            if self.watcher is not None:
                self.watcher.on_drained()

    async def _finish(self, code: int, reason: str) -> None:
        async with asyncio.timeout(CLOSE_SECONDS):
            while self._queue:
                await self._send({"type": "websocket.send", "text": self._queue.popleft().text})
            await self._send({"type": "websocket.close", "code": code, "reason": reason})
