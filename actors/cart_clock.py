"""The time of a shard's carts: sleeps until something is due, then has it told."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence

import asyncpg

from engine.market.buyer_events import BuyerEvent
from engine.market.cart import MINUTE_US, CartBook, Reminder
from engine.market.instant import rfc3339
from engine.market.notices import Cause

log = logging.getLogger(__name__)

# Reminders, and as many other causes, told together.
BATCH_MAX = 500
# Causes that wait to be told.
WAITING_MAX = 50_000
# The longest sleep, and the shortest: what falls due within it is told together.
SLEEP_SECONDS_MAX = 1.0
SLEEP_SECONDS_MIN = 0.01
PAUSE_SECONDS = 0.1
PAUSE_SECONDS_MAX = 5.0

# What is tried again as it is.
OUTAGES = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
)
Tell = Callable[[Sequence[Cause], int], Awaitable[None]]


class CartClock:
    """`tell` is awaited with what is to be told at `now` (µs); what it raises is tried again.

    The book is changed by the owner, who then calls `look`. `clock` gives µs since the epoch.
    """

    def __init__(self, book: CartBook, tell: Tell, clock: Callable[[], int]) -> None:
        self.book = book
        self.clock = clock
        self._tell = tell
        self._waiting: deque[Cause] = deque()
        # Taken from the book and not told yet.
        self._reminders: list[Reminder] = []
        self._woken = asyncio.Event()
        self._sleeps_until: int | None = None
        self.reminded = 0

    @property
    def waiting(self) -> int:
        return len(self._waiting) + len(self._reminders)

    def add(self, causes: Iterable[Cause]) -> bool:
        """Have these told; False if there were more than can wait, and some are lost."""
        room = WAITING_MAX - len(self._waiting)
        taken = list(causes)
        self._waiting.extend(taken[:room])
        if taken:
            self._woken.set()
        return len(taken) <= room

    def look(self) -> None:
        """Wake if something is due earlier than it was."""
        due = self.book.next_due()
        if due is not None and self._sleeps_until is not None and due < self._sleeps_until:
            self._woken.set()

    async def run(self) -> None:
        """Until cancelled."""
        pause = PAUSE_SECONDS
        while True:
            try:
                await self._turn()
                pause = PAUSE_SECONDS
            except Exception as error:
                log.warning("buyers can't be told yet: %s", str(error) or type(error).__name__)
                await asyncio.sleep(pause)
                pause = min(pause * 2, PAUSE_SECONDS_MAX)

    async def _turn(self) -> None:
        now = self.clock()
        # After a failure some may be over, or a nearer one of the same hold be due.
        self._reminders = [each for each in self._reminders if self.book.is_nearest(each, now)]
        room = BATCH_MAX - len(self._reminders)
        self._reminders += itertools.islice(self.book.due(now), room)
        causes = [_cause(reminder, now) for reminder in self._reminders]
        others = list(itertools.islice(self._waiting, BATCH_MAX))
        if not causes and not others:
            await self._sleep(now)
            return
        await self._tell_all(causes + others, now)
        self.reminded += len(causes)
        self._reminders = []
        for _ in others:
            self._waiting.popleft()

    async def _tell_all(self, causes: Sequence[Cause], now: int) -> None:
        try:
            await self._tell(causes, now)
        except OUTAGES:
            raise
        except Exception as error:
            # One that can't be told must not keep back the others.
            log.error("told one by one, after", exc_info=error)
            for cause in causes:
                await self._tell_alone(cause, now)

    async def _tell_alone(self, cause: Cause, now: int) -> None:
        try:
            await self._tell([cause], now)
        except OUTAGES:
            raise
        except Exception as error:
            log.error("a %s can't be told", cause.event.type, exc_info=error)

    async def _sleep(self, now: int) -> None:
        due = self.book.next_due()
        seconds = SLEEP_SECONDS_MAX
        if due is not None:
            seconds = min(max((due - now) / 1e6, SLEEP_SECONDS_MIN), seconds)
        self._woken.clear()
        self._sleeps_until = now + int(seconds * 1e6)
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            pass
        finally:
            self._sleeps_until = None


def _cause(reminder: Reminder, now: int) -> Cause:
    held = reminder.held
    body = {
        "market": held.market,
        "lead_id": held.lead_id,
        "price": held.price,
        "hold": held.hold,
        "held_until": rfc3339(held.held_until),
        # Rounded up: ten minutes before the end, less the moment this took, ten are left.
        "minutes_left": -(-(held.held_until - now) // MINUTE_US),
    }
    return Cause(BuyerEvent(reminder.user_id, "hold.expiring", body), reminder.minutes)
