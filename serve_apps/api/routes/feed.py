"""Tickets for the sockets of browsers; the socket itself is `serve_apps.api.feed`."""

from __future__ import annotations

from serve_apps.api.answers import Answer, answer
from serve_apps.api.call import CurrentCall
from serve_apps.api.feed.principal import Principal
from serve_apps.api.routing import Routes
from serve_apps.api.schemas.operations import Ticket

routes = Routes("feed")


@routes.add("POST", "/v1/feed/tickets", answers={201: Ticket})
async def issue_ticket(call: CurrentCall) -> Answer:
    """A ticket that opens one socket: `GET /v1/feed?ticket=…`."""
    tickets = call.deps.feed.tickets
    principal = Principal(call.user.user_id, call.family, call.expires_at)
    ticket = await tickets.issue(principal)
    return answer({"ticket": ticket, "expires_in": tickets.lifetime_seconds}, 201)
