"""The feed of one replica: every market read once, fanned out to the sockets it has."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Iterable, Sequence

from engine.adapters.postgres.feed_journal import AWAY, FeedJournal, PriceTick
from engine.adapters.redis import user_stream
from engine.adapters.redis.feed_reader import FeedReader
from serve_apps.api.feed.close_codes import FAILED, SERVER_STOPS, TOKEN_OVER
from serve_apps.api.feed.filters import Filters
from serve_apps.api.feed.frame import FrameCache
from serve_apps.api.feed.limits import FeedLimits
from serve_apps.api.feed.market_feed import MarketFeed
from serve_apps.api.feed.metrics import FeedMetrics
from serve_apps.api.feed.price_feed import PriceFeed
from serve_apps.api.feed.principal import Authenticator
from serve_apps.api.feed.read_model import ReadModel, load
from serve_apps.api.feed.readers import Readers
from serve_apps.api.feed.session import FeedSocket
from serve_apps.api.feed.user_feed import USER_CHANNEL, UserFeed
from serve_apps.api.problems import Problem, unavailable

log = logging.getLogger(__name__)

_LOADS_AT_ONCE = 4
_RESTART_PAUSE_SECONDS = 1.0
# Sockets closed, or swept, before the loop may do something else.
_SLICE = 250
# Between the slices of a stop: all that a server takes are gone within a second, and come
# to the others as many at a time.
_STOP_PAUSE_SECONDS = 0.02
_COME_BACK = "connect again after a random 0-5 s, with since"
_RETRY_SECONDS_MAX = 5


class FeedHub:
    """`start`, then admit sockets until `stop`. It is the FeedFollower of its reader."""

    def __init__(
        self,
        *,
        redis_url: str,
        journal: FeedJournal,
        markets: Iterable[str],
        authenticator: Authenticator,
        limits: FeedLimits,
        metrics: FeedMetrics,
        readers: Readers,
    ) -> None:
        self.journal = journal
        self.limits = limits
        self.metrics = metrics
        self.readers = readers
        self.cache = FrameCache(limits.cache_bytes_max)
        self.journal_reads = asyncio.Semaphore(limits.journal_reads_at_once)
        # Sockets whose connection is full, kept by their writers' calls.
        self.paused: set[FeedSocket] = set()
        self.stopping = False
        self.user = UserFeed()
        self._redis_url = redis_url
        self._markets = list(markets)
        self._authenticator = authenticator
        self._sockets: dict[FeedSocket, None] = {}
        self._feeds: dict[str, MarketFeed] = {}
        self._prices: dict[str, PriceFeed] = {}
        self.filters = Filters(self._feeds, limits)
        self._building = asyncio.Lock()
        self._reader: FeedReader | None = None
        self._tasks: list[asyncio.Task[None]] = []

    # --- life --------------------------------------------------------------------

    async def start(self) -> None:
        """Load the markets and follow them. Raises as FeedJournal does without a database."""
        await self._load()
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._read(), name="feed:read"),
            loop.create_task(self._sweep(), name="feed:sweep"),
            loop.create_task(self._tell_readers(), name="feed:readers"),
        ]
        if self._redis_url:
            self._tasks.append(loop.create_task(self._tell_users(), name="feed:users"))

    async def stop(self) -> None:
        """Close every socket with 1012, some at a time, and let go. Admits nobody any more."""
        self.stopping = True
        await _end(self._tasks)
        await self._close_all(SERVER_STOPS, f"the server stops; {_COME_BACK}", _STOP_PAUSE_SECONDS)
        await self.filters.stop()
        await self.readers.leave()

    @property
    def alive(self) -> bool:
        """Whether it is following the markets: a condition of the replica's readiness."""
        return bool(self._tasks) and not any(task.done() for task in self._tasks)

    @property
    def streaming(self) -> bool:
        """Whether Redis brings the events; if not, the journal does, a little later."""
        return self._reader is not None and self._reader.streaming

    def model(self, market: str) -> ReadModel | None:
        """What is known of a market's live prices and states; None if it is not traded here."""
        feed = self._feeds.get(market)
        return feed.model if feed is not None else None

    async def _load(self) -> None:
        gate = asyncio.Semaphore(_LOADS_AT_ONCE)

        async def load_one(market: str) -> ReadModel:
            async with gate:
                return await load(self.journal, market)

        models = await asyncio.gather(*(load_one(market) for market in self._markets))
        reader = FeedReader(self._redis_url, self.journal, self)
        for model in models:
            market = model.market
            self._feeds[market] = MarketFeed(
                model,
                journal=self.journal,
                limits=self.limits,
                cache=self.cache,
                metrics=self.metrics,
                paused=self.paused,
                written=self._written,
                building=self._building,
            )
            self._prices[market] = PriceFeed(
                model, self.limits.prices_interval_seconds, self.paused, self._written
            )
            reader.follow(market, model.seq, model.position)
        self._reader = reader

    async def _read(self) -> None:
        """Follow the markets. What nobody foresaw ends in the one way back: load anew."""
        while True:
            assert self._reader is not None
            try:
                await self._reader.run()
            except Exception:
                log.exception("feed: reading failed; every market is loaded anew")
            await self._close_all(FAILED, _COME_BACK)
            await self.filters.stop()
            while True:
                await asyncio.sleep(_RESTART_PAUSE_SECONDS)
                try:
                    await self._load()
                    break
                except AWAY as error:
                    log.warning("feed: the markets can't be loaded yet: %s", error)

    async def _tell_users(self) -> None:
        """Follow what single buyers are told; without Redis they read it by GET."""
        telling: set[asyncio.Task[None]] = set()

        def on_missed() -> None:
            task = asyncio.get_running_loop().create_task(self.user.tell_missed())
            telling.add(task)
            task.add_done_callback(telling.discard)

        while True:
            try:
                await user_stream.follow(self._redis_url, self.user.on_events, on_missed)
            except Exception:
                log.exception("feed: reading what buyers are told failed; it begins anew")
            await asyncio.sleep(_RESTART_PAUSE_SECONDS)

    async def _tell_readers(self) -> None:
        while True:
            try:
                await self.readers.tell()
            except Exception:
                log.exception("feed: telling the others of our readers failed; it begins anew")
            await asyncio.sleep(_RESTART_PAUSE_SECONDS)

    # --- FeedFollower ------------------------------------------------------------

    def on_events(self, market: str, from_seq: int, texts: Sequence[bytes]) -> None:
        self._feeds[market].on_events(from_seq, texts)

    def on_prices(self, tick: PriceTick) -> None:
        lead_ids = self._feeds[tick.market].on_prices(tick)
        self._prices[tick.market].on_prices(tick.at, tick.reason, lead_ids)

    # --- sockets -----------------------------------------------------------------

    @property
    def sockets(self) -> int:
        return len(self._sockets)

    def refusal(self, user_id: str) -> Problem | None:
        """Why another socket of this user can't be taken now."""
        if self.stopping:
            return self.crowded("the server stops; connect again")
        if len(self._sockets) >= self.limits.sockets_max:
            return self.crowded("this server has all the sockets it takes; try again")
        if self.readers.sockets_of(user_id) >= self.limits.sockets_per_user_max:
            return Problem(
                "rate-limited",
                f"an account has at most {self.limits.sockets_per_user_max} feed sockets"
                " on a server; close one",
                headers=[(b"retry-after", b"5")],
            )
        return None

    def crowded(self, detail: str) -> Problem:
        """Those who were refused together come back apart."""
        return unavailable(detail, random.randint(1, _RETRY_SECONDS_MAX))

    def admit(self, socket: FeedSocket) -> None:
        self._sockets[socket] = None
        self.readers.come(socket.principal.user_id)
        self.metrics.sockets.set(len(self._sockets))

    def drop(self, socket: FeedSocket) -> None:
        """The connection is over."""
        socket.let_go()
        self.paused.discard(socket)
        if self._sockets.pop(socket, self) is self:
            return
        self.readers.go(socket.principal.user_id)
        self.metrics.sockets.set(len(self._sockets))

    def feed_of(self, channel: str) -> MarketFeed | PriceFeed | UserFeed | None:
        if channel == USER_CHANNEL:
            return self.user
        kind, _, market = channel.partition(":")
        if kind == "market":
            return self._feeds.get(market)
        return self._prices.get(market) if kind == "prices" else None

    def market_feed(self, market: str) -> MarketFeed:
        return self._feeds[market]

    def _written(self, frames: int, size: int) -> None:
        self.metrics.sent(frames, size)
        for socket in tuple(self.paused):
            socket.check_buffer()

    async def _close_all(self, code: int, reason: str, pause_seconds: float = 0.0) -> None:
        for number, socket in enumerate(list(self._sockets), start=1):
            socket.close(code, reason)
            if number % _SLICE == 0:
                await asyncio.sleep(pause_seconds)

    async def _sweep(self) -> None:
        """Close the sockets whose token expired or was revoked; one look at each."""
        while True:
            await asyncio.sleep(self.limits.sweep_seconds)
            now = time.time()
            for number, socket in enumerate(list(self._sockets), start=1):
                if socket.closed:
                    continue
                if socket.principal.expires_at <= now:
                    socket.close(TOKEN_OVER, "the token expired; connect again with a new one")
                elif not self._authenticator.is_live(socket.principal):
                    socket.close(TOKEN_OVER, "the token was revoked")
                if number % _SLICE == 0:
                    await asyncio.sleep(0)
            self._authenticator.swept()
            self.filters.sweep()


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel until all have ended: asyncio.wait_for may lose a cancellation (Python 3.11)."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_RESTART_PAUSE_SECONDS)
