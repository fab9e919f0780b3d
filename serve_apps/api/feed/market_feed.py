"""One market's events in one replica: model, recent events, live readers, snapshots."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence, Set
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING

from engine.adapters.postgres.feed_journal import FeedJournal, PriceTick
from engine.market.instant import from_datetime
from serve_apps.api.feed.fan_out import FanOut
from serve_apps.api.feed.frame import Frame, FrameCache, events_frame, frame_end
from serve_apps.api.feed.limits import FeedLimits
from serve_apps.api.feed.market_filters import MarketFilters
from serve_apps.api.feed.metrics import FeedMetrics
from serve_apps.api.feed.read_model import ReadModel, Snapshot, decode_events
from serve_apps.api.feed.ring import Recent, Ring
from serve_apps.api.feed.snapshots import Snapshots

if TYPE_CHECKING:
    from serve_apps.api.feed.session import FeedSocket


class MarketFeed:
    """`on_events` moves it forward; a socket that has caught up with `seq` may `join`.

    It is the View of those who asked for everything.
    """

    resumes = True
    name = b""

    def __init__(
        self,
        model: ReadModel,
        *,
        journal: FeedJournal,
        limits: FeedLimits,
        cache: FrameCache,
        metrics: FeedMetrics,
        paused: Set[FeedSocket],
        written: Callable[[int, int], None],
        building: asyncio.Lock,
    ) -> None:
        self.model = model
        self.market = model.market
        self.ring = Ring(
            model.seq, events_max=limits.ring_events_max, bytes_max=limits.ring_bytes_max
        )
        self.live = FanOut(written)
        self.filters = MarketFilters(
            model,
            self.ring,
            journal=journal,
            limits=limits,
            cache=cache,
            paused=paused,
            written=written,
            building=building,
        )
        self._cache = cache
        self._metrics = metrics
        self._events = metrics.events.labels(model.market)
        self._snapshots = Snapshots(limits)

    @property
    def seq(self) -> int:
        return self.model.seq

    def on_events(self, from_seq: int, texts: Sequence[bytes]) -> None:
        """The events that follow `seq`. Raises ValueError if they don't."""
        if from_seq != self.seq + 1:
            raise ValueError(f"{self.market}: event {from_seq} after {self.seq}")
        events = decode_events(texts)
        for event, text in zip(events, texts, strict=True):
            lead_id = event.lead.lead_id
            before = self.model.get(lead_id)
            self.model.apply(event)
            self.ring.append(Recent(text, event.at, lead_id))
            if self.filters.is_active:
                self.filters.on_event(event, text, before, self.model.get(lead_id))
        start = 0
        while start < len(texts):
            end = frame_end(texts, start)
            to_seq = from_seq + end - 1
            frame = events_frame(self.market, from_seq + start, to_seq, texts[start:end])
            self.live.publish(to_seq, frame)
            start = end
        self.filters.publish()
        self._events.inc(len(texts))
        self._metrics.lag.observe(max(0.0, _age_seconds(events[-1].at)))

    def on_prices(self, tick: PriceTick) -> list[str]:
        """A tick of prices; the leads whose price it set."""
        held = self.model.reprice(tick, self.ring.leads_after(tick.at))
        if held:
            self._snapshots.on_prices()
            if self.filters.is_active:
                self.filters.on_prices(tick, held)
        return [repriced.after.lead_id for repriced in held]

    def join(self, socket: FeedSocket) -> None:
        """From the event after `seq` on, live."""
        self.live.join(socket, self.seq)

    def leave(self, socket: FeedSocket) -> None:
        self.live.leave(socket)

    # --- View --------------------------------------------------------------------

    def catching_up(self) -> AbstractContextManager[None]:
        return contextlib.nullcontext()

    def snapshot(self, now: float) -> Snapshot:
        """The leads on offer now, or a moment ago and the events since are still to hand."""
        shared = self._snapshots.shared(now, self.seq, len(self.ring))
        return shared or self._snapshots.add(self.model.snapshot(now, self._cache))

    def replay(self, from_seq: int, texts: Sequence[bytes]) -> Frame:
        return events_frame(self.market, from_seq, from_seq + len(texts) - 1, texts)

    def moved_since(self, snapshot: Snapshot) -> Sequence[Frame]:
        return ()


def _age_seconds(at: str) -> float:
    return time.time() - from_datetime(datetime.fromisoformat(at)) / 1e6
