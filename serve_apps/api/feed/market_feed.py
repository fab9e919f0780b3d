"""One market's events in one replica: model, recent events, live readers, snapshots."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from engine.adapters.postgres.feed_journal import PriceTick
from engine.market.instant import from_datetime
from serve_apps.api.feed.fan_out import FanOut
from serve_apps.api.feed.frame import FrameCache, events_frame, frame_end
from serve_apps.api.feed.limits import FeedLimits
from serve_apps.api.feed.metrics import FeedMetrics
from serve_apps.api.feed.read_model import ReadModel, Snapshot, decode_events
from serve_apps.api.feed.ring import Recent, Ring

if TYPE_CHECKING:
    from serve_apps.api.feed.session import FeedSocket


class MarketFeed:
    """`on_events` moves it forward; a socket that has caught up with `seq` may `join`."""

    def __init__(
        self,
        model: ReadModel,
        limits: FeedLimits,
        cache: FrameCache,
        metrics: FeedMetrics,
        written: Callable[[int, int], None],
    ) -> None:
        self.model = model
        self.market = model.market
        self.ring = Ring(
            model.seq, events_max=limits.ring_events_max, bytes_max=limits.ring_bytes_max
        )
        self.live = FanOut(written)
        self._limits = limits
        self._cache = cache
        self._metrics = metrics
        self._events = metrics.events.labels(model.market)
        self._newest: Snapshot | None = None
        self._snapshots: weakref.WeakSet[Snapshot] = weakref.WeakSet()

    @property
    def seq(self) -> int:
        return self.model.seq

    def on_events(self, from_seq: int, texts: Sequence[bytes]) -> None:
        """The events that follow `seq`. Raises ValueError if they don't."""
        if from_seq != self.seq + 1:
            raise ValueError(f"{self.market}: event {from_seq} after {self.seq}")
        events = decode_events(texts)
        for event, text in zip(events, texts, strict=True):
            self.model.apply(event)
            self.ring.append(Recent(text, event.at, event.lead.lead_id))
        start = 0
        while start < len(texts):
            end = frame_end(texts, start)
            frame = events_frame(self.market, from_seq + start, texts[start:end])
            self.live.publish(from_seq + end - 1, frame)
            start = end
        self._events.inc(len(texts))
        self._metrics.lag.observe(max(0.0, _age_seconds(events[-1].at)))

    def join(self, socket: FeedSocket) -> None:
        """From the event after `seq` on, live."""
        self.live.join(socket, self.seq)

    def leave(self, socket: FeedSocket) -> None:
        self.live.leave(socket)

    def on_prices(self, tick: PriceTick) -> list[int]:
        """A tick of prices; the indexes of those that hold."""
        held = self.model.reprice(tick, self.ring.leads_after(tick.at))
        if held:
            # The next reader gets a snapshot with these prices.
            self._newest = None
        return held

    def snapshot(self, now: float) -> Snapshot:
        """The leads on offer now, or a moment ago and the events since are still to hand.

        Readers that come together share one, and so do all who come while slow readers
        keep as many different ones alive as may be.
        """
        newest = self._newest
        if newest is not None:
            fresh = now - newest.taken_at <= self._limits.snapshot_shared_seconds
            full = len(self._snapshots) >= self._limits.snapshots_per_market_max
            missed = self.seq - newest.seq
            if missed == 0 or (fresh and missed <= len(self.ring)):
                return newest
            if full and missed < self._limits.replay_events_max:
                return newest
        taken = self._newest = self.model.snapshot(now, self._cache)
        self._snapshots.add(taken)
        return taken


def _age_seconds(at: str) -> float:
    return time.time() - from_datetime(datetime.fromisoformat(at)) / 1e6
