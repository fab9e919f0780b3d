"""The client for programs that wait. Threads may share one."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from aiqleads.client.address import checked_base, feed_address
from aiqleads.client.answers.accounts import Tokens
from aiqleads.client.calls.call import Call
from aiqleads.client.errors import ClientError, Unreachable
from aiqleads.client.exchange import (
    Effect,
    Manner,
    Renew,
    Send,
    Wait,
    Work,
    exchange,
    renewal,
    signing_in,
    signing_out,
    token_other_than,
)
from aiqleads.client.feed.channels import Channel, of_view
from aiqleads.client.feed.sync_feed import Feed
from aiqleads.client.feed.sync_live_view import LiveView
from aiqleads.client.http_errors import TOO_LARGE, TOO_LATE, lost
from aiqleads.client.operations import Blocking, Operations
from aiqleads.client.patience import Patience
from aiqleads.client.session import Credentials, Session, credentials_of
from aiqleads.client.wire import BODY_BYTES_MAX, Lost, Received

T = TypeVar("T")


class Client(Operations, Blocking):
    """The market at `base_url`, for one account.

    With `email` and `password` it signs in when it has to, and again when a session ends; with
    `tokens` it goes on with a session that `on_tokens` told of before. Otherwise `login`. All
    methods raise ClientError. Use it as a context manager, or `close` it.
    """

    def __init__(
        self,
        base_url: str,
        *,
        email: str | None = None,
        password: str | None = None,
        tokens: Tokens | None = None,
        on_tokens: Callable[[Tokens | None], None] | None = None,
        patience: Patience | None = None,
        trust_env: bool = True,
        http: httpx.Client | None = None,
        rng: random.Random | None = None,
    ) -> None:
        """`trust_env` takes proxies from the environment. `http` is an httpx client to use
        instead of an own; several may share it, and it is not closed here."""
        self.base_url = checked_base(base_url)
        session = Session(credentials_of(email, password), on_tokens)
        if tokens is not None:
            session.take_up(tokens, time.monotonic())
        self._manner = Manner(
            session, patience or Patience(), time.monotonic, rng or random.Random()
        )
        self._trust_env = trust_env
        self._http = http or httpx.Client(trust_env=trust_env)
        self._owns_http = http is None
        self._renewing = threading.Lock()

    def ask(self, call: Call[T]) -> T:
        return self._run(exchange(call, self._manner))

    def login(self, email: str, password: str) -> None:
        """Begin a session; it is renewed until it is ended, here or there."""
        with self._renewing:
            self._run(signing_in(self._manner, Credentials(email, password)))

    def logout(self) -> None:
        """End the session, and forget how another is begun."""
        with self._renewing:
            self._run(signing_out(self._manner))

    def feed(self, *channels: Channel, give_up_seconds: float | None = None) -> Feed:
        """The messages of some channels as they come; see `aiqleads.client.feed.channels`.

        Without `give_up_seconds` it goes on however long the server is away.
        """
        return Feed(
            feed_address(self.base_url),
            self._feed_token,
            channels,
            trust_env=self._trust_env,
            rng=self._manner.rng,
            give_up_seconds=give_up_seconds,
        )

    def view(
        self,
        market: str,
        *,
        with_prices: bool = True,
        filter: Mapping[str, Any] | None = None,
        ready_seconds: float = 30.0,
        give_up_seconds: float | None = None,
    ) -> LiveView:
        """The leads on offer in a market, kept up to date: all, or those that `filter` (as of a
        search) lets through."""
        channels = of_view(market, with_prices, filter)
        return LiveView(
            market, self.feed(*channels, give_up_seconds=give_up_seconds), ready_seconds
        )

    def close(self) -> None:
        if self._owns_http:
            self._http.close()

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

    def _feed_token(self, stale: str | None) -> str:
        return self._run(token_other_than(stale, self._manner))

    def _run(self, work: Work[T]) -> T:
        try:
            effect = next(work)
            while True:
                try:
                    came = self._do(effect)
                except ClientError as error:
                    effect = work.throw(error)
                else:
                    effect = work.send(came)
        except StopIteration as done:
            answer: T = done.value
            return answer

    def _do(self, effect: Effect) -> Any:
        match effect:
            case Send():
                return self._send(effect)
            case Wait(seconds):
                time.sleep(seconds)
            case Renew():
                self._renew(effect)
        return None

    def _renew(self, wanted: Renew) -> None:
        if not self._renewing.acquire(timeout=wanted.seconds):
            raise Unreachable("no new token in time")
        try:
            if not self._manner.session.is_usable(self._manner.clock(), wanted.stale):
                self._run(renewal(self._manner))
        finally:
            self._renewing.release()

    def _send(self, wanted: Send) -> Received | Lost:
        request, give_up_at = wanted.request, time.monotonic() + wanted.seconds
        try:
            with self._http.stream(
                request.method,
                self.base_url + request.target,
                headers=request.headers,
                content=request.content,
                timeout=wanted.seconds,
            ) as response:
                body = bytearray()
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > BODY_BYTES_MAX:
                        return TOO_LARGE
                    if time.monotonic() > give_up_at:
                        return TOO_LATE
                return Received(response.status_code, response.headers, bytes(body))
        except httpx.RequestError as error:
            return lost(error)
