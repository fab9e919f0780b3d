"""CartShard: the carts of some of the buyers, and what they are told of them.

A shell around `engine.market.cart`. Carts are derived, so a shard writes none: it follows what
the books publish, and once a minute reads in the tables what it may have missed, for Redis may
be away and a shard die. What it remembers only says when to look. Whether a reminder is true,
and was given before, the notifier finds in the tables; so a restart, a move to another shard
or two shards that both believe to have a cart repeat nothing.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

import asyncpg

from actors.cart_clock import CartClock
from actors.cart_reader import CartReader, pages
from actors.mail_worker import MailServer, MailWorker
from actors.steady_clock import SteadyClock
from actors.user_publisher import UserPublisher
from engine.adapters.letters import Letters
from engine.adapters.postgres import live_holds
from engine.adapters.postgres.live_holds import LiveHold
from engine.adapters.postgres.notifier import PostgresNotifier
from engine.adapters.postgres.pool import open_pool
from engine.adapters.redis import user_stream
from engine.market.buyer_events import BuyerEvent
from engine.market.cart import MINUTE_US, Cart, CartBook
from engine.market.cart_shards import shard_of
from engine.market.notices import KINDS, Cause, Told
from engine.ports import Notifier

log = logging.getLogger(__name__)

RECONCILE_SECONDS = 60.0
# Carts rebuilt and followed since: beyond so many, all are rebuilt at the next touch.
REBUILT_MAX = 50_000
# Of the buyers' events, those that change a cart or are told.
_FOLLOWED = {"hold.started", "hold.extended", "hold.ended", *KINDS} - {"hold.expiring"}


class CartShard:
    """Shard `index` of `count`: `start`, then it follows and tells until `stop`.

    `mail` writes and sends the e-mails of the outbox; without it there are none. `clock` gives
    nanoseconds since the epoch.
    """

    def __init__(
        self,
        index: int,
        count: int,
        database_url: str,
        redis_url: str,
        reminder_minutes: Sequence[int],
        *,
        mail: tuple[Letters, MailServer] | None = None,
        reconcile_seconds: float = RECONCILE_SECONDS,
        clock: Callable[[], int] | None = None,
    ) -> None:
        steady = clock or SteadyClock()
        self.index = index
        self.count = count
        self._database_url = database_url
        self._redis_url = redis_url
        self._mail = mail
        self._reconcile_seconds = reconcile_seconds
        # Whatever is due before the next look but one has been read by then.
        ahead = max(reminder_minutes, default=0) * MINUTE_US
        self._horizon_us = ahead + int(3 * reconcile_seconds * 1e6)
        self._book = CartBook(reminder_minutes)
        self._clock = CartClock(self._book, self._tell, lambda: steady() // 1000)
        self._rebuilt: set[str] = set()
        self._missed = asyncio.Event()
        self._reconciling = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._pool: asyncpg.Pool | None = None
        self._publisher: UserPublisher | None = None
        self._reader: CartReader | None = None
        self._notifier: Notifier | None = None
        self._mails: MailWorker | None = None
        self._told = 0

    # --- life --------------------------------------------------------------------

    async def start(self) -> None:
        """Load what ends soon and serve. Raises OSError or asyncpg's errors without a database."""
        pool = await open_pool(self._database_url, application=f"carts:{self.index}", size_max=4)
        self._pool = pool
        self._reader = CartReader(
            pool,
            self._horizon_us,
            put=self._put,
            tell=self._tell_events,
            clock=self._clock.clock,
        )
        self._notifier = PostgresNotifier(pool, is_mailing=self._mail is not None)
        self._publisher = UserPublisher(self._redis_url)
        self._publisher.start()
        try:
            await self.reconcile()
        except BaseException:
            await self._close()
            raise
        # The carts are one dict, of a million it may be: not to be walked by the collector.
        gc.freeze()
        if self._mail is not None:
            self._mails = MailWorker(pool, *self._mail)
            self._mails.start()
        following = user_stream.follow(self._redis_url, self._on_events, self._on_missed)
        self._tasks = [
            asyncio.create_task(each, name=f"carts:{self.index}")
            for each in (self._clock.run(), following, self._keep_true())
        ]

    async def stop(self) -> None:
        """Let go; what is not told yet another start tells."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        if self._mails is not None:
            await self._mails.stop()
        await self._close()

    async def _close(self) -> None:
        if self._publisher is not None:
            await self._publisher.stop()
        if self._pool is not None:
            pool, self._pool = self._pool, None
            with suppress(TimeoutError):
                async with asyncio.timeout(5):
                    await pool.close()
            pool.terminate()

    def stats(self) -> dict[str, Any]:
        """For the operator: what the shard holds and did since it was made."""
        return {
            "shard": self.index,
            "shards": self.count,
            "serving": bool(self._tasks) and not any(task.done() for task in self._tasks),
            "carts": self._book.carts,
            "holds": self._book.holds,
            "timers": self._book.timers,
            "reminded": self._clock.reminded,
            "told": self._told,
            "waiting": self._clock.waiting,
            "mails_sent": self._mails.sent if self._mails else 0,
        }

    # --- carts -------------------------------------------------------------------

    async def cart(self, user_id: str) -> Cart:
        """A buyer's cart: rebuilt from the tables on first touch, followed from then on.

        Raises ValueError if another shard has it.
        """
        if not self._has(user_id):
            raise ValueError(f"carts:{shard_of(user_id, self.count)} has that cart")
        if user_id not in self._rebuilt:
            await self._rebuild([user_id])
        return self._book.cart(user_id, self._clock.clock())

    async def assign(self, index: int, count: int) -> None:
        """Be shard `index` of `count`: let go of carts that are others' now, load what is ours."""
        if (index, count) == (self.index, self.count):
            # Which may have been read in the tables just now.
            async with self._reconciling:
                return
        self.index, self.count = index, count
        await self._drop_others()
        await self.reconcile()

    async def reconcile(self) -> None:
        """Read what may have been missed: holds that end soon, and what should have been told."""
        assert self._reader is not None, "not started"
        async with self._reconciling:
            await self._see_count()
            await self._reader.read()

    @property
    def _db(self) -> asyncpg.Pool:
        assert self._pool is not None, "not started"
        return self._pool

    def _has(self, user_id: str) -> bool:
        return shard_of(user_id, self.count) == self.index

    async def _drop_others(self) -> None:
        assert self._reader is not None
        self._reader.look_back()
        self._rebuilt.clear()
        async for page in pages(self._book.users()):
            for user_id in page:
                if not self._has(user_id):
                    self._book.forget(user_id)

    async def _rebuild(self, user_ids: Sequence[str]) -> None:
        now = self._clock.clock()
        holds = await live_holds.of_users(self._db, user_ids, now)
        for user_id, mine in holds.items():
            self._book.replace(user_id, [(hold.held, hold.held_at) for hold in mine], now)
        if len(self._rebuilt) + len(holds) > REBUILT_MAX:
            self._rebuilt.clear()
        self._rebuilt.update(holds)
        self._clock.look()

    # --- following ---------------------------------------------------------------

    def _on_events(self, events: list[BuyerEvent]) -> None:
        mine = [each for each in events if each.type in _FOLLOWED and self._has(each.user_id)]
        now = self._clock.clock()
        try:
            for event in mine:
                self._book.apply(event, now)
        except (KeyError, TypeError, ValueError) as error:
            log.error("a %s can't be followed", event.type, exc_info=error)
            self._missed.set()
        self._clock.look()
        if not self._clock.add(_causes(mine)):
            self._missed.set()

    def _on_missed(self) -> None:
        self._rebuilt.clear()
        self._missed.set()

    async def _keep_true(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._reconcile_seconds):
                    await self._missed.wait()
            except TimeoutError:
                pass
            self._missed.clear()
            try:
                await self.reconcile()
            except Exception as error:
                words = str(error) or type(error).__name__
                log.warning("carts:%d can't be compared with the tables: %s", self.index, words)

    async def _see_count(self) -> None:
        """Take over what is written of the number of shards: an actor that Ray starts again is
        made with the number of its first day."""
        count = await self._db.fetchval("SELECT shards FROM cart_shards")
        if count is not None and count != self.count:
            self.count = count
            await self._drop_others()

    def _put(self, holds: Iterable[LiveHold]) -> None:
        now = self._clock.clock()
        for hold in holds:
            if self._has(hold.user_id):
                self._book.put(hold.user_id, hold.held, now, since=hold.held_at)
        self._clock.look()

    async def _tell_events(self, events: Sequence[BuyerEvent]) -> None:
        causes = _causes(event for event in events if self._has(event.user_id))
        if causes:
            await self._tell(causes, self._clock.clock())

    # --- telling -----------------------------------------------------------------

    async def _tell(self, causes: Sequence[Cause], now: int) -> None:
        assert self._notifier is not None
        assert self._publisher is not None
        telling = await self._notifier.tell(causes, now)
        self._publisher.put([event for each in telling.told for event in _published(each)])
        self._told += len(telling.told)
        if telling.told and self._mails is not None:
            self._mails.wake()
        # The cart said something that is not so: its book was missed.
        wrong = {c.event.user_id for c in telling.untrue if c.event.type == "hold.expiring"}
        if wrong:
            await self._rebuild([user_id for user_id in wrong if self._has(user_id)])


def _causes(events: Iterable[BuyerEvent]) -> list[Cause]:
    """Of those that a buyer is notified of."""
    return [Cause(event) for event in events if event.type in KINDS]


def _published(told: Told) -> list[BuyerEvent]:
    event, notification = told.cause.event, told.notification
    events = [event] if event.type == "hold.expiring" else []
    if told.in_app:
        shown = {name: getattr(notification, name) for name in notification.__struct_fields__}
        events.append(BuyerEvent(event.user_id, "notification", shown))
    return events
