"""The only way into the books: commands to a market, coalesced into few actor calls.

Every command that arrives while a call to its book is in flight travels in the next
one. A command keeps its id over every retry, so a book that died after its commit
answers the repeat from its stored answers.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import msgspec

from engine.market.answers import Claimed, Reply, Request, Undecided
from engine.market.commands import Command, Reprice

# A transport carries one encoded batch to a market's book and brings the replies.
Transport = Callable[[str, bytes], Awaitable[bytes]]

# What a book says instead of replies; neither is a MessagePack array.
AWAY = b"away"
BUSY = b"busy"

# Seconds between asking about a claim and asking again.
CLAIM_PAUSE_MIN = 0.004
CLAIM_PAUSE_MAX = 1.0

_encode = msgspec.msgpack.Encoder().encode
_replies = msgspec.msgpack.Decoder(list[Reply])


class BookUnavailable(Exception):
    """The book could not be asked in time: the outcome is unknown, repeat with the same id."""


class BookGaveUp(BookUnavailable):
    """The book tried this command by itself and could not commit it."""


class BookGone(Exception):
    """A transport's word that the book died or is not there: the batch may be sent again."""


class BookBusy(Exception):
    """The book's inbox, or the client's queue before it, is full: nothing was decided."""


class MarketClient:
    """Commands to books by market. One per process; use from one event loop.

    `calls_max` calls per book are in flight at a time, each of at most `batch_max`
    commands; at most `queue_max` commands wait per book. A command is retried while
    `patience` seconds last. `clock` is in seconds since the epoch, as the books'.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        calls_max: int = 2,
        batch_max: int = 256,
        queue_max: int = 20_000,
        patience: float = 8.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._transport = transport
        self._calls_max = calls_max
        self._batch_max = batch_max
        self._queue_max = queue_max
        self._patience = patience
        self._clock = clock
        # By market, and whether they are repricings: those are answered late, and nobody
        # else's command may wait for them in one call.
        self._lanes: dict[tuple[str, bool], _Lane] = {}

    async def submit(
        self,
        market: str,
        command: Command,
        *,
        command_id: bytes | None = None,
        request_hash: bytes | None = None,
    ) -> Reply:
        """The book's decided, committed answer.

        Raises BookUnavailable when none came in time, BookBusy when too many wait.
        """
        key = (market, isinstance(command, Reprice))
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane(market, self)
        request = Request(command_id or secrets.token_bytes(16), command, request_hash)
        return await lane.submit(request)


class _Waiter(NamedTuple):
    """A command and who waits for its answer, until `give_up_at` by the loop's clock."""

    request: Request
    future: asyncio.Future[Reply]
    give_up_at: float


class _Lane:
    """The queue to one book."""

    def __init__(self, market: str, client: MarketClient) -> None:
        self.market = market
        self.client = client
        self.waiting: deque[_Waiter] = deque()
        # Claims that are to be asked about again, so that the queue's bound covers them.
        self.claims = 0
        self.in_flight = 0
        self.calls: set[asyncio.Task[None]] = set()

    async def submit(self, request: Request) -> Reply:
        if len(self.waiting) + self.claims >= self.client._queue_max:
            raise BookBusy(f"{len(self.waiting)} commands wait for the {self.market} book")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Reply] = loop.create_future()
        self.waiting.append(_Waiter(request, future, loop.time() + self.client._patience))
        self._pump()
        return await future

    def _pump(self) -> None:
        while self.waiting and self.in_flight < self.client._calls_max:
            count = min(len(self.waiting), self.client._batch_max)
            batch = [self.waiting.popleft() for _ in range(count)]
            self.in_flight += 1
            call = asyncio.get_running_loop().create_task(self._call(batch))
            self.calls.add(call)
            call.add_done_callback(self._called)

    def _called(self, call: asyncio.Task[None]) -> None:
        self.calls.discard(call)
        self.in_flight -= 1
        self._pump()

    async def _call(self, batch: list[_Waiter]) -> None:
        """Send, and resend while the book is away. A waiter that left is skipped, not missed:
        its command may be decided all the same, as if its answer had been lost."""
        try:
            payload = _encode([waiter.request for waiter in batch])
            replies = _replies.decode(await self._send(payload))
            if len(replies) != len(batch):
                raise BookUnavailable(f"the {self.market} book answered out of step")
        except BaseException as error:
            for waiter in batch:
                if not waiter.future.done():
                    waiter.future.set_exception(_outcome(error, self.market))
            if not isinstance(error, Exception):
                raise
            return
        for waiter, reply in zip(batch, replies, strict=True):
            if waiter.future.done():
                continue
            if isinstance(reply.answer, Claimed):
                self._ask_again(waiter, reply.answer.decide_at)
            elif isinstance(reply.answer, Undecided):
                waiter.future.set_exception(
                    BookGaveUp(f"the {self.market} book could not carry this command out")
                )
            else:
                waiter.future.set_result(reply)

    def _ask_again(self, waiter: _Waiter, decide_at: int) -> None:
        """A claim is collected: ask once it is decided, under the same id. A book that died
        meanwhile has forgotten the claim, and collects it again."""
        loop = asyncio.get_running_loop()
        if loop.time() >= waiter.give_up_at:
            waiter.future.set_exception(
                BookUnavailable(f"the {self.market} book did not decide a claim in time")
            )
            return
        left = decide_at / 1e6 - self.client._clock()
        pause = min(max(left, 0.0), CLAIM_PAUSE_MAX) + CLAIM_PAUSE_MIN
        self.claims += 1
        loop.call_later(pause, self._again, waiter)

    def _again(self, waiter: _Waiter) -> None:
        self.claims -= 1
        if not waiter.future.done():
            self.waiting.append(waiter)
            self._pump()

    async def _send(self, payload: bytes) -> bytes:
        deadline = asyncio.get_running_loop().time() + self.client._patience
        pause = 0.02
        while True:
            left = deadline - asyncio.get_running_loop().time()
            try:
                async with asyncio.timeout(max(left, 0)):
                    replies = await self.client._transport(self.market, payload)
                if replies == BUSY:
                    raise BookBusy(f"the {self.market} book's inbox is full")
                if replies != AWAY:
                    return replies
                raise BookGone(f"the {self.market} book is not serving yet")
            except BookGone as gone:
                if left <= pause:
                    raise BookUnavailable(str(gone)) from gone
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, 0.25)


def _outcome(error: BaseException, market: str) -> Exception:
    """Each waiter gets an exception of its own: one shared between tasks grows its traceback."""
    if isinstance(error, BookBusy):
        return BookBusy(str(error))
    return BookUnavailable(f"the {market} book did not answer: {error or type(error).__name__}")
