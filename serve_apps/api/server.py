"""One API replica: the application with a listener of its own, in the running event loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn

from actors.client import Transport
from actors.desks import DecideLead, UndoMerge
from actors.models import Recommends
from engine.settings import Settings
from serve_apps.api.app import Api, create_app
from serve_apps.api.deps import Deps, close_deps, open_deps
from serve_apps.api.feed.protocol import uvicorn_options
from serve_apps.api.housekeeping import keep_house
from serve_apps.api.http_protocol import ApiHttpProtocol

log = logging.getLogger(__name__)

BACKLOG = 2048
KEEP_ALIVE_SECONDS = 75
# A stopping replica takes no new connections and asks the clients of its open ones to
# go elsewhere for this long, then waits this long for what is in flight.
FAREWELL_SECONDS = 0.5
DRAIN_SECONDS = 10


class ApiReplica:
    """`start`, serve, `stop`. Several may share `settings.http_port` on one machine.

    `transport` carries commands to the books, `undo_merge` and `decide_lead` reach the desks,
    `recommends` the recommender; without a transport all are Ray's and Serve's.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        transport: Transport | None = None,
        undo_merge: UndoMerge | None = None,
        decide_lead: DecideLead | None = None,
        recommends: Recommends | None = None,
        port: int | None = None,
        farewell_seconds: float = FAREWELL_SECONDS,
    ) -> None:
        self._farewell_seconds = farewell_seconds
        self._settings = settings
        self._transport = transport
        self._undo_merge = undo_merge
        self._decide_lead = decide_lead
        self._recommends = recommends
        self.port = settings.http_port if port is None else port
        self.deps: Deps | None = None
        self._app: Api | None = None
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._housekeeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns once requests are taken. Raises OSError if the port can't be had, and
        what `open_deps` raises."""
        listener = reuse_port_socket(self._settings.http_host, self.port)
        try:
            self.port = listener.getsockname()[1]
            self.deps = await open_deps(
                self._settings,
                self._transport,
                self._undo_merge,
                self._decide_lead,
                self._recommends,
            )
        except BaseException:
            listener.close()
            raise
        self._app = create_app(self.deps)
        self._server = _Server(server_config(self._app))
        self._serving = asyncio.create_task(self._server.serve([listener]), name="api server")
        while not self._server.started:
            if self._serving.done():
                self._serving.result()
                raise RuntimeError("the HTTP server ended while it started")
            await asyncio.sleep(0.005)
        self._housekeeping = asyncio.create_task(keep_house(self.deps), name="housekeeping")
        log.info("API serves on %s:%d", self._settings.http_host, self.port)

    async def stop(self) -> None:
        """Finish what is in flight, within bounds, and let go. Sockets close with 1012."""
        if self._housekeeping is not None:
            self._housekeeping.cancel()
            await asyncio.gather(self._housekeeping, return_exceptions=True)
            self._housekeeping = None
        if self._server is not None and self._app is not None and self._serving is not None:
            self._app.gate.draining = True
            # Connections that wait in the accept queue are accepted in the same loop
            # pass; the kernel hands later ones to the other listeners of the port.
            await asyncio.sleep(0)
            for listening in self._server.servers:
                listening.close()
            await asyncio.sleep(self._farewell_seconds)
            if self.deps is not None:
                await self.deps.feed.stop()
            self._server.should_exit = True
            await asyncio.gather(self._serving, return_exceptions=True)
            self._server = None
        if self.deps is not None:
            await close_deps(self.deps)
            self.deps = None

    def check_health(self) -> None:
        """Raises RuntimeError if this replica's own listener no longer takes requests."""
        server, serving = self._server, self._serving
        if server is None or serving is None or serving.done():
            raise RuntimeError("the HTTP server is not running")
        if not all(listening.is_serving() for listening in server.servers):
            raise RuntimeError("the HTTP listener is closed")


class _Server(uvicorn.Server):
    """Signals are the process owner's business."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def server_config(app: Api) -> uvicorn.Config:
    """How uvicorn serves the API, with the feed's WebSocket protocol."""
    options: dict[str, Any] = {
        "http": ApiHttpProtocol,
        "loop": "none",
        "lifespan": "off",
        "log_config": None,
        # A query string may hold a ticket, and a log must not.
        "access_log": False,
        "server_header": False,
        # A client's own word on its address would be a way around its limit.
        "proxy_headers": False,
        "backlog": BACKLOG,
        "timeout_keep_alive": KEEP_ALIVE_SECONDS,
        "timeout_graceful_shutdown": DRAIN_SECONDS,
        **uvicorn_options(),
    }
    return uvicorn.Config(app, **options)


def reuse_port_socket(host: str, port: int) -> socket.socket:
    """A bound socket that shares its port with this installation's other replicas."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.setblocking(False)
        listener.bind(address)
    except BaseException:
        listener.close()
        raise
    return listener
