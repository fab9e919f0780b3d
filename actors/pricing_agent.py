"""PricingAgent: works out a market's prices and asks its book for them.

A shell around `engine.market.pricing.MarketPrices`. What the agent knows follows from the
journal and from who saw what, so it keeps nothing that can't be read again: a checkpoint only
saves reading it all. A price takes effect when the book commits it, and comes back through the
journal; an agent that dies anywhere reads on from its checkpoint, and since each new price says
which one it sets out from, no price is undone and none moves further than one step at a time.

Whatever breaks here stops new prices, says so in `status` and tries again later. Trading goes on.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec
import numpy as np

from actors.base_values import BaseValues, ListedValues
from actors.client import BookBusy, BookUnavailable, MarketClient
from actors.market_reader import MarketReader, Place, dump_state, load_state
from actors.steady_clock import SteadyClock
from engine.adapters.postgres import demand_signals, pricing_experiments, pricing_state
from engine.adapters.postgres.feed_journal import AWAY
from engine.adapters.postgres.pool import SERVER_SETTINGS, set_codecs
from engine.adapters.postgres.pricing_state import Checkpoint
from engine.market.answers import Done
from engine.market.commands import Reprice
from engine.market.pricing.demand_policy import DemandPolicy
from engine.market.pricing.experiment import Plan, market_prices
from engine.market.pricing.market_prices import Proposal
from engine.market.pricing.segments import ROOT
from engine.ports import Fenced

log = logging.getLogger(__name__)

# How often an idle agent looks into the journal, seconds.
LOOK_SECONDS = 0.1
# Leads of which something happened are repriced this often at most.
EVENTS_SECONDS = 0.25
# New prices are handed to the book for so long before the journal is looked into again.
SUBMIT_SECONDS = 5.0
SHOW_SECONDS = 2.0
PRUNE_SECONDS = 600.0
PRUNED_AT_ONCE = 500
# A checkpoint is written this often at most, and for a twentieth of the time.
CHECKPOINT_SECONDS = 5.0
CHECKPOINT_SHARE = 0.05
# Pauses before trying again, seconds: a database that is away, and an agent that is broken.
AWAY_SECONDS = (0.2, 5.0)
BROKEN_SECONDS = (5.0, 600.0)


class PricingAgent:
    """One market's: `start`, then it prices until `stop`.

    `plan` says by which policies; `interval` (seconds) is how often the whole market is repriced;
    `values` makes what says what leads are worth, anew for each start; `clock` gives ns since the
    epoch, `seed` makes its chance repeatable.
    """

    def __init__(
        self,
        market: str,
        database_url: str,
        client: MarketClient,
        plan: Plan,
        *,
        interval: float = 60.0,
        values: Callable[[], BaseValues] = ListedValues,
        clock: Callable[[], int] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        seed: int | None = None,
        on_fenced: Callable[[], None] | None = None,
    ) -> None:
        self.market = market
        self.plan = plan
        self.fenced = False
        self.problem: str | None = None
        self._database_url = database_url
        self._client = client
        self._interval = interval
        self._values = values
        self._clock = clock or SteadyClock()
        self._monotonic = monotonic
        self._rng = np.random.default_rng(seed)
        self._on_fenced = on_fenced
        self._epoch = 0
        self._connection: asyncpg.Connection | None = None
        self._reader: MarketReader | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_stopping = asyncio.Event()
        self._losses = 0
        self._ticks = 0
        self._changed = 0
        self._last_tick_at: int | None = None
        self._checkpoint_us = 0
        self._saved: Place | None = None
        self._save_at = self._show_at = self._prune_at = 0.0
        self._whole_at = self._events_at = 0.0

    # --- life --------------------------------------------------------------------

    async def start(self) -> None:
        """Take the market's prices over. Raises OSError or asyncpg's errors without a database."""
        await self._load()
        self._task = asyncio.create_task(self._run(), name=f"pricing:{self.market}")

    async def stop(self) -> None:
        """Finish the round under way, keep what is known, and let go."""
        self._is_stopping.set()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        await self._close()

    def stats(self) -> dict[str, Any]:
        """For the operator: where the agent stands. A `problem` says why it does not price."""
        reader = self._reader
        return {
            "market": self.market,
            "serving": self._task is not None and not self._task.done(),
            "fenced": self.fenced,
            "problem": self.problem,
            "epoch": self._epoch,
            "policy": self.plan.policy,
            "trial": self.plan.trial,
            "share": self.plan.share,
            "values": reader.values.source if reader else None,
            "position": reader.place.position if reader else 0,
            "signals": reader.signals if reader else 0,
            "priced": len(reader.prices.columns.offered()) if reader else 0,
            "ticks": self._ticks,
            "prices_changed": self._changed,
            "last_tick_at": self._last_tick_at,
            "checkpoint_us": self._checkpoint_us,
        }

    # --- the loop ------------------------------------------------------------------

    async def _run(self) -> None:
        while not self._is_stopping.is_set():
            try:
                if self._reader is None:
                    await self._load()
                await self._round()
            except Fenced as fenced:
                log.warning("%s; this agent stops", fenced)
                self._stop_fenced()
                return
            except AWAY as error:
                await self._lost(f"the database is away: {type(error).__name__}", AWAY_SECONDS)
            except Exception as error:
                log.error("pricing of %s is broken", self.market, exc_info=error)
                await self._lost(f"broken: {type(error).__name__}: {error}", BROKEN_SECONDS)
        await self._keep()

    async def _round(self) -> None:
        """Read on; once all is read, price what there is to price; then the upkeep."""
        reader = self._reader
        assert reader is not None
        if not await reader.step():
            await self._price(reader)
            self._losses, self.problem = 0, None
            await self._wait()
        if self._monotonic() >= self._save_at:
            await self._save(reader)
        if self._monotonic() >= self._show_at:
            await self._show(reader)
        if self._monotonic() >= self._prune_at:
            await self._prune(reader.connection)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._is_stopping.wait()
        except TimeoutError:
            pass

    async def _price(self, reader: MarketReader) -> None:
        """The whole market when it is time, else what something happened to."""
        monotonic, now = self._monotonic(), self._clock() // 1000
        if monotonic >= self._whole_at:
            self._whole_at = monotonic + self._interval
            reader.odds.pass_time(reader.prices.columns, now)
            await self._submit(reader, reader.prices.propose(now, self._rng))
            self._last_tick_at = now
        elif monotonic >= self._events_at:
            self._events_at = monotonic + EVENTS_SECONDS
            await self._submit(reader, reader.prices.reprice(now, whole=False))

    async def _submit(self, reader: MarketReader, proposals: Sequence[Proposal]) -> None:
        """One after the other. What the book can't take now is worked out anew later, and so is
        what would keep the agent from reading on for long."""
        until = self._monotonic() + SUBMIT_SECONDS
        for number, proposal in enumerate(proposals):
            if number and self._monotonic() > until:
                self._whole_at = 0.0
                return
            # The book does not know of agents: who was superseded must stop by itself.
            await pricing_state.owns(reader.connection, self.market, self._epoch)
            command = Reprice(
                proposal.lead_ids,
                proposal.prices,
                proposal.reason,
                proposal.previous,
                proposal.parts,
            )
            try:
                answer = (await self._client.submit(self.market, command)).answer
            except (BookBusy, BookUnavailable) as error:
                log.warning("new prices of %s wait for the book: %s", self.market, error)
                return
            if not isinstance(answer, Done):
                raise RuntimeError(f"the {self.market} book refused new prices: {answer}")
            self._ticks += 1
            self._changed += len(proposal.lead_ids)

    # --- what it knows -------------------------------------------------------------

    async def _load(self) -> None:
        """Take over, or go on after a loss, from the last checkpoint."""
        await self._close()
        connection = self._connection = await asyncpg.connect(
            self._database_url,
            timeout=10,
            command_timeout=60,
            server_settings={
                **SERVER_SETTINGS,
                # A checkpoint of a big market is a hundred megabytes.
                "statement_timeout": "60000",
                "application_name": f"pricing:{self.market}",
            },
        )
        await set_codecs(connection)
        if self._epoch:
            kept = await pricing_state.resume(connection, self.market, self._epoch)
        else:
            kept = await pricing_state.take_over(connection, self.market)
            self._epoch = kept.epoch
            await pricing_experiments.note(
                connection, self.market, self.plan, self._clock() // 1000
            )
        values = self._values()
        if kept.state is not None:
            await values.load(connection, self.market)
        self._reader = self._read_from(connection, kept, values)
        self._saved = self._reader.place
        self._whole_at = 0.0
        log.info("pricing of %s goes on after position %d", self.market, self._saved.position)

    def _read_from(
        self, connection: asyncpg.Connection, kept: Checkpoint, values: BaseValues
    ) -> MarketReader:
        """What was kept, or the whole journal where that is of another version."""
        prices = market_prices(self.plan)
        if kept.state is not None:
            try:
                odds = load_state(kept.state, prices)
            except (ValueError, KeyError, TypeError, msgspec.DecodeError) as error:
                log.warning("pricing of %s begins anew: %s", self.market, error)
                prices = market_prices(self.plan)
            else:
                place = Place(kept.position, kept.signal_id)
                return MarketReader(connection, self.market, prices, values, place, odds=odds)
        return MarketReader(connection, self.market, prices, values)

    async def _save(self, reader: MarketReader) -> None:
        """Write a checkpoint, if there is something new, and rest as its cost asks for."""
        began = self._monotonic()
        if reader.place != self._saved:
            checkpoint = Checkpoint(
                self._epoch, *reader.place, dump_state(reader), self._clock() // 1000
            )
            await pricing_state.save(reader.connection, self.market, checkpoint)
            self._saved = reader.place
        took = self._monotonic() - began
        self._checkpoint_us = int(took * 1e6)
        self._save_at = began + max(CHECKPOINT_SECONDS, took / CHECKPOINT_SHARE)

    async def _show(self, reader: MarketReader) -> None:
        """Let the API's replicas see how the agent stands."""
        summary = {
            **self.stats(),
            "estimates": _estimates(reader),
            "fill_odds": {
                "levels": [each._asdict() for each in reader.odds.odds()] or None,
                "reason": reader.odds.why_unknown(),
            },
        }
        await pricing_state.show(reader.connection, self.market, self._epoch, summary)
        self._show_at = self._monotonic() + SHOW_SECONDS

    async def _prune(self, connection: asyncpg.Connection) -> None:
        now = datetime.fromtimestamp(self._clock() / 1e9, UTC)
        gone = await demand_signals.prune(connection, self.market, now, PRUNED_AT_ONCE)
        self._prune_at = self._monotonic() + (1.0 if gone == PRUNED_AT_ONCE else PRUNE_SECONDS)

    # --- losing it -------------------------------------------------------------------

    async def _lost(self, problem: str, pauses: tuple[float, float]) -> None:
        """What is known is no longer trusted: load it anew after a pause, longer each time."""
        if problem != self.problem:
            log.warning("pricing of %s stops: %s", self.market, problem)
        self.problem = problem
        await self._tell_of(problem)
        await self._close()
        shortest, longest = pauses
        pause = min(longest, shortest * 2 ** min(self._losses, 20))
        self._losses += 1
        try:
            async with asyncio.timeout(pause):
                await self._is_stopping.wait()
        except TimeoutError:
            pass

    async def _tell_of(self, problem: str) -> None:
        """Where the database is there: the API shows it too."""
        if self._reader is None or self._reader.connection.is_closed():
            return
        try:
            await self._show(self._reader)
        except (*AWAY, Fenced) as error:
            log.warning("%s: can't be shown: %s", problem, type(error).__name__)

    async def _keep(self) -> None:
        if self._reader is None:
            return
        try:
            await self._save(self._reader)
        except (*AWAY, Fenced) as error:
            log.warning("pricing of %s ends without a checkpoint: %s", self.market, error)

    def _stop_fenced(self) -> None:
        self.fenced = True
        if self._on_fenced is not None:
            self._on_fenced()

    async def _close(self) -> None:
        self._reader = None
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.terminate()


def _estimates(reader: MarketReader) -> dict[str, Any]:
    """What is believed of the market as a whole, and what it rests on."""
    prices = reader.prices
    found: dict[str, Any] = {
        "segments": len(prices.segments),
        "standing_orders": len(prices.resting),
        "considered": len(prices.considering),
    }
    for arm in prices.arms:
        if isinstance(arm.policy, DemandPolicy):
            decided = arm.policy.decided
            found |= {
                "typical_price_to_value": math.exp(decided.level[ROOT]),
                "spread": decided.sigma,
                "considered_per_lead_hour": float(decided.arrivals[ROOT]),
                "decay_per_hour": decided.decay,
                "leaving_per_hour": decided.hazard,
            }
    return found
