"""`GET /v1/feed`: from the handshake to the end of a socket, as a plain ASGI application."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from serve_apps.api.feed.hub import FeedHub
from serve_apps.api.feed.principal import Authenticator, Principal
from serve_apps.api.feed.session import FeedSocket
from serve_apps.api.feed.tickets import Tickets, TicketsAway
from serve_apps.api.feed.writer import CLOSE_SECONDS, EXTENSION, AsgiWriter, Send
from serve_apps.api.problems import Problem, problem_of, unavailable

log = logging.getLogger(__name__)

Receive = Callable[[], Awaitable[dict[str, Any]]]

_HANDSHAKE_SECONDS = 8.0


class FeedEndpoint:
    """The WebSocket of a hub. `origins` are the further browser origins that may connect."""

    def __init__(
        self, hub: FeedHub, authenticator: Authenticator, tickets: Tickets, origins: frozenset[str]
    ) -> None:
        self._hub = hub
        self._authenticator = authenticator
        self._tickets = tickets
        self._origins = origins
        self._handshakes = 0

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        opening = await receive()
        if opening["type"] != "websocket.connect":
            return
        try:
            principal = await self._in_turn(scope)
            if refusal := self._hub.refusal(principal.user_id):
                raise refusal
            self._check_origin(scope)
        except Exception as error:
            await self._refuse(scope, send, error)
            return
        await send({"type": "websocket.accept"})
        await self._serve(scope, receive, send, principal)

    # --- handshake ---------------------------------------------------------------

    async def _in_turn(self, scope: dict[str, Any]) -> Principal:
        """Who it is. Of all who come at once after an outage, so many are looked at together."""
        if self._handshakes >= self._hub.limits.handshakes_max:
            raise self._hub.crowded("too many connect at once; try again")
        self._handshakes += 1
        try:
            async with asyncio.timeout(_HANDSHAKE_SECONDS):
                return await self._principal(scope)
        finally:
            self._handshakes -= 1

    async def _principal(self, scope: dict[str, Any]) -> Principal:
        authorization = _header(scope, b"authorization")
        if authorization is not None:
            principal = await self._authenticator.authenticate(authorization)
        else:
            ticket = parse_qs(scope["query_string"].decode("latin-1")).get("ticket", [""])[0]
            principal = await self._redeem(ticket) if ticket else None
        if principal is None:
            raise Problem(
                "unauthorized",
                "send Authorization: Bearer <access token>, or ?ticket= from"
                " POST /v1/feed/tickets, each ticket once",
                headers=[(b"www-authenticate", b"Bearer")],
            )
        return principal

    async def _redeem(self, ticket: str) -> Principal | None:
        try:
            principal = await self._tickets.redeem(ticket)
        except TicketsAway as away:
            raise unavailable("tickets can't be checked now; try again") from away
        if principal is None or principal.expires_at <= time.time():
            return None
        return principal if await self._authenticator.stands(principal) else None

    def _check_origin(self, scope: dict[str, Any]) -> None:
        """A page of another site must not open the feed in its visitor's name. Programs
        send no Origin. Raises Problem `forbidden`."""
        origin = _header(scope, b"origin")
        if origin is None:
            return
        text = origin.decode("latin-1").lower().rstrip("/")
        host = (_header(scope, b"host") or b"").decode("latin-1").lower()
        if text not in self._origins and not _same_host(text, host):
            raise Problem(
                "forbidden", "this Origin may not open the feed; add it to AIQLEADS_FEED_ORIGINS"
            )

    async def _refuse(self, scope: dict[str, Any], send: Send, error: Exception) -> None:
        request_id = secrets.token_hex(8)
        problem = problem_of(error, request_id)
        self._hub.metrics.refused.labels(str(problem.status)).inc()
        if "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": 1008, "reason": problem.slug})
            return
        body = msgspec.json.encode(problem.body(request_id))
        headers = [(b"content-type", b"application/problem+json"), *problem.headers]
        await send(
            {
                "type": "websocket.http.response.start",
                "status": problem.status,
                "headers": headers,
            }
        )
        await send({"type": "websocket.http.response.body", "body": body})

    # --- the socket --------------------------------------------------------------

    async def _serve(
        self, scope: dict[str, Any], receive: Receive, send: Send, principal: Principal
    ) -> None:
        connection = scope.get("extensions", {}).get(EXTENSION)
        if connection is not None:
            socket = FeedSocket(self._hub, connection, principal)
            connection.watcher = socket
            self._hub.admit(socket)
            connection.adopt(socket)
            return
        writer = AsgiWriter(send)
        socket = FeedSocket(self._hub, writer, principal)
        writer.watcher = socket
        self._hub.admit(socket)
        listening = asyncio.ensure_future(_listen(socket, receive))
        sending = asyncio.ensure_future(writer.run())
        try:
            await asyncio.wait((listening, sending), return_when=asyncio.FIRST_COMPLETED)
            # Closed by us: the client's answer is waited for. Gone: so says the server.
            await asyncio.wait((listening,), timeout=CLOSE_SECONDS)
        finally:
            for task in (listening, sending):
                task.cancel()
            outcomes = await asyncio.gather(listening, sending, return_exceptions=True)
            socket.on_lost(1006)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                # Servers say in ways of their own that the client is gone.
                log.debug("feed: a connection ended: %r", outcome)


async def _listen(socket: FeedSocket, receive: Receive) -> None:
    """Hand on the client's messages until the connection is over."""
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            socket.on_lost(message.get("code") or 1005)
            return
        text = message.get("text")
        if text is not None:
            socket.on_text(text)
        else:
            socket.on_binary()


def _header(scope: dict[str, Any], name: bytes) -> bytes | None:
    for key, value in scope["headers"]:
        if key.lower() == name:
            return bytes(value)
    return None


def _same_host(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or not host:
        return False
    return parts.netloc == host
