"""Reads a market's past into its prices: journal and signals, in the order in which they were.

The agent reads on where it left off, a replay reads all of it; both by the same way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import asyncpg
import msgspec

from actors.base_values import BaseValues
from engine.adapters.postgres import demand_signals, pricing_journal
from engine.adapters.postgres.demand_signals import Batch
from engine.adapters.postgres.pricing_journal import Entry
from engine.market import events as e
from engine.market.pricing.considering import Signal
from engine.market.pricing.fill_odds import FillOdds
from engine.market.pricing.market_prices import MarketPrices

ENTRIES = 2_000
BATCHES = 200
VALUED = 1_000
# Before these it must be known what a lead is worth: a buyer judges its price.
CONSIDERED = (e.LeadHeld, e.QueueJoined, e.LeadSold)
# Of what is read of the past, the time that passed is taken in by so much at once, µs.
LEARN_EVERY_US = 15 * 60 * 1_000_000


class Place(NamedTuple):
    """Up to where journal and signals were read."""

    position: int = 0
    signal_id: int = 0


# Told of every entry before it is folded.
Watch = Callable[[MarketPrices, Entry], None]


class MarketReader:
    """Folds what comes after `place` into `prices` and `odds`, in bounded pieces."""

    def __init__(
        self,
        connection: asyncpg.Connection,
        market: str,
        prices: MarketPrices,
        values: BaseValues,
        place: Place = Place(),  # noqa: B008  (immutable)
        *,
        odds: FillOdds | None = None,
        watch: Watch = lambda prices, entry: None,
    ) -> None:
        self.connection = connection
        self.market = market
        self.prices = prices
        self.values = values
        self.place = place
        self.odds = odds or FillOdds()
        self.signals = 0
        self._watch = watch
        self._batches: deque[Batch] = deque()
        # Whether there may be batches beyond those read.
        self._more_batches = True
        self._learnt_at = 0

    async def step(self) -> bool:
        """Read on; whether there may be more at once."""
        entries = await pricing_journal.read(
            self.connection, self.market, self.place.position, ENTRIES
        )
        more = len(entries) == ENTRIES
        self._more_batches = True
        await self._know(entries)
        for entry in entries:
            await self._see_until(entry.at)
            self._fold(entry)
        if not more:
            await self._see_until(None)
        self.value()
        return more or bool(self._batches)

    def value(self) -> None:
        """Work out what new leads are worth, all of them."""
        while waiting := self.prices.unvalued(VALUED):
            self.prices.set_base([each.lead_id for each in waiting], self.values.values(waiting))

    def _fold(self, entry: Entry) -> None:
        if entry.at - self._learnt_at >= LEARN_EVERY_US:
            if self._learnt_at:
                self.value()
                self.odds.pass_time(self.prices.columns, entry.at)
                self.prices.learn(entry.at)
            self._learnt_at = entry.at
        if isinstance(entry.event, CONSIDERED):
            self.value()
        self._watch(self.prices, entry)
        if isinstance(entry.event, e.LeadSold):
            row = self.prices.columns.row[entry.event.lead_id]
            columns = self.prices.columns
            self.odds.sold(int(columns.price[row]), int(columns.base[row]))
        self.prices.apply(entry.event, entry.at, entry.parts)
        self.place = self.place._replace(position=entry.position)

    async def _see_until(self, at: int | None) -> None:
        """Take in what was seen until `at` (µs), or all that has settled."""
        while True:
            if not self._batches and self._more_batches:
                await self._read_batches()
            if not self._batches or (at is not None and self._batches[0].signals[0].at > at):
                return
            batch = self._batches.popleft()
            self.value()
            self.prices.observe(batch.signals)
            self.signals += len(batch.signals)
            self.place = self.place._replace(signal_id=batch.signal_id)

    async def _read_batches(self) -> None:
        read = await demand_signals.read(
            self.connection, self.market, self.place.signal_id, BATCHES
        )
        self._more_batches = len(read) == BATCHES
        self._batches.extend(read)
        await self._know_seen(signal for batch in read for signal in batch.signals)

    async def _know(self, entries: Sequence[Entry]) -> None:
        await self._ask({user for each in entries if (user := getattr(each.event, "user_id", ""))})

    async def _know_seen(self, signals: Iterable[Signal]) -> None:
        await self._ask({signal.user_id for signal in signals})

    async def _ask(self, user_ids: set[str]) -> None:
        unknown = self.prices.accounts.unknown(user_ids)
        if unknown:
            made = await pricing_journal.made_at(self.connection, unknown)
            self.prices.accounts.know(made)


def dump_state(reader: MarketReader) -> bytes:
    return msgspec.msgpack.encode([reader.prices.dump(), reader.odds.dump()])


def load_state(state: bytes, prices: MarketPrices) -> FillOdds:
    """Raises ValueError or msgspec.DecodeError on a state of another version."""
    dumped, odds = msgspec.msgpack.decode(state)
    prices.load(dumped)
    return FillOdds.load(odds)
