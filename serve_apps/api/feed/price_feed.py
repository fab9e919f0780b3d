"""One market's price ticks in one replica, conflated for readers that lag.

A reader that keeps up gets each tick as one shared frame. One whose connection is full
is only remembered, with how far it got; when it has drained it gets the newest price of
each lead that changed since, whatever number of ticks that was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.adapters.postgres.feed_journal import PriceTick
from serve_apps.api.feed.fan_out import FanOut
from serve_apps.api.feed.frame import Frame, message, prices_channel

if TYPE_CHECKING:
    from serve_apps.api.feed.session import FeedSocket

TICKS_PER_FRAME = 1_000


class _Newest(NamedTuple):
    """A lead's newest price: the `number`-th price since the replica began."""

    number: int
    seq: int
    at: str
    lead_id: str
    price: int
    reason: str


class PriceFeed:
    """Ticks of one market to its readers."""

    def __init__(
        self, market: str, paused: Set[FeedSocket], written: Callable[[int, int], None]
    ) -> None:
        """`paused` are the sockets whose connection is full, kept up to date by its owner."""
        self.market = market
        self.live = FanOut(written)
        self._paused = paused
        self._count = 0
        # Newest price by lead, least recent first; kept while somebody may need it.
        self._newest: dict[str, _Newest] = {}
        self._lagging: dict[FeedSocket, int] = {}

    def join(self, socket: FeedSocket) -> None:
        self.live.join(socket, self._count)

    def leave(self, socket: FeedSocket) -> None:
        self.live.leave(socket)
        self._lagging.pop(socket, None)

    def catch_up(self, socket: FeedSocket) -> None:
        """The socket has drained: the newest prices it missed, as much as it takes."""
        after = self._lagging.get(socket)
        if after is None:
            return
        recent = takewhile(lambda n: n.number > after, reversed(self._newest.values()))
        missed = sorted(recent, key=lambda newest: newest.number)
        for start in range(0, len(missed), TICKS_PER_FRAME):
            chunk = missed[start : start + TICKS_PER_FRAME]
            socket.send(self._frame(chunk))
            if socket.closed:
                return
            self._lagging[socket] = chunk[-1].number
            if socket.writer.paused:
                return
        del self._lagging[socket]
        self.live.join(socket, self._count)

    def on_prices(self, seq: int, tick: PriceTick, held: Iterable[int]) -> None:
        """A tick, applied when the market's newest event was `seq`; `held` indexes count."""
        changes = [
            _Newest(
                self._count + number, seq, tick.at, tick.lead_ids[i], tick.prices[i], tick.reason
            )
            for number, i in enumerate(held, start=1)
        ]
        if not changes:
            return
        self._count += len(changes)
        if not self._lagging and self.live.idle:
            self._newest.clear()
        for socket in self._paused:
            if (sent := self.live.leave(socket)) is not None:
                self._lagging[socket] = sent
        for change in changes:
            self._newest.pop(change.lead_id, None)
            self._newest[change.lead_id] = change
        for start in range(0, len(changes), TICKS_PER_FRAME):
            chunk = changes[start : start + TICKS_PER_FRAME]
            self.live.publish(chunk[-1].number, self._frame(chunk))

    def _frame(self, changes: Sequence[_Newest]) -> Frame:
        content: dict[str, Any] = {
            "type": "prices",
            "channel": prices_channel(self.market),
            "seq": changes[-1].seq,
            "at": changes[-1].at,
            "ticks": [
                {"lead_id": change.lead_id, "price": change.price, "reason": change.reason}
                for change in changes
            ],
        }
        return message(content)
