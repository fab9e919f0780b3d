"""Who reads what: sockets and accounts by channel, in this replica and in all of them."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from redis.asyncio import Redis
from redis.exceptions import RedisError

from engine.adapters.redis import feed_presence
from engine.adapters.redis.feed_presence import Presence

log = logging.getLogger(__name__)

# A replica tells the others this often, and is forgotten after three times as long. Seconds.
TELL_SECONDS = 5
_AWAY = (RedisError, OSError, TimeoutError)


class Readers(Collector):
    """Counts from its making on; `tell` until cancelled lets the other replicas know."""

    def __init__(self, redis: Redis | None, registry: CollectorRegistry) -> None:
        self.replica = secrets.token_hex(8)
        self._redis = redis
        self._sockets: Counter[str] = Counter()
        self._channels: dict[str, Counter[str]] = {}
        registry.register(self)

    # --- this replica --------------------------------------------------------------

    def come(self, user_id: str) -> None:
        self._sockets[user_id] += 1

    def go(self, user_id: str) -> None:
        _less(self._sockets, user_id)

    def sockets_of(self, user_id: str) -> int:
        return self._sockets[user_id]

    def subscribe(self, channel: str, user_id: str) -> None:
        self._channels.setdefault(channel, Counter())[user_id] += 1

    def unsubscribe(self, channel: str, user_id: str) -> None:
        users = self._channels[channel]
        _less(users, user_id)
        if not users:
            del self._channels[channel]

    def here(self) -> Presence:
        channels = {channel: users.total() for channel, users in self._channels.items()}
        return Presence(self._sockets.total(), len(self._sockets), channels)

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "aiqleads_feed_users", "Accounts with an open feed socket.", value=len(self._sockets)
        )
        subscriptions = GaugeMetricFamily(
            "aiqleads_feed_subscriptions", "Sockets that read a channel.", labels=["channel"]
        )
        users = GaugeMetricFamily(
            "aiqleads_feed_channel_users", "Accounts that read a channel.", labels=["channel"]
        )
        for channel, readers in self._channels.items():
            subscriptions.add_metric([channel], readers.total())
            users.add_metric([channel], len(readers))
        yield subscriptions
        yield users

    # --- all replicas --------------------------------------------------------------

    async def everywhere(self) -> list[Presence]:
        """Of each replica: this one's now, the others' a few seconds ago. Without Redis only
        this one's."""
        try:
            told = await feed_presence.of_all(self._redis) if self._redis is not None else {}
        except _AWAY as error:
            log.warning("feed: other replicas' readers are not known: %s", error)
            told = {}
        return list({**told, self.replica: self.here()}.values())

    async def tell(self) -> None:
        """Until cancelled."""
        while self._redis is not None:
            try:
                await feed_presence.publish(
                    self._redis, self.replica, self.here(), 3 * TELL_SECONDS
                )
            except _AWAY as error:
                log.debug("feed: the others can't be told of our readers: %s", error)
            await asyncio.sleep(TELL_SECONDS)

    async def leave(self) -> None:
        """Let the others forget this replica at once."""
        if self._redis is None:
            return
        try:
            await feed_presence.withdraw(self._redis, self.replica)
        except _AWAY as error:
            log.debug("feed: this replica is forgotten by itself: %s", error)


def _less(counter: Counter[str], key: str) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
