"""One frame to many sockets: in slices, so that nothing else on the loop waits for all.

A round writes to every slice and costs about 6 µs a socket, nearly all of it the kernel's.
After it the channel rests for a multiple of the time it took: what comes meanwhile piles
up and goes out in the next round as one write per socket. So the feed takes a bounded
share of the loop whatever the market does, an event that comes alone waits for nothing,
and the busier it is, the fewer writes an event costs.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from serve_apps.api.feed.frame import Frame, joined

if TYPE_CHECKING:
    from serve_apps.api.feed.session import FeedSocket

log = logging.getLogger(__name__)

# Sockets written to before the loop may do something else: about 2 ms.
SLICE = 256

# A round that took 7 ms of CPU is followed by 35 ms of rest: a sixth of the loop's time.
# CPU, because a machine busy with other things must not make the feed rest longer.
REST_FACTOR = 5.0
REST_SECONDS_MAX = 0.1
# Shorter rests are not worth a timer, whose grain is a millisecond.
REST_SECONDS_MIN = 0.001


class Numbered(NamedTuple):
    """A frame and the number of the last thing in it."""

    number: int
    frame: Frame


class _Slice:
    """Sockets that have all been sent the same. Those that join wait for the next turn."""

    __slots__ = ("joining", "members", "pending", "sent")

    def __init__(self, sent: int) -> None:
        # The number of the last thing its members were sent.
        self.sent = sent
        self.members: dict[FeedSocket, Callable[[bytes], object] | None] = {}
        self.joining: dict[FeedSocket, int] = {}
        self.pending: list[Numbered] = []

    def __len__(self) -> int:
        return len(self.members) + len(self.joining)


class Pace:
    """When the next round may begin. Channels that share one take turns at a bounded share."""

    __slots__ = ("rest_until",)

    def __init__(self) -> None:
        self.rest_until = 0.0

    def rest_after(self, spent: float) -> None:
        """A round took so many seconds of CPU."""
        now = time.monotonic()
        rested = max(now, self.rest_until) + REST_FACTOR * spent
        self.rest_until = min(rested, now + REST_SECONDS_MAX)


class FanOut:
    """The live readers of one channel. `sent(frames, bytes)` counts what was written."""

    def __init__(self, sent: Callable[[int, int], None], pace: Pace | None = None) -> None:
        self._pace = pace or Pace()
        self._slices: list[_Slice] = []
        self._place: dict[FeedSocket, _Slice] = {}
        self._sent = sent
        self._turn: asyncio.Handle | None = None
        self._next = 0
        self._began = 0.0

    def __len__(self) -> int:
        return len(self._place)

    def __contains__(self, socket: FeedSocket) -> bool:
        return socket in self._place

    def join(self, socket: FeedSocket, after: int) -> None:
        """From now on the socket gets every frame with a number above `after`."""
        place = next((s for s in self._slices if len(s) < SLICE), None)
        if place is None:
            place = _Slice(after)
            self._slices.append(place)
        self._place[socket] = place
        if place.pending:
            place.joining[socket] = after
        else:
            place.sent = after
            place.members[socket] = socket.writer.write_wire

    def leave(self, socket: FeedSocket) -> int | None:
        """The number of the last thing the socket was sent; None if it had not joined."""
        place = self._place.pop(socket, None)
        if place is None:
            return None
        if place.members.pop(socket, None) is not None:
            return place.sent
        return place.joining.pop(socket, place.sent)

    @property
    def idle(self) -> bool:
        """Whether everything published has been written."""
        return self._turn is None

    def publish(self, number: int, frame: Frame) -> None:
        """Send a frame to all who joined; slices are written from the loop's next turn on."""
        if not self._place:
            return
        for place in self._slices:
            if place.members or place.joining:
                place.pending.append(Numbered(number, frame))
        if self._turn is None:
            self._begin()

    def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        rest = self._pace.rest_until - time.monotonic()
        if rest < REST_SECONDS_MIN:
            self._turn = loop.call_soon(self._write_first)
        else:
            self._turn = loop.call_later(rest, self._write_first)

    def _write_first(self) -> None:
        self._began = time.thread_time()
        self._write_slice()

    def _write_slice(self) -> None:
        """Write one slice's pile, then let the loop go round before the next."""
        slices = self._slices
        for _ in range(len(slices)):
            place = slices[self._next % len(slices)]
            self._next += 1
            if place.pending:
                self._write(place)
                break
        unwritten = any(place.pending for place in slices)
        # The loop hands the writes to the kernel before it calls us again.
        self._turn = asyncio.get_running_loop().call_soon(
            self._write_slice if unwritten else self._end
        )

    def _end(self) -> None:
        self._pace.rest_after(time.thread_time() - self._began)
        self._turn = None
        self._slices = [place for place in self._slices if len(place)]
        if any(place.pending for place in self._slices):
            self._begin()

    def _write(self, place: _Slice) -> None:
        pending, place.pending = place.pending, []
        place.sent = pending[-1].number
        frames = [numbered.frame for numbered in pending]
        wire = frames[0].wire if len(frames) == 1 else joined(frames)
        written = 0
        for socket, write in place.members.items():
            written += 1
            try:
                if write is not None:
                    write(wire)
                else:
                    for frame in frames:
                        socket.writer.write_frame(frame)
            except (OSError, RuntimeError) as error:
                # A connection that is lost already; its own session clears up.
                written -= 1
                log.debug("feed: a lost connection was written to: %s", error)
        self._sent(written * len(frames), written * len(wire))
        if place.joining:
            self._admit(place, pending)

    def _admit(self, place: _Slice, pending: list[Numbered]) -> None:
        joining, place.joining = place.joining, {}
        for socket, after in joining.items():
            for numbered in pending:
                # Sending may close the socket, which leaves.
                if numbered.number > after and self._place.get(socket) is place:
                    socket.send(numbered.frame)
            if self._place.get(socket) is place:
                place.members[socket] = socket.writer.write_wire
