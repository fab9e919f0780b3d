"""Everybody who asked one market for the same: what they see is worked out once.

An event is passed on if its lead matched before it or does after it. One that a lead on
offer no longer matches after says so: `"matches": false`. A price tick is no event; where
it makes a lead match, or not any more, a `lead.repriced` without a number of its own says
so. Events that are not passed on are covered by the next frame's `from_seq`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from engine.adapters.postgres.feed_journal import ThinLead
from engine.market.listing import Listing
from serve_apps.api.feed.fan_out import FanOut
from serve_apps.api.feed.feed_filter import FeedFilter, facts_of
from serve_apps.api.feed.frame import EVENTS_PER_FRAME, Frame, events_frame, frame_end
from serve_apps.api.feed.price_feed import PriceFeed
from serve_apps.api.feed.read_model import (
    ON_OFFER,
    PublicEvent,
    Snapshot,
    decode_event,
    listing_of,
)
from serve_apps.api.feed.snapshots import Snapshots

if TYPE_CHECKING:
    from serve_apps.api.feed.market_filters import MarketFilters
    from serve_apps.api.feed.session import FeedSocket

_encode = msgspec.json.Encoder().encode


class _Crossing(NamedTuple):
    """A tick that made a lead match, or not any more: the `number`-th; `at` is RFC 3339."""

    number: int
    at: str


class FilterGroup:
    """The View of a filter, which has `number` among those of its market."""

    def __init__(self, number: int, wanted: FeedFilter, filters: MarketFilters) -> None:
        self.number = number
        self.wanted = wanted
        self.name = wanted.key
        self.filters = filters
        self.market = filters.model.market
        self.ring = filters.ring
        self.resumes = not wanted.is_price_bound
        self.live = FanOut(filters.written, filters.pace)
        self.prices = PriceFeed(
            filters.model,
            filters.limits.prices_interval_seconds,
            filters.paused,
            filters.written,
            filters.pace,
        )
        # Subscriptions that use it, whether they are live or not.
        self.readers = 0
        self.building: asyncio.Task[None] | None = None
        self.is_built = False
        self._model = filters.model
        self._snapshots = Snapshots(filters.limits)
        self._catching_up = 0
        # Leads that a price tick made match, or not, while somebody was catching up.
        self._crossed: dict[str, _Crossing] = {}
        self._crossings = 0
        self._passed: list[bytes] = []
        self._passed_seqs: list[int] = []
        # The last event that the live readers know of, and when they were told.
        self._covered = self._model.seq
        self._covered_at = 0.0
        self._frames = 0

    # --- what happens ------------------------------------------------------------

    def on_event(
        self, event: PublicEvent, text: bytes, before: ThinLead | None, after: ThinLead | None
    ) -> bool:
        """Pass the event on if it concerns the view; `before` and `after` are the lead on
        offer, None where its facts are not asked for. Whether there is something to publish."""
        matched = before is not None and self.wanted.trades(before)
        matches = after is not None and self.wanted.trades(after)
        if not matched and not matches:
            return False
        self._pass(event.seq, text if matches else _gone(event, text))
        return True

    def on_price(self, before: ThinLead, after: ThinLead, at: str) -> bool:
        """A tick changed a lead's price, whose facts are asked for. Whether it concerns the
        view."""
        matched, matches = self.wanted.trades(before), self.wanted.trades(after)
        if matched != matches:
            self._cross(after.lead_id, at)
            self._pass(self._model.seq, _repriced(self._model.seq, at, after, matches))
        elif matches:
            self._snapshots.on_prices()
        return matched or matches

    def publish(self) -> None:
        """Tell the live readers what was passed on since the last time."""
        texts, seqs = self._passed, self._passed_seqs
        self._passed, self._passed_seqs = [], []
        start = 0
        while start < len(texts):
            end = frame_end(texts, start)
            self._send(self._model.seq if end == len(texts) else seqs[end - 1], texts[start:end])
            start = end

    def cover(self, older_than_seconds: float = 0.0) -> None:
        """Let the live readers know how far the market is, if they have not heard for so long."""
        heard = time.monotonic() - self._covered_at
        if self._covered < self._model.seq and heard >= older_than_seconds:
            self._send(self._model.seq, ())

    def _pass(self, seq: int, text: bytes) -> None:
        self._passed.append(text)
        self._passed_seqs.append(seq)

    def _cross(self, lead_id: str, at: str) -> None:
        if self._catching_up:
            self._crossings += 1
            self._crossed[lead_id] = _Crossing(self._crossings, at)
        else:
            self._snapshots.forget()

    def _send(self, to_seq: int, texts: Sequence[bytes]) -> None:
        from_seq, self._covered = self._covered + 1, to_seq
        self._covered_at = time.monotonic()
        if len(self.live):
            self._frames += 1
            self.live.publish(self._frames, events_frame(self.market, from_seq, to_seq, texts))

    # --- View --------------------------------------------------------------------

    @property
    def seq(self) -> int:
        return self._model.seq

    async def ready(self) -> None:
        assert self.building is not None
        # Others may wait for the same.
        await asyncio.shield(self.building)

    @contextlib.contextmanager
    def catching_up(self) -> Iterator[None]:
        self._catching_up += 1
        try:
            yield
        finally:
            self._catching_up -= 1
            if not self._catching_up and self._crossed:
                self._crossed.clear()
                self._snapshots.forget()

    def snapshot(self, now: float) -> Snapshot:
        shared = self._snapshots.shared(now, self.seq, len(self.ring))
        return shared or self._snapshots.add(self._take(now))

    def _take(self, now: float) -> Snapshot:
        leads = [
            lead
            for lead_id in self.filters.asked_for(self.number)
            if (lead := self._model.get(lead_id)) is not None and self.wanted.trades(lead)
        ]
        cache = self.filters.cache
        return Snapshot(self.market, self.seq, leads, now, cache, self.name, self._crossings)

    def replay(self, from_seq: int, texts: Sequence[bytes]) -> Frame:
        """As the leads' facts are now: what a lead was before is not known any more, so more
        is passed on than live, and every lead's last event leaves it as it is."""
        passed = []
        for text in texts:
            event = decode_event(text)
            if event.lead.lead_state not in ON_OFFER:
                passed.append(text)
            elif self._is_replayed(event, listing := listing_of(event, text)):
                matches = self._asks(event, listing) and self.wanted.trades(event.lead)
                passed.append(text if matches else _gone(event, text))
        return events_frame(self.market, from_seq, from_seq + len(texts) - 1, passed)

    def _is_replayed(self, event: PublicEvent, listing: Listing | None) -> bool:
        # What is listed was not on offer before; what is updated may have matched.
        return event.type == "lead.updated" or self._asks(event, listing)

    def _asks(self, event: PublicEvent, listing: Listing | None) -> bool:
        lead_id = event.lead.lead_id
        if listing is None:
            return self.filters.asks(self.number, lead_id)
        return self.wanted.lists(lead_id, facts_of(listing))

    def moved_since(self, snapshot: Snapshot) -> Sequence[Frame]:
        texts = [
            _repriced(self.seq, crossing.at, lead, self._matches(lead))
            for lead_id, crossing in self._crossed.items()
            if crossing.number > snapshot.crossings
            and (lead := self._model.get(lead_id)) is not None
        ]
        starts = range(0, len(texts), EVENTS_PER_FRAME)
        parts = [texts[start : start + EVENTS_PER_FRAME] for start in starts]
        return [events_frame(self.market, self.seq + 1, self.seq, part) for part in parts]

    def _matches(self, lead: ThinLead) -> bool:
        return self.filters.asks(self.number, lead.lead_id) and self.wanted.trades(lead)

    def join(self, socket: FeedSocket) -> None:
        self.cover()
        self.live.join(socket, self._frames)

    def leave(self, socket: FeedSocket) -> None:
        self.live.leave(socket)


def _gone(event: PublicEvent, text: bytes) -> bytes:
    """An event whose lead is not in the view after it. One that is off offer shows it."""
    return b'{"matches":false,' + text[1:] if event.lead.lead_state in ON_OFFER else text


def _repriced(seq: int, at: str, lead: ThinLead, matches: bool) -> bytes:
    content: dict[str, Any] = {"seq": seq, "type": "lead.repriced", "at": at, "lead": lead}
    return _encode(content if matches else {"matches": False, **content})
