"""Snapshots of one view of a market that are alive, shared by readers that come together."""

from __future__ import annotations

import weakref

from serve_apps.api.feed.limits import FeedLimits
from serve_apps.api.feed.read_model import Snapshot


class Snapshots:
    """`shared` is what a reader may have that comes now; if nothing, take one and `add` it."""

    def __init__(self, limits: FeedLimits) -> None:
        self._limits = limits
        self._newest: Snapshot | None = None
        self._has_old_prices = False
        self._alive: weakref.WeakSet[Snapshot] = weakref.WeakSet()

    def shared(self, now: float, seq: int, kept: int) -> Snapshot | None:
        """One of now, or of a moment ago if the events since are among the `kept` newest.

        While slow readers keep as many different ones alive as may be, an older one too:
        in a storm of readers only one a second is made.
        """
        newest = self._newest
        if newest is None:
            return None
        fresh = now - newest.taken_at <= self._limits.snapshot_shared_seconds
        full = len(self._alive) >= self._limits.snapshots_per_market_max
        missed = seq - newest.seq
        if self._has_old_prices:
            return newest if full and fresh and missed <= kept else None
        if missed == 0 or (fresh and missed <= kept):
            return newest
        return newest if full and missed < self._limits.replay_events_max else None

    def add(self, taken: Snapshot) -> Snapshot:
        self._newest = taken
        self._has_old_prices = False
        self._alive.add(taken)
        return taken

    def on_prices(self) -> None:
        """Prices changed: the next reader gets a new one if there is room for one."""
        self._has_old_prices = True

    def forget(self) -> None:
        """The newest one can't be brought to the present any more."""
        self._newest = None
