"""What the market asks of the world outside: a book's store, where it publishes, and who
tells buyers what concerns them.

The real ones are in `engine/adapters/postgres` and `actors/feed_publisher.py`. Stores in
memory (`engine/adapters/memory`) pass the same tests: `tests/contracts`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple, Protocol

from engine.market import events as e
from engine.market.account import Account
from engine.market.answers import Contact
from engine.market.book import Book
from engine.market.buyer_events import BuyerEvent
from engine.market.lead import Lead
from engine.market.listing import Listing
from engine.market.notices import Cause, Telling
from engine.market.outcome import Outcome, Priced, StoredAnswer
from engine.market.outcome import Tick as Repricing
from engine.market.plan import Plan


class Fenced(Exception):
    """Another book owns the market: this one must stop and never write again."""


class Takeover(NamedTuple):
    """Where a starting book goes on: its epoch, the ends of journal and feed, up to where
    ticks were matched, and the market's own secret and time zone. `at` in µs."""

    epoch: int
    position: int
    feed_seq: int
    at: int
    matched_position: int
    secret: bytes
    time_zone: str


class Standing(NamedTuple):
    """A buyer's plan and credits, read without a lock."""

    plan: Plan
    balance: int


class JournalRow(NamedTuple):
    """One journal entry as stored; `public` is the feed's event as JSON text."""

    position: int
    feed_seq: int | None
    event: e.Event
    public: str | None


class Tick(NamedTuple):
    """One repricing as stored; `at` in µs, `prices` in step with `lead_ids`."""

    position: int
    at: int
    reason: str
    lead_ids: list[str]
    prices: list[int]


class Committed(NamedTuple):
    """What one commit published: public events from..to as JSON texts, price ticks, and what
    single buyers are told."""

    from_seq: int
    to_seq: int
    events: list[str]
    ticks: list[tuple[int, str, str, str]]
    buyer_events: list[BuyerEvent]


class JournalReader(Protocol):
    """What a publisher that fell behind reads, over a connection of its own."""

    async def feed_seq(self) -> int: ...

    async def public_events(self, after: int, limit: int) -> list[tuple[int, str]]: ...

    async def ticks(self, after: int, limit: int, newest: int) -> list[Tick]: ...

    async def close(self) -> None: ...


class BookStorage(JournalReader, Protocol):
    """One connection for one market's book; `BookStore` says what each method promises.

    All but ownership and `load` run inside `flush`: together they are committed, or nothing
    is. A connection that broke raises OSError, asyncpg.PostgresError or InterfaceError, and
    whether its last commit counted is unknown.
    """

    @property
    def is_closed(self) -> bool: ...

    async def take_over(self) -> Takeover: ...

    async def resume(self, epoch: int) -> Takeover: ...

    async def owns(self, epoch: int) -> bool: ...

    async def load(self, book: Book, now: int) -> None: ...

    def flush(
        self, epoch: int, command_ids: Sequence[bytes] = ()
    ) -> AbstractAsyncContextManager[dict[bytes, StoredAnswer]]: ...

    async def lock_accounts(
        self, user_ids: Sequence[str], plans: Mapping[str, Plan], *, count_holds: bool
    ) -> dict[str, Account]: ...

    async def standings(
        self, user_ids: Sequence[str], plans: Mapping[str, Plan]
    ) -> dict[str, Standing]: ...

    async def facts(self, lead_ids: Sequence[str]) -> dict[str, Listing]: ...

    async def saying(self, pairs: Sequence[tuple[str, str]]) -> set[tuple[str, str]]: ...

    async def teasers(self, lead_ids: Sequence[str]) -> dict[str, dict[str, Any]]: ...

    async def write_listings(
        self,
        listed: Mapping[str, Listing],
        updated: Mapping[str, Listing],
        leads: Mapping[str, Lead],
        priced: Mapping[str, Priced],
        at: int,
    ) -> None: ...

    async def write_merges(self, merged_into: Mapping[str, str | None]) -> None: ...

    async def end_seats(self, pairs: Iterable[tuple[str, str]]) -> None: ...

    async def write_past_holds(
        self, pairs: Iterable[tuple[str, str]], leads: Mapping[str, Lead]
    ) -> None: ...

    async def write_fair_trading(self, outcome: Outcome, at: int) -> None: ...

    async def write_ticks(self, ticks: Sequence[Repricing], at: int) -> None: ...

    async def write(
        self,
        outcome: Outcome,
        rows: Sequence[JournalRow],
        book: Book,
        *,
        epoch: int,
        at: int,
        matched_before: int,
    ) -> dict[str, Contact]: ...

    async def prune(self, now: int, answers_kept_us: int, batch: int = 5_000) -> bool: ...


class Publisher(Protocol):
    """Where a book's committed events go; `put` never waits."""

    @property
    def published_seq(self) -> int: ...

    def start(self, committed_seq: int) -> None: ...

    def resume(self, committed_seq: int) -> None: ...

    def put(self, committed: Committed) -> None: ...

    async def stop(self) -> None: ...


ConnectStore = Callable[[], Awaitable[BookStorage]]


class Notifier(Protocol):
    """Tells buyers what concerns them, on the channels that each of them set."""

    async def tell(self, causes: Sequence[Cause], now_us: int) -> Telling:
        """Tell of each cause that is true, once: a cause told before, by whomever, is passed
        over. All of them are told or, if this raises, none."""
