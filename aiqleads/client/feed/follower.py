"""What has been asked of a feed and how far it has come, whatever socket it comes by. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from aiqleads.client.answers.leads import LeadNow
from aiqleads.client.errors import problem
from aiqleads.client.feed.channels import Channel, is_numbered, market_of
from aiqleads.client.feed.frames import (
    BrokenFrame,
    ErrorFrame,
    EventsFrame,
    Frame,
    PricesFrame,
    SnapshotFrame,
    buyer_message_of,
    frame_of,
    lead_of,
)
from aiqleads.client.feed.messages import (
    REPRICED,
    FeedMessage,
    LeadEvent,
    Missed,
    PriceTick,
    Snapshot,
)

# More than any market has; a snapshot that goes on and on must not fill the memory.
SNAPSHOT_LEADS_MAX = 2_000_000
# With these a subscription ends, but may be asked for again.
_ENDED_FOR_NOW = frozenset({"unavailable", "internal"})


class Gap(ValueError):
    """Frames that do not join: what is known of the channel is worth nothing any more."""


class Subscription:
    """A channel and how far it has come: `since` is the last number that is known whole."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel.name
        self.since = channel.since
        self.resumes = channel.resumes
        self._filter = dict(channel.filter)
        self._snapshot: _Parts | None = None

    def request(self) -> str:
        """The message that asks for it, from where it has come to."""
        self._snapshot = None
        asked: dict[str, Any] = {"op": "subscribe", "channel": self.channel}
        if not is_numbered(self.channel):
            asked["ack"] = True
        elif self.since is not None:
            asked["since"] = self.since
        if self._filter:
            asked["filter"] = self._filter
        return msgspec.json.encode(asked).decode()

    def take_part(self, frame: SnapshotFrame) -> Snapshot | None:
        """The snapshot once it is whole. Raises Gap."""
        if frame.part == 0:
            self._snapshot = _Parts(frame.seq)
        if self._snapshot is None:
            raise Gap(f"{self.channel}: part {frame.part} of a snapshot that did not begin")
        self._snapshot.add(self.channel, frame)
        if not frame.last:
            return None
        leads, self._snapshot, self.since = tuple(self._snapshot.leads), None, frame.seq
        return Snapshot(market=market_of(self.channel), seq=frame.seq, leads=leads)

    def take_events(self, frame: EventsFrame) -> list[LeadEvent]:
        """Raises Gap unless they join what is known."""
        if self._snapshot is not None or self.since is None:
            raise Gap(f"{self.channel}: events before the snapshot is whole")
        # A frame that covers no number may tell of prices.
        if frame.from_seq != self.since + 1 or frame.to_seq < self.since:
            raise Gap(f"{self.channel}: {frame.from_seq} to {frame.to_seq} after {self.since}")
        last = self.since
        for event in frame.events:
            least = last if event.type == REPRICED else last + 1
            if not least <= event.seq <= frame.to_seq:
                raise Gap(f"{self.channel}: event {event.seq} after {last}")
            last = event.seq
        market = market_of(self.channel)
        told = [
            LeadEvent(
                market=market,
                seq=event.seq,
                type=event.type,
                at=event.at,
                lead=lead_of(event),
                claims=event.claims,
                matches=event.matches,
            )
            for event in frame.events
        ]
        self.since = frame.to_seq
        return told


class _Parts:
    """A snapshot as far as it has come."""

    def __init__(self, seq: int) -> None:
        self.leads: list[LeadNow] = []
        self._seq = seq
        self._next = 0

    def add(self, channel: str, frame: SnapshotFrame) -> None:
        if (frame.part, frame.seq) != (self._next, self._seq):
            raise Gap(f"{channel}: part {frame.part} of {frame.seq} in a snapshot of {self._seq}")
        if len(self.leads) + len(frame.leads) > SNAPSHOT_LEADS_MAX:
            raise Gap(f"{channel}: a snapshot without end")
        self._next += 1
        self.leads += frame.leads


class Follower:
    """The subscriptions of one feed. `send` what `add`, `drop`, `opened` and `ask_again` return;
    hand every frame to `take`."""

    def __init__(self) -> None:
        self.is_open = False
        self._subscriptions: dict[str, Subscription] = {}
        # Channels let go of whose last frames may still come, by how often.
        self._leaving: Counter[str] = Counter()

    def add(self, channel: Channel) -> str | None:
        """What to send, if a socket is open. Raises ValueError if it is followed already."""
        if channel.name in self._subscriptions:
            raise ValueError(f"{channel.name} is followed already")
        subscription = self._subscriptions[channel.name] = Subscription(channel)
        return subscription.request() if self.is_open else None

    def drop(self, channel: str) -> str | None:
        """What to send, if a socket is open. Raises ValueError if it is not followed."""
        if self._subscriptions.pop(channel, None) is None:
            raise ValueError(f"{channel} is not followed")
        if not self.is_open:
            return None
        self._leaving[channel] += 1
        return msgspec.json.encode({"op": "unsubscribe", "channel": channel}).decode()

    def since(self, channel: str) -> int | None:
        """The last number of a market's channel that has been told, or None."""
        found = self._subscriptions.get(channel)
        return None if found is None else found.since

    def opened(self) -> list[str]:
        """What to send over a new socket."""
        self.is_open = True
        self._leaving.clear()
        return [subscription.request() for subscription in self._subscriptions.values()]

    def closed(self) -> None:
        self.is_open = False
        for subscription in self._subscriptions.values():
            if not subscription.resumes:
                subscription.since = None

    def ask_again(self, channel: str) -> str | None:
        """What to send for a subscription that ended, if it is still wanted."""
        found = self._subscriptions.get(channel)
        return found.request() if found is not None and self.is_open else None

    def take(self, text: str | bytes) -> Taken:
        """What a frame says. Raises BrokenFrame or Gap: then the socket is to be closed and
        another opened; and Problem for what will never be served."""
        try:
            frame = frame_of(text)
        except BrokenFrame:
            for each in self._subscriptions.values():
                each.since = None
            raise
        taken = Taken()
        subscription = self._subscriptions.get(frame.channel)
        if self._leaving[frame.channel]:
            self._take_farewell(frame)
        elif isinstance(frame, ErrorFrame):
            self._take_error(frame, taken)
        elif subscription is not None:
            try:
                taken.messages += self._said(frame, subscription, text)
            except (Gap, BrokenFrame):
                subscription.since = None
                raise
        return taken

    def _take_farewell(self, frame: Frame) -> None:
        """What still comes of a channel that was let go of."""
        is_over = frame.type == "unsubscribed"
        if isinstance(frame, ErrorFrame):
            # It ended by itself before, and then was not subscribed.
            is_over = frame.problem.get("type") not in _ENDED_FOR_NOW
        if is_over:
            self._leaving[frame.channel] -= 1

    def _said(
        self, frame: Frame, subscription: Subscription, text: str | bytes
    ) -> Iterator[FeedMessage]:
        if isinstance(frame, EventsFrame):
            yield from subscription.take_events(frame)
        elif isinstance(frame, SnapshotFrame):
            snapshot = subscription.take_part(frame)
            if snapshot is not None:
                yield snapshot
        elif isinstance(frame, PricesFrame):
            yield from _ticks(frame)
        elif frame.type in ("subscribed", "missed"):
            if not is_numbered(frame.channel):
                yield Missed(channel=frame.channel)
        else:
            message = buyer_message_of(frame, text)
            if message is not None:
                yield message

    def _take_error(self, frame: ErrorFrame, taken: Taken) -> None:
        slug, status = frame.problem.get("type"), frame.problem.get("status")
        if slug == "rate-limited":
            # The server closes now, and says why.
            return
        if slug in _ENDED_FOR_NOW and frame.channel:
            taken.ended.append(frame.channel)
            return
        refused = problem(status if isinstance(status, int) else 0, frame.problem)
        refused.channel = frame.channel or None
        raise refused


class Taken:
    """What a frame came to: messages, and channels to ask for again after a while."""

    __slots__ = ("ended", "messages")

    def __init__(self) -> None:
        self.messages: list[FeedMessage] = []
        self.ended: list[str] = []


def _ticks(frame: PricesFrame) -> Iterator[PriceTick]:
    for tick in frame.ticks:
        yield PriceTick(
            market=market_of(frame.channel),
            seq=frame.seq,
            at=frame.at,
            lead_id=tick.lead_id,
            price=tick.price,
            reason=tick.reason,
        )
