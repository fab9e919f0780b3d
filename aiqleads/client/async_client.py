"""The client for asyncio. Tasks of one event loop may share one."""

from __future__ import annotations

import asyncio
import copy
import random
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
from aiqleads.client.feed.async_feed import AsyncFeed
from aiqleads.client.feed.async_live_view import AsyncLiveView
from aiqleads.client.feed.channels import Channel, of_view
from aiqleads.client.http_errors import TOO_LARGE, TOO_LATE, lost
from aiqleads.client.operations import Awaiting, Operations
from aiqleads.client.patience import Patience
from aiqleads.client.session import Credentials, Session, credentials_of
from aiqleads.client.wire import BODY_BYTES_MAX, Lost, Received

T = TypeVar("T")


class AsyncClient(Operations, Awaiting):
    """The market at `base_url`, for one account: `Client` with `await`.

    Cancelling a call leaves the client whole; what was asked may still be done.
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
        http: httpx.AsyncClient | None = None,
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
        self._http = http or httpx.AsyncClient(trust_env=trust_env)
        self._owns_http = http is None
        # What changes the session, one at a time.
        self._renewing: asyncio.Task[Any] | None = None

    async def ask(self, call: Call[T]) -> T:
        return await self._run(exchange(call, self._manner))

    async def login(self, email: str, password: str) -> None:
        """Begin a session; it is renewed until it is ended, here or there."""
        await self._alone(signing_in(self._manner, Credentials(email, password)))

    async def logout(self) -> None:
        """End the session, and forget how another is begun."""
        await self._alone(signing_out(self._manner))

    def feed(self, *channels: Channel, give_up_seconds: float | None = None) -> AsyncFeed:
        """The messages of some channels as they come; see `aiqleads.client.feed.channels`.

        Without `give_up_seconds` it goes on however long the server is away.
        """
        return AsyncFeed(
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
    ) -> AsyncLiveView:
        """The leads on offer in a market, kept up to date: all, or those that `filter` (as of a
        search) lets through."""
        channels = of_view(market, with_prices, filter)
        return AsyncLiveView(
            market, self.feed(*channels, give_up_seconds=give_up_seconds), ready_seconds
        )

    async def close(self) -> None:
        await self._settled()
        if self._owns_http:
            await self._http.aclose()

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

    async def _feed_token(self, stale: str | None) -> str:
        return await self._run(token_other_than(stale, self._manner))

    async def _run(self, work: Work[T]) -> T:
        try:
            effect = next(work)
            while True:
                try:
                    came = await self._do(effect)
                except ClientError as error:
                    effect = work.throw(error)
                else:
                    effect = work.send(came)
        except StopIteration as done:
            answer: T = done.value
            return answer

    async def _do(self, effect: Effect) -> Any:
        match effect:
            case Send():
                return await self._send(effect)
            case Wait(seconds):
                await asyncio.sleep(seconds)
            case Renew():
                await self._renew(effect)
        return None

    async def _renew(self, wanted: Renew) -> None:
        """Joins a renewal under way, and outlives its caller: a refresh token that was sent,
        and whose answer nobody read, would be the end of the session."""
        renewing = self._renewing
        if renewing is None:
            if self._manner.session.is_usable(self._manner.clock(), wanted.stale):
                return
            renewing = self._begin(renewal(self._manner))
        done, _ = await asyncio.wait({renewing}, timeout=wanted.seconds)
        if not done:
            raise Unreachable("no new token in time")
        error = renewing.exception()
        if error is not None:
            # Each who waited gets one of their own: it is about their call too.
            raise copy.copy(error)

    async def _alone(self, work: Work[T]) -> T:
        await self._settled()
        return await asyncio.shield(self._begin(work))

    async def _settled(self) -> None:
        while self._renewing is not None:
            await asyncio.wait({self._renewing})

    def _begin(self, work: Work[T]) -> asyncio.Task[T]:
        task = asyncio.create_task(self._run(work))
        self._renewing = task
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._renewing = None
        if not task.cancelled():
            # Its caller may have been cancelled; then nobody else asks.
            task.exception()

    async def _send(self, wanted: Send) -> Received | Lost:
        request = wanted.request
        try:
            async with (
                asyncio.timeout(wanted.seconds),
                self._http.stream(
                    request.method,
                    self.base_url + request.target,
                    headers=request.headers,
                    content=request.content,
                    timeout=wanted.seconds,
                ) as response,
            ):
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > BODY_BYTES_MAX:
                        return TOO_LARGE
                return Received(response.status_code, response.headers, bytes(body))
        except httpx.RequestError as error:
            return lost(error)
        except TimeoutError:
            return TOO_LATE
