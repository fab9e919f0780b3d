"""The feed as the API mounts it: hub, tickets, endpoint, opened and closed together."""

from __future__ import annotations

from collections.abc import Iterable

import asyncpg
from fastapi import APIRouter
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis
from starlette.routing import WebSocketRoute

from engine.adapters.postgres.feed_journal import FeedJournal
from engine.settings import Settings
from serve_apps.api.feed.endpoint import FeedEndpoint
from serve_apps.api.feed.hub import FeedHub
from serve_apps.api.feed.limits import FeedLimits
from serve_apps.api.feed.metrics import FeedMetrics
from serve_apps.api.feed.principal import Authenticator
from serve_apps.api.feed.readers import Readers
from serve_apps.api.feed.tickets import Tickets

PATH = "/v1/feed"


class Feed:
    """One replica's feed. `start` in the loop that serves, `stop` before it ends.

    `hub.model(market)` is the live price and state of every lead on offer;
    `tickets.issue(principal)` is what `POST /v1/feed/tickets` answers with. `redis` is for
    tickets and presence; the streams are read through a connection of the feed's own.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        pool: asyncpg.Pool,
        redis: Redis | None,
        authenticator: Authenticator,
        markets: Iterable[str],
        registry: CollectorRegistry,
        limits: FeedLimits | None = None,
    ) -> None:
        limits = limits or FeedLimits.of(settings)
        self.hub = FeedHub(
            redis_url=settings.redis_url,
            journal=FeedJournal(pool),
            markets=markets,
            authenticator=authenticator,
            limits=limits,
            metrics=FeedMetrics(registry),
            readers=Readers(redis, registry),
        )
        self.tickets = Tickets(redis, limits.ticket_seconds)
        self.endpoint = FeedEndpoint(
            self.hub, authenticator, self.tickets, origins_of(settings.feed_origins)
        )

    async def start(self) -> None:
        """Raises asyncpg.PostgresError, OSError or TimeoutError without a database."""
        await self.hub.start()

    async def stop(self) -> None:
        """Close every socket with 1012."""
        await self.hub.stop()


def feed_router(feed: Feed) -> APIRouter:
    """The WebSocket route alone; the tickets' route is one of the API's own."""
    router = APIRouter()
    router.routes.append(WebSocketRoute(PATH, feed.endpoint, name="feed"))
    return router


def origins_of(text: str) -> frozenset[str]:
    """Origins from a comma-separated setting, as browsers write them."""
    return frozenset(part.strip().lower().rstrip("/") for part in text.split(",") if part.strip())
