"""Turns at hosts, by the whole cluster together: waited for, taken and given back.

A turn is a token of the host's bucket and one of its slots. Slots are leases: those of a
worker that died come back when they end. While Redis is away each process goes on with a
small stated share of the pace, never without one.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import time
from typing import NamedTuple
from weakref import WeakValueDictionary

from redis.asyncio import Redis
from redis.exceptions import RedisError

from engine.adapters.sources.fetch_failed import FetchFailed
from engine.adapters.sources.pace import Breaker, Budget, Outcome, Pace, Verdict
from engine.adapters.sources.process_budget import ProcessBudget
from engine.adapters.sources.redis_budget import RedisBudget

log = logging.getLogger(__name__)

# What one process may use of a pace while Redis is away: with eight processes fetching from
# one host at a time, more than a run has under way, the cluster still keeps within the whole.
REDIS_AWAY_SHARE = 1 / 8
REDIS_AWAY_SECONDS = 5.0
# A fetch waits so long for a host that rests, and for at least so many others to have their
# turn: where requests are ten seconds apart, a queue moves slowly.
TURN_WAIT_SECONDS_MAX = 120.0
TURNS_WAITED_MAX = 500
BREAKER = Breaker()
# One for the process: clients come and go with their tasks, what a host was asked does not.
_PROCESS = ProcessBudget()


class Turn(NamedTuple):
    host: str
    lease: str
    budget: Budget


class HostBudget:
    """Waits for turns. Without Redis there is only this process's share."""

    def __init__(
        self,
        redis: Redis | None,
        *,
        breaker: Breaker = BREAKER,
        wait_seconds_max: float = TURN_WAIT_SECONDS_MAX,
        turns_waited_max: int = TURNS_WAITED_MAX,
        process: Budget = _PROCESS,
    ) -> None:
        self._shared = RedisBudget(redis) if redis is not None else None
        self._process = process
        self._breaker = breaker
        self._wait_seconds_max = wait_seconds_max
        self._turns_waited_max = turns_waited_max
        self._away_until = 0.0
        # One of this process asks for a host's turn at a time: first come, first served.
        self._queues: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def take(self, url: str, host: str, pace: Pace, lease_seconds: float) -> Turn:
        """Wait for a turn at `host`. Raises FetchFailed `circuit-open`, `host-paused`,
        `no-budget`."""
        queue = self._queues.setdefault(host, asyncio.Lock())
        wait_seconds = max(self._wait_seconds_max, self._turns_waited_max * pace.interval_seconds)
        try:
            async with asyncio.timeout(wait_seconds), queue:
                while True:
                    turn, verdict = await self._ask(host, pace, lease_seconds)
                    if verdict.kind == "go":
                        return turn
                    self._check(url, host, verdict)
                    # Spread a little, so that workers that wait for one token don't all come.
                    await asyncio.sleep(verdict.seconds * random.uniform(1.0, 1.2) + 0.001)
        except TimeoutError as error:
            said = f"no turn at {host} within {wait_seconds:.0f} s"
            raise FetchFailed(url, "no-budget", said) from error

    def _check(self, url: str, host: str, verdict: Verdict) -> None:
        """Raise what makes waiting pointless."""
        seconds = verdict.seconds
        if verdict.kind == "open":
            said = f"{host} fails; left alone for {seconds:.0f} s"
            raise FetchFailed(url, "circuit-open", said, seconds)
        if verdict.kind == "paused" and seconds > self._wait_seconds_max:
            said = f"{host} asked for {seconds:.0f} s of rest"
            raise FetchFailed(url, "host-paused", said, seconds)

    async def _ask(self, host: str, pace: Pace, lease_seconds: float) -> tuple[Turn, Verdict]:
        lease = secrets.token_hex(8)
        if self._shared is not None and time.monotonic() >= self._away_until:
            try:
                verdict = await self._shared.take(host, pace, lease, lease_seconds)
                return Turn(host, lease, self._shared), verdict
            except RedisError as error:
                self._note_away(error)
        share = pace.share(REDIS_AWAY_SHARE)
        verdict = await self._process.take(host, share, lease, lease_seconds)
        return Turn(host, lease, self._process), verdict

    async def give_back(self, turn: Turn, outcome: Outcome, pause_seconds: float = 0.0) -> None:
        """End a turn. What Redis doesn't hear of ends with the lease."""
        try:
            await turn.budget.give_back(
                turn.host, turn.lease, outcome, pause_seconds, self._breaker
            )
        except RedisError as error:
            self._note_away(error)
            await self._process.give_back(
                turn.host, turn.lease, outcome, pause_seconds, self._breaker
            )

    def _note_away(self, error: RedisError) -> None:
        log.warning("hosts are asked at this process's share of their pace: %s", error)
        self._away_until = time.monotonic() + REDIS_AWAY_SECONDS
