"""The feed for programs that wait."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, reconnect

from aiqleads.client.errors import ClientError
from aiqleads.client.feed import sockets
from aiqleads.client.feed.channels import Channel
from aiqleads.client.feed.journey import Closed, Deed, GetToken, Hear, Open, Opened, Rest, Say, Shut
from aiqleads.client.feed.messages import FeedMessage
from aiqleads.client.feed.reading import FeedClosed, Reading
from aiqleads.client.wire import Lost, Received

_NO_SOCKET = Closed(1006, "there is no socket")


class _Connect(reconnect):
    """Does not follow redirects: a token is for the server it was got from."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class Feed:
    """Iterate over the messages of channels, for as long as wanted.

    A connection that breaks is taken up again where it ended. Use it as a context manager.
    One thread reads it; any may subscribe, unsubscribe and close. Raises ClientError when the
    server refuses for good.
    """

    def __init__(
        self,
        address: str,
        token: Callable[[str | None], str],
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
        # Held while the reading takes a step, never while anything is waited for.
        self._stepping = threading.Lock()
        self._closing = threading.Event()
        self._rest_until: float | None = None
        self._socket: ClientConnection | None = None
        self._open_sockets = ExitStack()

    @property
    def is_connected(self) -> bool:
        return self._reading.follower.is_open

    def since(self, market: str) -> int | None:
        """The number up to which a market's events have come; None before its snapshot."""
        return self._reading.follower.since(f"market:{market}")

    def subscribe(self, channel: Channel) -> None:
        """Follow one more channel. Raises ValueError if it is followed already."""
        with self._stepping:
            text = self._reading.follower.add(channel)
        self._tell(text)

    def unsubscribe(self, name: str) -> None:
        """Follow a channel no more. Raises ValueError if it is not followed."""
        with self._stepping:
            text = self._reading.follower.drop(name)
        self._tell(text)

    def next(self, seconds: float | None = None) -> FeedMessage | None:
        """The next message, None if there is none for so long; while it connects it may take
        longer. Raises FeedClosed."""
        until = None if seconds is None else time.monotonic() + seconds
        while (message := self._ready()) is None:
            deed = self._reading.deed
            try:
                came = self._do(deed, until)
            except _TimeIsUp:
                return None
            except ClientError as error:
                with self._stepping:
                    self._reading.failed(error)
            else:
                with self._stepping:
                    self._reading.came(came)
        return message

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> FeedMessage:
        try:
            message = self.next()
        except FeedClosed:
            raise StopIteration from None
        assert message is not None
        return message

    def close(self) -> None:
        self._closing.set()
        with self._stepping:
            self._reading.end()
        self._open_sockets.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # --- how it is done ------------------------------------------------------------

    def _ready(self) -> FeedMessage | None:
        with self._stepping:
            return self._reading.ready()

    def _do(self, deed: Deed, until: float | None) -> Any:
        match deed:
            case GetToken(stale):
                return self._token(stale)
            case Open(token):
                return self._open(token)
            case Say(text):
                return self._say(text)
            case Hear(seconds):
                return self._hear(seconds, until)
            case Rest(seconds):
                self._rest(seconds, until)
            case Shut():
                self._open_sockets.close()
                self._socket = None
        return None

    def _open(self, token: str) -> Opened | Received | Lost:
        try:
            self._socket = self._open_sockets.enter_context(
                _Connect(self._address, **sockets.options(token, self._trust_env))
            )
        except sockets.NOT_OPENED as error:
            return sockets.not_opened(error)
        if self._closing.is_set():
            self._open_sockets.close()
        return Opened()

    def _say(self, text: str) -> Closed | None:
        if self._socket is None:
            return _NO_SOCKET
        try:
            self._socket.send(text)
        except ConnectionClosed as error:
            return sockets.closed(error)
        return None

    def _hear(self, seconds: float | None, until: float | None) -> bytes | Closed | None:
        """Raises _TimeIsUp if nothing comes before `until`, and it is sooner."""
        if self._socket is None:
            return _NO_SOCKET
        left = None if until is None else max(0.0, until - time.monotonic())
        is_sooner = left is not None and (seconds is None or left < seconds)
        try:
            return self._socket.recv(timeout=left if is_sooner else seconds, decode=False)
        except ConnectionClosed as error:
            return sockets.closed(error)
        except TimeoutError:
            if is_sooner:
                raise _TimeIsUp from None
            return None

    def _rest(self, seconds: float, until: float | None) -> None:
        """A rest that was interrupted goes on with what is left of it."""
        now = time.monotonic()
        if self._rest_until is None:
            self._rest_until = now + seconds
        if until is not None and until < self._rest_until:
            self._closing.wait(max(0.0, until - now))
            raise _TimeIsUp
        self._closing.wait(max(0.0, self._rest_until - now))
        self._rest_until = None

    def _tell(self, text: str | None) -> None:
        """A message beside the journey; if it does not go out, the next socket says it."""
        if text is not None:
            self._say(text)


class _TimeIsUp(Exception):
    """Whoever asked for the next message waits no longer."""
