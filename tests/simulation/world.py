"""One simulated installation: database, Redis, books of two markets, API replicas, troubles."""

from __future__ import annotations

import contextvars
import hashlib
import random
from collections.abc import Callable
from typing import Any

from engine.adapters.memory.rows import Market, Transfer, User, Wallet
from engine.market.plan import Plan
from tests.simulation.checkouts import Checkouts
from tests.simulation.hosts import BookHost, Parts, Replica
from tests.simulation.loop import SimulatedLoop
from tests.simulation.network import Network
from tests.simulation.redis import RedisServer
from tests.simulation.server import DatabaseServer
from tests.simulation.weather import Weather

MARKETS = ("austin", "dallas")
START_NS = 1_800_000_000 * 1_000_000_000


# Terms as long as a run bears: a hold's deadline comes while things go wrong.
_TERMS = {"15m": 900_000, "24h": 2_500_000, "3d": 6_000_000}


def _plan(name: str, terms: int, rng: random.Random, *, discount: int) -> Plan:
    """With the first `terms` of the terms; what holding costs differs from run to run."""
    terms_us = dict(list(_TERMS.items())[:terms])
    return Plan(
        name,
        terms_us,
        max(terms_us.values()),
        holds_max=2 + terms,
        discount_percent=discount,
        hold_value_max=rng.choice((None, 120)),
        hold_fee_percent=rng.choice(({}, dict.fromkeys(terms_us, 10))),
        is_hold_fee_credited=rng.random() < 0.5,
        claim_priority=terms - 1,
        standing_orders_max=2,
    )


class World:
    """Everything of one run, drawn from `seed`."""

    def __init__(self, seed: int, parts: Parts, *, trace: bool = False) -> None:
        self.seed = seed
        self.rng = random.Random(seed)
        self.loop = SimulatedLoop(self.rng)
        self.weather = Weather(self.rng)
        self.parts = parts
        self.plans = {
            "basic": _plan("basic", 1, self.rng, discount=0),
            "pro": _plan("pro", 2, self.rng, discount=10),
            "enterprise": _plan("enterprise", 3, self.rng, discount=20),
        }
        self.claim_window_us = self.rng.choice((0, 30_000, 300_000))
        # What belongs to no process runs in here.
        self.context = contextvars.Context()
        self.server = DatabaseServer(self.loop, self.weather, self._look_for_commits)
        self.tables = self.server.database.tables
        self.redis = RedisServer(self.loop, self.weather)
        self.network = Network(self)
        self.checkouts = Checkouts(self)
        self.books: dict[str, BookHost] = {}
        self.all_books: list[BookHost] = []
        self.replicas: list[Replica] = []
        # When the journal of a market reached a position: (instant, position), in order.
        self.reached: dict[str, list[tuple[float, int]]] = {
            market: [(0.0, 0)] for market in MARKETS
        }
        self.step_ns = 0
        self.trace: list[str] | None = [] if trace else None
        self._digest = hashlib.blake2b(digest_size=8)
        self.struck: dict[str, int] = {}

    # --- what there is ---------------------------------------------------------------

    def found(self) -> None:
        for market in MARKETS:
            self.tables.markets.replace(market, Market(market, secret=market.encode()))
            self.start_book(market)
        for _ in range(2):
            self.start_replica()

    def start_book(self, market: str) -> BookHost:
        host = BookHost(self, market, len(self.all_books) + 1)
        self.all_books.append(host)
        self.books[market] = host
        host.process.on_death.append(lambda: self._replace(host))
        return host

    def _replace(self, host: BookHost) -> None:
        """What died is started again, by Ray or, once fenced, by an operator; unless another
        has its name."""
        self.later(self.rng.random() * (1.0 if host.book.fenced else 0.4), self._restart, host)

    def _restart(self, host: BookHost) -> None:
        if self.books[host.market] is host:
            self.start_book(host.market)

    def start_replica(self) -> Replica:
        replica = Replica(self, len(self.replicas) + 1)
        self.replicas.append(replica)
        replica.process.start(self.checkouts.keep_house(replica))
        return replica

    def some_replica(self) -> Replica | None:
        alive = [replica for replica in self.replicas if replica.is_alive]
        return self.rng.choice(alive) if alive else None

    def open_account(self, user_id: str, credits: int, plan: str) -> None:
        self.tables.users.replace(user_id, User(user_id, plan))
        self.tables.wallets.replace(user_id, Wallet(user_id, credits))
        if credits:
            first = Transfer(
                f"grant:{user_id}", "house:grants", f"user:{user_id}", credits, "grant", None, 0
            )
            self.tables.transfers.replace(first.transfer_id, first)

    # --- time ------------------------------------------------------------------------

    def now(self) -> float:
        return self.loop.time()

    def wall_ns(self) -> int:
        return START_NS + self.monotonic_ns() + self.step_ns

    def set_clock_right(self) -> None:
        """Not behind any journal."""
        ends = max(row.journal_at for row in self.tables.markets.rows.values())
        self.step_ns += max(0, 1000 * ends - self.wall_ns())

    def monotonic_ns(self) -> int:
        return int(self.loop.time() * 1e9)

    def later(self, seconds: float, callback: Callable[..., None], *args: Any) -> None:
        self.loop.call_later(seconds, callback, *args, context=self.context)

    # --- what was seen ---------------------------------------------------------------

    def note(self, text: str) -> None:
        line = f"{self.loop.time():9.5f} {text}"
        self._digest.update(line.encode())
        if self.trace is not None:
            self.trace.append(line)

    def digest(self) -> str:
        return self._digest.hexdigest()

    def _look_for_commits(self, request: str) -> None:
        if request != "commit":
            return
        for market, row in self.tables.markets.rows.items():
            reached = self.reached[market]
            if row.position != reached[-1][1]:
                reached.append((self.loop.time(), row.position))
                self.note(f"{market} is at {row.position}, told up to {row.feed_seq}")
