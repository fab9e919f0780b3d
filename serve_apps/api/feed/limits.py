"""The feed's bounds."""

from __future__ import annotations

from typing import NamedTuple

from engine.settings import Settings


class FeedLimits(NamedTuple):
    """Sizes are bytes, times seconds. `buffer_bytes` is per socket: past it, close 4008."""

    buffer_bytes: int = 1024 * 1024
    sockets_max: int = 10_000
    sockets_per_user_max: int = 50
    subscriptions_max: int = 32
    # Handshakes looked at together; the database answers for most of them.
    handshakes_max: int = 512
    # A client may send this many messages at once, and so many a second in the long run.
    messages_burst: int = 100
    messages_per_second: float = 20.0
    # `since` further back than this is answered by a snapshot.
    replay_events_max: int = 50_000
    # Recent events kept in memory for each market; what is older comes from the journal.
    ring_events_max: int = 10_000
    ring_bytes_max: int = 4 * 1024 * 1024
    # Encoded snapshots and replays shared between sockets.
    cache_bytes_max: int = 32 * 1024 * 1024
    snapshots_per_market_max: int = 8
    snapshot_shared_seconds: float = 1.0
    journal_reads_at_once: int = 2
    # A reader that takes none of a snapshot or replay for so long is closed with 4008.
    stalled_seconds: float = 30.0
    # Price ticks within this travel as one.
    prices_interval_seconds: float = 0.1
    # Different filters at once, of all subscriptions here and of one account's; one that
    # nobody uses any more is kept for a while, for those who come again.
    filters_max: int = 256
    filters_per_user_max: int = 20
    filter_idle_seconds: float = 60.0
    # A filter's readers hear at least so often how far their market is, if it moved.
    cover_seconds: float = 5.0
    # Expired and revoked tokens are looked for this often.
    sweep_seconds: float = 0.5
    ticket_seconds: int = 30

    @classmethod
    def of(cls, settings: Settings) -> FeedLimits:
        return cls(
            buffer_bytes=settings.feed_buffer_bytes,
            sockets_max=settings.feed_sockets_max,
            sockets_per_user_max=settings.feed_sockets_per_user_max,
            prices_interval_seconds=settings.feed_prices_interval_ms / 1000,
            filters_max=settings.feed_filters_max,
        )
