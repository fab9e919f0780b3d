"""One channel that a socket reads: how it begins and ends."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import msgspec

from engine.adapters.postgres.feed_journal import AWAY
from serve_apps.api.feed.catch_up import catch_up
from serve_apps.api.feed.feed_filter import parse_filter
from serve_apps.api.feed.filter_group import FilterGroup
from serve_apps.api.feed.market_feed import MarketFeed
from serve_apps.api.feed.price_feed import PriceFeed
from serve_apps.api.feed.user_feed import UserFeed
from serve_apps.api.problems import Problem, not_found

if TYPE_CHECKING:
    from serve_apps.api.feed.hub import FeedHub
    from serve_apps.api.feed.session import FeedSocket

log = logging.getLogger(__name__)

_CHANNEL_MAX = 80


class Subscription:
    """`start` once, `end` once. `seq` is the market's newest event here, None for `user`."""

    __slots__ = ("_group", "_hub", "_since", "_socket", "_starting", "channel", "feed", "seq")

    def __init__(
        self,
        hub: FeedHub,
        socket: FeedSocket,
        channel: str,
        since: int | None,
        filter_text: msgspec.Raw,
    ) -> None:
        """Raises Problem if there is no such channel, or not as it was asked for."""
        found = hub.feed_of(channel) if len(channel) <= _CHANNEL_MAX else None
        if found is None:
            raise not_found("no such channel: market:<market>, prices:<market> and user are")
        wanted = parse_filter(filter_text)
        if since is not None and since < 0:
            raise Problem("validation", "since must be a seq, 0 or more")
        self.channel = channel
        self.feed: MarketFeed | FilterGroup | PriceFeed | UserFeed = found
        self.seq: int | None = None
        self._hub = hub
        self._socket = socket
        self._since = since
        self._group: FilterGroup | None = None
        self._starting: asyncio.Task[None] | None = None
        if not isinstance(found, UserFeed):
            market = hub.market_feed(found.market)
            self.seq = market.seq
            if wanted is not None:
                self._group = hub.filters.acquire(market, wanted, socket.principal.user_id)
                self.feed = self._group.prices if isinstance(found, PriceFeed) else self._group
        elif wanted is not None or since is not None:
            raise Problem(
                "validation", "user has no filter and no since: read by GET what was missed"
            )
        hub.readers.subscribe(channel, socket.principal.user_id)

    def start(self) -> None:
        """Be live, at once if there is nothing to tell first."""
        if self._is_up_to_date():
            self.feed.join(self._socket)
        else:
            self._starting = asyncio.get_running_loop().create_task(self._start())

    def _is_up_to_date(self) -> bool:
        if isinstance(self.feed, MarketFeed):
            return self._since == self.feed.seq
        return self._group is None

    async def _start(self) -> None:
        feed, socket = self.feed, self._socket
        try:
            if self._group is not None:
                await self._group.ready()
            if isinstance(feed, MarketFeed | FilterGroup):
                await catch_up(self._hub, feed, socket, self._since)
            if not socket.closed:
                # In the step in which nothing was left to send.
                self._starting = None
                feed.join(socket)
        except AWAY as error:
            log.warning("feed: %s can't be begun: %s", self.channel, type(error).__name__)
            socket.end(self.channel, "unavailable", "the market can't be read now; subscribe again")
        except Exception:
            log.exception("feed: beginning %s failed", self.channel)
            socket.end(self.channel, "internal", "something went wrong here; subscribe again")

    def end(self) -> None:
        if self._starting is not None and self._starting is not asyncio.current_task():
            self._starting.cancel()
        user_id = self._socket.principal.user_id
        self.feed.leave(self._socket)
        self._hub.readers.unsubscribe(self.channel, user_id)
        if self._group is not None:
            self._hub.filters.release(self._group, user_id)
