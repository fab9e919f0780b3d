"""What the feed counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_LAG_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)


class FeedMetrics:
    """One feed's counters, in `registry`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.sockets = Gauge("aiqleads_feed_sockets", "Open feed sockets.", registry=registry)
        self.refused = Counter(
            "aiqleads_feed_refused",
            "Handshakes refused, by HTTP status.",
            ["status"],
            registry=registry,
        )
        self.closed = Counter(
            "aiqleads_feed_closed",
            "Feed sockets that ended, by close code: ours, or else the client's.",
            ["code"],
            registry=registry,
        )
        self.frames = Counter(
            "aiqleads_feed_frames", "Frames written to feed sockets.", registry=registry
        )
        self.bytes = Counter(
            "aiqleads_feed_bytes", "Bytes of frames written to feed sockets.", registry=registry
        )
        self.events = Counter(
            "aiqleads_feed_events",
            "Public events that came through, each counted once.",
            ["market"],
            registry=registry,
        )
        self.lag = Histogram(
            "aiqleads_feed_lag_seconds",
            "From an event's time in the journal to its hand-over to the sockets.",
            buckets=_LAG_BUCKETS,
            registry=registry,
        )

    def sent(self, frames: int, size: int) -> None:
        self.frames.inc(frames)
        self.bytes.inc(size)
