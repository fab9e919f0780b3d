"""The feed for asyncio."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from aiqleads.client.errors import ClientError
from aiqleads.client.feed import sockets
from aiqleads.client.feed.channels import Channel
from aiqleads.client.feed.journey import Closed, Deed, GetToken, Hear, Open, Opened, Rest, Say, Shut
from aiqleads.client.feed.messages import FeedMessage
from aiqleads.client.feed.reading import FeedClosed, Reading
from aiqleads.client.wire import Lost, Received

_CUT_SHORT = Closed(1006, "a message was cut short")


class _Connect(connect):
    """Does not follow redirects: a token is for the server it was got from."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class AsyncFeed:
    """`async for` over the messages of channels, for as long as wanted.

    A connection that breaks is taken up again where it ended. Use it as a context manager;
    one task reads it. A read may be cancelled, as by a timeout: nothing is lost. Raises
    ClientError when the server refuses for good.
    """

    def __init__(
        self,
        address: str,
        token: Callable[[str | None], Awaitable[str]],
        channels: Iterable[Channel],
        *,
        trust_env: bool = True,
        rng: random.Random | None = None,
        give_up_seconds: float | None = None,
    ) -> None:
        """`token` gets an access token that is not the given one."""
        self._address = address
        self._token = token
        self._trust_env = trust_env
        self._reading = Reading(channels, time.monotonic, rng, give_up_seconds)
        self._rest_until: float | None = None
        self._socket: ClientConnection | None = None
        self._opening: asyncio.Task[Opened | Received | Lost] | None = None

    @property
    def is_connected(self) -> bool:
        return self._reading.follower.is_open

    def since(self, market: str) -> int | None:
        """The number up to which a market's events have come; None before its snapshot."""
        return self._reading.follower.since(f"market:{market}")

    async def subscribe(self, channel: Channel) -> None:
        """Follow one more channel. Raises ValueError if it is followed already."""
        await self._tell(self._reading.follower.add(channel))

    async def unsubscribe(self, name: str) -> None:
        """Follow a channel no more. Raises ValueError if it is not followed."""
        await self._tell(self._reading.follower.drop(name))

    async def next(self, seconds: float | None = None) -> FeedMessage | None:
        """The next message, None if there is none for so long. Raises FeedClosed."""
        try:
            async with asyncio.timeout(seconds):
                return await self._next()
        except TimeoutError:
            return None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> FeedMessage:
        try:
            return await self._next()
        except FeedClosed:
            raise StopAsyncIteration from None

    async def close(self) -> None:
        self._reading.end()
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait({self._opening})
        await self._shut()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    # --- how it is done ------------------------------------------------------------

    async def _next(self) -> FeedMessage:
        while (message := self._reading.ready()) is None:
            try:
                came = await self._do(self._reading.deed)
            except ClientError as error:
                self._reading.failed(error)
            else:
                self._reading.came(came)
        return message

    async def _do(self, deed: Deed) -> Any:
        match deed:
            case GetToken(stale):
                return await self._token(stale)
            case Open(token):
                return await self._open(token)
            case Say(text):
                return await self._say(text)
            case Hear(seconds):
                return await self._hear(seconds)
            case Rest(seconds):
                await self._rest(seconds)
            case Shut():
                await self._shut()
        return None

    async def _open(self, token: str) -> Opened | Received | Lost:
        """Goes on while nobody reads: else short reads would begin it again and again."""
        if self._opening is None:
            self._opening = asyncio.create_task(self._connect(token))
        opening = self._opening
        await asyncio.wait({opening})
        self._opening = None
        return opening.result()

    async def _connect(self, token: str) -> Opened | Received | Lost:
        try:
            self._socket = await _Connect(self._address, **sockets.options(token, self._trust_env))
        except sockets.NOT_OPENED as error:
            return sockets.not_opened(error)
        return Opened()

    async def _say(self, text: str) -> Closed | None:
        if self._socket is None:
            return _CUT_SHORT
        try:
            await self._socket.send(text)
        except ConnectionClosed as error:
            return sockets.closed(error)
        except asyncio.CancelledError:
            # Nobody knows whether it went out: another socket will say it.
            socket, self._socket = self._socket, None
            socket.transport.abort()
            raise
        return None

    async def _hear(self, seconds: float | None) -> bytes | Closed | None:
        if self._socket is None:
            return _CUT_SHORT
        try:
            async with asyncio.timeout(seconds):
                return await self._socket.recv(decode=False)
        except ConnectionClosed as error:
            return sockets.closed(error)
        except TimeoutError:
            return None

    async def _rest(self, seconds: float) -> None:
        """A rest that was interrupted goes on with what is left of it."""
        if self._rest_until is None:
            self._rest_until = time.monotonic() + seconds
        await asyncio.sleep(max(0.0, self._rest_until - time.monotonic()))
        self._rest_until = None

    async def _shut(self) -> None:
        socket = self._socket
        if socket is not None:
            await socket.close()
            self._socket = None

    async def _tell(self, text: str | None) -> None:
        """A message beside the journey; if it does not go out, the next socket says it."""
        if text is not None:
            await self._say(text)
