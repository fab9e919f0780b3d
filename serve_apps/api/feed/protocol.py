"""The feed's WebSocket protocol for uvicorn: run it with `**uvicorn_options()`.

uvicorn's own, with every growth bounded, and a way for the application to write one
prebuilt frame to many connections without a coroutine for each.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from asyncio.transports import BaseTransport, Transport
from typing import Any, cast

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame as WebSocketFrame
from websockets.http11 import Request
from websockets.server import ServerProtocol

from serve_apps.api.feed.frame import Frame
from serve_apps.api.feed.writer import (
    CLOSE_SECONDS,
    EXTENSION,
    LOW_WATER,
    MESSAGE_BYTES_MAX,
    Listener,
    Watcher,
)
from serve_apps.api.feed.writer import HIGH_WATER as HIGH_WATER_BYTES

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


class Gate:
    """An asyncio.Event of 100 bytes instead of 900: there is one for each connection."""

    __slots__ = ("_open", "_waiting")

    def __init__(self) -> None:
        self._open = True
        self._waiting: list[asyncio.Future[None]] | None = None

    def is_set(self) -> bool:
        return self._open

    def set(self) -> None:
        self._open = True
        waiting, self._waiting = self._waiting, None
        for future in waiting or ():
            if not future.done():
                future.set_result(None)

    def clear(self) -> None:
        self._open = False

    async def wait(self) -> None:
        while not self._open:
            future = asyncio.get_running_loop().create_future()
            if self._waiting is None:
                self._waiting = []
            self._waiting.append(future)
            await future


class _Nobody:
    """The queue of an adopted connection: nobody receives from it any more."""

    def put_nowait(self, message: object) -> None:
        pass


_NOBODY = _Nobody()


class FeedProtocol(WebSocketsSansIOProtocol):
    """One connection. It is the FrameWriter in `scope["extensions"][EXTENSION]`.

    Once accepted it may be adopted: its messages then go straight to a Listener and the
    application returns. A connection that lives for hours costs no task, no queue and no
    stack of coroutines, and what only its handshake needed is let go: 10 KiB each.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # Its lines name the query string, which carries tickets.
        self.logger = _quiet_logger()
        # No extension is offered: compression costs 40 KiB a connection, and a frame
        # could not be shared.
        self.conn = ServerProtocol(max_size=MESSAGE_BYTES_MAX, logger=self.logger)
        self.writable = Gate()  # type: ignore[assignment]
        self.watcher: Watcher | None = None
        self.paused = False
        self._listener: Listener | None = None
        self._adopted = False

    def adopt(self, listener: Listener) -> None:
        """From now on `listener` hears the client. Call once, after accepting."""
        self._listener = listener
        self._adopted = True
        waiting, self.queue = self.queue, _NOBODY  # type: ignore[assignment]
        del self.request, self.response, self.scope
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        while not waiting.empty():
            # What came with the handshake.
            message = waiting.get_nowait()
            if message["type"] == "websocket.disconnect":
                self._lose(message.get("code", 1005))
            elif (text := message.get("text")) is not None:
                listener.on_text(str(text))
            elif message["type"] == "websocket.receive":
                listener.on_binary()

    def send_receive_event_to_app(self) -> None:
        listener = self._listener
        if listener is None:
            super().send_receive_event_to_app()
            return
        data = self.frames[0] if len(self.frames) == 1 else b"".join(self.frames)
        self.frames = []
        if self.close_sent:
            return
        if self.curr_msg_data_type != "text":
            listener.on_binary()
            return
        try:
            text = bytes(data).decode()
        except UnicodeDecodeError:
            self.close(1007, "messages are UTF-8")
            return
        listener.on_text(text)

    def _lose(self, code: int) -> None:
        listener, self._listener, self.watcher = self._listener, None, None
        if listener is not None:
            listener.on_lost(code)

    async def run_asgi(self) -> None:
        """As uvicorn's, but an adopted connection outlives the application's call."""
        try:
            await self.app(self.scope, self.receive, self.send)
        except ClientDisconnected:
            pass
        except Exception:
            self.logger.exception("a socket's application failed")
            self.send_500_response()
        finally:
            if not self._adopted:
                self.send_500_response()
                if self.close_timer is None:
                    self.transport.close()

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
        ended = self.conn.close_rcvd or self.conn.close_sent
        self._lose(1006 if ended is None else ended.code)

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
            extensions = cast(dict[str, Any], self.scope["extensions"])
            extensions[EXTENSION] = self

    def handle_cont(self, event: WebSocketFrame) -> None:
        if len(self.frames) >= FRAGMENTS_MAX and not event.fin:
            self.close(1009, f"a message has at most {FRAGMENTS_MAX} fragments")
            self.frames = []
            return
        super().handle_cont(event)

    def handle_ping(self) -> None:
        if self._listener is not None and not self._listener.on_control():
            return
        if self.buffered() > PONG_BUFFER_MAX:
            self.transport.abort()
            return
        super().handle_ping()

    def handle_pong(self, event: WebSocketFrame) -> None:
        if self._listener is None or self._listener.on_control():
            super().handle_pong(event)

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
