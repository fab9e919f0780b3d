"""One market's price ticks in one replica, conflated.

Ticks that come within the interval travel as one shared frame with the latest price of
each lead; the first after a quiet interval goes at once. A reader whose connection is full
is only remembered, with how far it got; when it has drained it gets the latest price of
each lead that changed since, whatever number of ticks that was.

Only which leads changed is kept. Their prices are the model's when a frame is made, so
they are newer than every event up to the model's seq.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence, Set
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

from serve_apps.api.feed.fan_out import FanOut, Pace
from serve_apps.api.feed.frame import Frame, message, prices_channel
from serve_apps.api.feed.read_model import ReadModel

if TYPE_CHECKING:
    from serve_apps.api.feed.session import FeedSocket

TICKS_PER_FRAME = 1_000


class _Change(NamedTuple):
    """A lead's newest tick: the `number`-th change of a price that was read here."""

    number: int
    at: str
    lead_id: str
    reason: str


class PriceFeed:
    """Ticks of one market, or of a view of it, to its readers."""

    def __init__(
        self,
        model: ReadModel,
        interval_seconds: float,
        paused: Set[FeedSocket],
        written: Callable[[int, int], None],
        pace: Pace | None = None,
    ) -> None:
        """`paused` are the sockets whose connection is full, kept up to date by its owner."""
        self.market = model.market
        self.live = FanOut(written, pace)
        self._model = model
        self._interval = interval_seconds
        self._paused = paused
        self._count = 0
        # Up to which number the live readers were told.
        self._told = 0
        # The newest change of each lead, oldest first; kept while somebody may need it.
        self._changed: dict[str, _Change] = {}
        self._lagging: dict[FeedSocket, int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._next_at = 0.0

    def join(self, socket: FeedSocket) -> None:
        self.live.join(socket, self._told)

    def leave(self, socket: FeedSocket) -> None:
        self.live.leave(socket)
        self._lagging.pop(socket, None)

    def catch_up(self, socket: FeedSocket) -> None:
        """The socket has drained: the latest prices it missed, as much as it takes."""
        after = self._lagging.get(socket)
        if after is None:
            return
        missed = [change for change in self._changed_after(after) if change.number <= self._told]
        for start in range(0, len(missed), TICKS_PER_FRAME):
            chunk = missed[start : start + TICKS_PER_FRAME]
            if (frame := self._frame(chunk)) is not None:
                socket.send(frame)
            if socket.closed:
                return
            self._lagging[socket] = chunk[-1].number
            if socket.writer.paused:
                return
        del self._lagging[socket]
        self.live.join(socket, self._told)

    def on_prices(self, at: str, reason: str, lead_ids: Iterable[str]) -> None:
        """A tick that set these leads' prices in the model."""
        if not len(self.live) and not self._lagging:
            return
        for lead_id in lead_ids:
            self._count += 1
            self._changed.pop(lead_id, None)
            self._changed[lead_id] = _Change(self._count, at, lead_id, reason)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            if loop.time() >= self._next_at:
                self._tell()
            else:
                self._timer = loop.call_at(self._next_at, self._tell)

    def _tell(self) -> None:
        self._timer = None
        self._next_at = asyncio.get_running_loop().time() + self._interval
        for socket in tuple(self._paused):
            if (sent := self.live.leave(socket)) is not None:
                self._lagging[socket] = sent
        changes = self._changed_after(self._told)
        if not self._lagging and self.live.idle:
            self._changed = {change.lead_id: change for change in changes}
        self._told = self._count
        for start in range(0, len(changes), TICKS_PER_FRAME):
            chunk = changes[start : start + TICKS_PER_FRAME]
            if (frame := self._frame(chunk)) is not None:
                self.live.publish(chunk[-1].number, frame)

    def _changed_after(self, number: int) -> list[_Change]:
        newest_first = takewhile(lambda c: c.number > number, reversed(self._changed.values()))
        return list(newest_first)[::-1]

    def _frame(self, changes: Sequence[_Change]) -> Frame | None:
        """The leads' prices now; None if none of them is on offer any more."""
        leads = self._model.leads
        content: dict[str, Any] = {
            "type": "prices",
            "channel": prices_channel(self.market),
            "seq": self._model.seq,
            "at": changes[-1].at,
            "ticks": [
                {
                    "lead_id": change.lead_id,
                    "price": leads[change.lead_id].price,
                    "reason": change.reason,
                }
                for change in changes
                if change.lead_id in leads
            ],
        }
        return message(content) if content["ticks"] else None
