"""The processes of the simulated installation: books, each in its own, and API replicas."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import asyncpg

from actors.client import BookGone, MarketClient
from actors.feed_publisher import FeedPublisher
from actors.lead_book import LeadBook
from actors.steady_clock import SteadyClock
from engine.adapters.memory.book_store import MemoryBookStore
from engine.ports import BookStorage
from tests.simulation.loop import Killed, Process

if TYPE_CHECKING:
    from tests.simulation.world import World

# How long a seat is offered to the first in line, µs.
OFFER_US = 600_000
STARTING_FAILS = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
# As short as a run: a buyer that waits in vain asks another replica.
PATIENCE = 3.0


class Host:
    """A process, and the calls into it that somebody waits for."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.process = Process(name, world.loop)
        self.process.on_death.append(self._died)
        # In order of asking, which a set would not keep.
        self._waiting: dict[asyncio.Future[Any], None] = {}

    @property
    def is_alive(self) -> bool:
        return self.process.is_alive

    def call(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Future[Any]:
        """Run `coroutine` here; Killed, some time later, if this dies over it."""
        answer = self.world.loop.create_future()
        if not self.is_alive:
            coroutine.close()
            answer.set_exception(Killed(self.process.name))
            return answer
        task = self.process.start(coroutine)
        self._waiting[answer] = None

        def done(task: asyncio.Task[Any]) -> None:
            self._waiting.pop(answer, None)
            if answer.done():
                if not task.cancelled():
                    task.exception()
            elif task.cancelled():
                answer.cancel()
            elif (error := task.exception()) is not None:
                answer.set_exception(error)
            else:
                answer.set_result(task.result())

        task.add_done_callback(done, context=self.world.context)
        # Who gives up waiting hangs up: the far side is cancelled.
        answer.add_done_callback(
            lambda answer: answer.cancelled() and task.cancel(), context=self.world.context
        )
        return answer

    def _died(self) -> None:
        """Most deaths are seen soon, some only after a while."""
        rng = self.world.weather.rng
        for answer in self._waiting:
            self.world.later(rng.random() * (0.05 if rng.random() < 0.8 else 2.0), _fail, answer)


def _fail(answer: asyncio.Future[Any]) -> None:
    if not answer.done():
        answer.set_exception(Killed("the process died"))


class BookHost(Host):
    """One book in its process: serving when it could start, dead once fenced."""

    def __init__(self, world: World, market: str, number: int) -> None:
        super().__init__(world, f"{market}#{number}")
        self.market = market
        # This machine's clock is a little wrong.
        self.skew_ns = int(world.weather.rng.gauss(0, 0.05) * 1e9)
        self.book = world.parts.book(
            market,
            "",
            "",
            world.plans,
            claim_window_us=world.claim_window_us,
            offer_us=OFFER_US,
            on_fenced=self._leave_for_good,
            clock=SteadyClock(self._wall_ns, world.monotonic_ns),
            monotonic=world.loop.time,
            connect=self._connect,
            publisher=world.parts.publisher(market, self._connect, world.redis.client()),  # type: ignore[arg-type]
        )
        self.process.start(self._serve())

    @property
    def serves(self) -> bool:
        return self.is_alive and bool(self.book.stats()["serving"])

    def is_behind(self) -> bool:
        """Whether the journal is ahead of its clock."""
        row = self.world.tables.markets.rows[self.market]
        return self.is_alive and self.book._clock() // 1000 < row.journal_at

    async def _serve(self) -> None:
        pause = 0.1
        while True:
            try:
                await self.book.start()
            except STARTING_FAILS as error:
                self.world.note(f"{self.process.name} can't start: {type(error).__name__}")
                await asyncio.sleep(pause)
                pause = min(pause * 2, 2.0)
            else:
                self.world.note(f"{self.process.name} serves epoch {self.book.stats()['epoch']}")
                return

    async def _connect(self) -> BookStorage:
        return await self.world.parts.store.connect(self.world.server.database, self.market)

    def _wall_ns(self) -> int:
        return self.world.wall_ns() + self.skew_ns

    def _leave_for_good(self) -> None:
        self.world.note(f"{self.process.name} is fenced")
        self.process.kill()


class Parts:
    """What a run is made of; a mutant is another book, store or client in here."""

    def __init__(
        self,
        book: type[LeadBook] = LeadBook,
        store: type[MemoryBookStore] = MemoryBookStore,
        client: type[MarketClient] = MarketClient,
        publisher: type[FeedPublisher] = FeedPublisher,
    ) -> None:
        self.book = book
        self.publisher = publisher
        ordinary = (LeadBook, MemoryBookStore, MarketClient, FeedPublisher)
        odd = [part for part in (book, store, client, publisher) if part not in ordinary]
        self.name = " and ".join(part.__name__ for part in odd)
        self.store = store
        self.client = client


class Replica(Host):
    """One API replica: the client to the books, and the handles it has of them."""

    def __init__(self, world: World, number: int) -> None:
        super().__init__(world, f"api#{number}")
        self._handles: dict[str, BookHost] = {}
        self.client = world.parts.client(
            self._transport, patience=PATIENCE, clock=lambda: world.wall_ns() / 1e9
        )

    async def _transport(self, market: str, payload: bytes) -> bytes:
        """As `ray_transport`: a handle is kept until a call by it fails."""
        host = self._handles.get(market)
        if host is None:
            host = self._handles[market] = self.world.books[market]
        try:
            return await self.world.network.call(host, payload)
        except Killed as error:
            self._handles.pop(market, None)
            raise BookGone(str(error)) from error


Use = Callable[[Replica], Coroutine[Any, Any, Any]]
