"""The feed's WebSocket protocol for uvicorn: run it with `**uvicorn_options()`.

uvicorn's own, with every growth bounded, and a way for the application to write one
prebuilt frame to many connections without a coroutine for each.
"""

from __future__ import annotations

import logging
import socket
from asyncio.transports import BaseTransport, Transport
from typing import Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame as WebSocketFrame
from websockets.http11 import Request
from websockets.server import ServerProtocol

from serve_apps.api.feed.frame import Frame
from serve_apps.api.feed.writer import CLOSE_SECONDS, EXTENSION, LOW_WATER, Watcher
from serve_apps.api.feed.writer import HIGH_WATER as HIGH_WATER_BYTES

# What a client may send at once. Past it, close code 1009.
MESSAGE_BYTES_MAX = 64 * 1024
FRAGMENTS_MAX = 64

# A client that answers no ping within the second is gone. Seconds.
PING_SECONDS = 20.0
PONG_SECONDS = 20.0

# Unsent bytes the kernel keeps per socket: what is slow shows in our buffer, not there.
KERNEL_UNSENT_BYTES = 128 * 1024
# Answers to a client's pings wait in the buffer too.
PONG_BUFFER_MAX = 2 * 1024 * 1024


def uvicorn_options() -> dict[str, Any]:
    """Keyword arguments for `uvicorn.Config`."""
    return {
        "ws": FeedProtocol,
        "ws_max_size": MESSAGE_BYTES_MAX,
        "ws_per_message_deflate": False,
        "ws_ping_interval": PING_SECONDS,
        "ws_ping_timeout": PONG_SECONDS,
    }


class FeedProtocol(WebSocketsSansIOProtocol):
    """One connection. It is the FrameWriter in `scope["extensions"][EXTENSION]`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # Its lines name the query string, which carries tickets.
        self.logger = _quiet_logger()
        # No extension is offered: compression costs 40 KiB a connection, and a frame
        # could not be shared.
        self.conn = ServerProtocol(max_size=MESSAGE_BYTES_MAX, logger=self.logger)
        self.watcher: Watcher | None = None
        self.paused = False

    # --- FrameWriter -------------------------------------------------------------

    def write_frame(self, frame: Frame) -> None:
        if not self.close_sent:
            self.transport.write(frame.wire)

    def buffered(self) -> int:
        return self.transport.get_write_buffer_size()

    async def drain(self) -> None:
        await self.writable.wait()

    def close(self, code: int, reason: str) -> None:
        if self.close_sent or self.transport.is_closing():
            return
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        # The client's own close must be read for the handshake to end.
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.writable.set()
        self.close_timer = self.loop.call_later(CLOSE_SECONDS, self.transport.abort)

    # --- asyncio.Protocol ----------------------------------------------------------

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self.write_wire = cast(Transport, transport).write
        self.transport.set_write_buffer_limits(HIGH_WATER_BYTES, LOW_WATER)
        connection = transport.get_extra_info("socket")
        if connection is not None and hasattr(socket, "TCP_NOTSENT_LOWAT"):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, KERNEL_UNSENT_BYTES)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.watcher = None

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            # The request was not one of a WebSocket after all: say so and let go.
            self.transport.write(
                b"".join(self.conn.data_to_send())
                or b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            )
            self.handshake_initiated = self.handshake_complete = True
            self._let_go()

    def pause_writing(self) -> None:
        super().pause_writing()
        self.paused = True
        if self.watcher is not None:
            self.watcher.on_paused()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.paused = False
        if self.watcher is not None:
            self.watcher.on_drained()

    def shutdown(self) -> None:
        super().shutdown()
        self._let_go()

    # --- what uvicorn leaves unbounded ----------------------------------------------

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            self.scope["extensions"][EXTENSION] = self  # type: ignore[index]

    def handle_cont(self, event: WebSocketFrame) -> None:
        if len(self.frames) >= FRAGMENTS_MAX and not event.fin:
            self.close(1009, f"a message has at most {FRAGMENTS_MAX} fragments")
            self.frames = []
            return
        super().handle_cont(event)

    def handle_ping(self) -> None:
        if self.buffered() > PONG_BUFFER_MAX:
            self.transport.abort()
            return
        super().handle_ping()

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self._let_go()

    def handle_close(self, event: WebSocketFrame) -> None:
        super().handle_close(event)
        self._let_go()

    def handle_parser_exception(self) -> None:
        super().handle_parser_exception()
        self._let_go()

    def _let_go(self) -> None:
        """Close once the client has read what is buffered; don't wait for long."""
        self.transport.close()
        if self.buffered():
            self.loop.call_later(CLOSE_SECONDS, self.transport.abort)


def _quiet_logger() -> logging.Logger:
    logger = logging.getLogger("aiqleads.feed.protocol")
    logger.setLevel(logging.WARNING)
    return logger
