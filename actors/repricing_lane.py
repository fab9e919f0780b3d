"""Repricings wait apart, so that purchases go first.

A market's new prices come by the thousand and nobody waits for them as a buyer does. They are
cut into slices; a slice is carried out when nobody trades, and else, every few flushes, beside
the trades, so that neither starves the other.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from engine.market.answers import Done, Reply, Request
from engine.market.commands import REPRICE_LEADS_MAX, Reprice

# Leads repriced in one flush: what a purchase in it may have to wait for.
SLICE_LEADS = 100
# While trades are made, one slice in so many seconds goes beside them.
BESIDE_TRADES_SECONDS = 0.04
# So long after a flush with trades the next ones may be on their way: they would have to wait
# for a slice that took the moment between.
QUIET_SECONDS = 0.005
# Commands that may wait; more are refused as busy.
COMMANDS_MAX = 16


class Arrival(NamedTuple):
    """One call's commands and who waits for their replies."""

    requests: list[Request]
    replies: asyncio.Future[list[Reply]]


def is_repricing(requests: Sequence[Request]) -> bool:
    """Whether a call asks for new prices and nothing else."""
    return bool(requests) and all(isinstance(each.command, Reprice) for each in requests)


class RepricingLane:
    """Slices of repricings, first come first served. `monotonic` is in seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._slices: deque[Arrival] = deque()
        self._commands = 0
        self._beside_at = 0.0
        self._quiet_at = 0.0

    def __len__(self) -> int:
        return len(self._slices)

    @property
    def first(self) -> Arrival:
        return self._slices[0]

    def has_room(self, commands: int) -> bool:
        """Whether so many more commands may wait; one call alone always may."""
        return not self._commands or self._commands + commands <= COMMANDS_MAX

    async def carried_out(self, requests: Sequence[Request]) -> list[Reply]:
        """The replies, once every slice of every command is committed; raises what the flush of
        one of them raised. A repeat under the same ids is cut alike, and answered alike."""
        loop = asyncio.get_running_loop()
        cut = [[Arrival([each], loop.create_future()) for each in slices(r)] for r in requests]
        waiting = [arrival for arrivals in cut for arrival in arrivals]
        self._slices.extend(waiting)
        self._commands += len(requests)
        try:
            await asyncio.gather(*(arrival.replies for arrival in waiting))
        finally:
            self._commands -= len(requests)
        return [_whole(arrivals) for arrivals in cut]

    def is_due(self, *, trades_wait: bool) -> bool:
        """Whether the first slice goes into the flush that begins now."""
        return self.due_in(trades_wait=trades_wait) == 0

    def due_in(self, *, trades_wait: bool) -> float | None:
        """Seconds until the first slice is due, if trades wait till then or none come; None
        without a slice."""
        if not self._slices:
            return None
        at = self._beside_at if trades_wait else min(self._beside_at, self._quiet_at)
        return max(0.0, at - self._monotonic())

    def traded(self) -> None:
        """A flush with trades has ended."""
        self._quiet_at = self._monotonic() + QUIET_SECONDS

    def take(self) -> Arrival:
        self._beside_at = self._monotonic() + BESIDE_TRADES_SECONDS
        return self._slices.popleft()

    def drop(self, error: Callable[[], Exception]) -> None:
        """Nothing of what waits is carried out."""
        for arrival in self._slices:
            if not arrival.replies.done():
                arrival.replies.set_exception(error())
        self._slices.clear()


def slices(request: Request) -> Iterator[Request]:
    """The command in pieces, each under an id of its own that follows from the command's."""
    command = request.command
    assert isinstance(command, Reprice)
    if len(command.lead_ids) <= SLICE_LEADS or not _is_in_step(command):
        yield request
        return
    for start in range(0, len(command.lead_ids), SLICE_LEADS):
        part = slice(start, start + SLICE_LEADS)
        piece = Reprice(
            command.lead_ids[part],
            command.prices[part],
            command.reason,
            command.previous[part],
            command.parts[part],
        )
        named = request.command_id + start.to_bytes(4, "big")
        id_ = hashlib.blake2b(named, digest_size=16, person=b"slice").digest()
        yield Request(id_, piece, request.request_hash)


def _is_in_step(command: Reprice) -> bool:
    """A command that the book will refuse is not cut: the refusal is for all of it."""
    count = len(command.lead_ids)
    columns = (command.prices, command.previous or command.prices, command.parts or command.prices)
    return (
        count <= REPRICE_LEADS_MAX
        and all(len(column) == count for column in columns)
        and all(price >= 1 for price in command.prices)
    )


def _whole(arrivals: Sequence[Arrival]) -> Reply:
    """One reply for a command: done if every slice was, else what the first other one said."""
    replies = [arrival.replies.result()[0] for arrival in arrivals]
    return next((reply for reply in replies if not isinstance(reply.answer, Done)), replies[-1])
