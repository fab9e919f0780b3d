"""Tickets for browsers, and who reads; the socket itself is `serve_apps.api.feed`."""

from __future__ import annotations

from collections import Counter

from serve_apps.api.answers import Answer, answer
from serve_apps.api.call import CurrentCall
from serve_apps.api.feed.principal import Principal
from serve_apps.api.routing import Routes
from serve_apps.api.schemas.operations import FeedReaders, Ticket

routes = Routes("feed")


@routes.add("POST", "/v1/feed/tickets", answers={201: Ticket})
async def issue_ticket(call: CurrentCall) -> Answer:
    """A ticket that opens one socket: `GET /v1/feed?ticket=…`."""
    tickets = call.deps.feed.tickets
    principal = Principal(call.user.user_id, call.family, call.expires_at)
    ticket = await tickets.issue(principal)
    return answer({"ticket": ticket, "expires_in": tickets.lifetime_seconds}, 201)


@routes.add("GET", "/v1/admin/feed", access="admin", answers={200: FeedReaders})
async def feed_readers(call: CurrentCall) -> Answer:
    """How many sockets and accounts read the feed, and which channels."""
    replicas = await call.deps.feed.hub.readers.everywhere()
    channels: Counter[str] = Counter()
    for replica in replicas:
        channels.update(replica.channels)
    return answer(
        {
            "sockets": sum(replica.sockets for replica in replicas),
            "users": sum(replica.users for replica in replicas),
            "channels": dict(sorted(channels.items())),
            "replicas": len(replicas),
        }
    )
