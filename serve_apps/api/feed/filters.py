"""The filters of all subscriptions in one replica: how many there may be, and whose they are."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping

from serve_apps.api.feed.feed_filter import FeedFilter
from serve_apps.api.feed.filter_group import FilterGroup
from serve_apps.api.feed.limits import FeedLimits
from serve_apps.api.feed.market_feed import MarketFeed
from serve_apps.api.problems import Problem, unavailable


class Filters:
    """`acquire` for every subscription with a filter, and `release` when it ends."""

    def __init__(self, feeds: Mapping[str, MarketFeed], limits: FeedLimits) -> None:
        """`feeds` are the markets', kept up to date by their owner."""
        self._feeds = feeds
        self._limits = limits
        # How often each account uses each filter.
        self._used_by: dict[str, Counter[FilterGroup]] = {}
        # Filters that nobody uses, and since when; the longest unused first.
        self._unused: dict[FilterGroup, float] = {}

    def __len__(self) -> int:
        return sum(len(feed.filters) for feed in self._feeds.values())

    def acquire(self, feed: MarketFeed, wanted: FeedFilter, user_id: str) -> FilterGroup:
        """Everybody with the same filter shares one. Raises Problem if there are too many."""
        group = feed.filters.find(wanted)
        used = self._used_by.get(user_id, Counter())
        if (group is None or group not in used) and len(used) >= self._limits.filters_per_user_max:
            raise Problem(
                "validation",
                f"an account has at most {self._limits.filters_per_user_max} different filters"
                " at once on a server",
            )
        if group is None:
            self._make_room()
            group = feed.filters.open(wanted)
        self._unused.pop(group, None)
        group.readers += 1
        used[group] += 1
        self._used_by[user_id] = used
        return group

    def release(self, group: FilterGroup, user_id: str) -> None:
        used = self._used_by[user_id]
        used[group] -= 1
        if not used[group]:
            del used[group]
        if not used:
            del self._used_by[user_id]
        group.readers -= 1
        if not group.readers:
            self._unused[group] = time.monotonic()

    def _make_room(self) -> None:
        """Raises Problem if every filter is in use."""
        while len(self) >= self._limits.filters_max:
            if not self._unused:
                raise unavailable("this server has all the filters it takes; try again", 5)
            self._let_go(next(iter(self._unused)))

    def _let_go(self, group: FilterGroup) -> None:
        del self._unused[group]
        group.filters.close(group)

    def sweep(self) -> None:
        """Let go of what is long unused, and tell readers how far their market is."""
        old = time.monotonic() - self._limits.filter_idle_seconds
        for group in [group for group, since in self._unused.items() if since <= old]:
            self._let_go(group)
        for feed in self._feeds.values():
            for group in feed.filters:
                group.cover(self._limits.cover_seconds)

    async def stop(self) -> None:
        self._unused.clear()
        for feed in self._feeds.values():
            feed.filters.stop()
        # What was cancelled ends in the loop's next turns.
        await asyncio.sleep(0)
