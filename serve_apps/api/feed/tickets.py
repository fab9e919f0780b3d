"""One-use tickets for sockets of browsers, which can't send an Authorization header.

They live in Redis, so that any replica redeems what another issued. While Redis is away
a replica keeps its own in memory and only it can redeem them.
"""

from __future__ import annotations

import hashlib
import secrets
import time

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from serve_apps.api.feed.principal import Principal

# Kept in memory at most; the oldest go first.
LOCAL_MAX = 10_000
TICKET_LENGTH_MAX = 64
_LOCAL = "local-"

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Principal).decode


class TicketsAway(Exception):
    """Redis is away, and the ticket is one of its."""


class Tickets:
    """Issues and redeems. A ticket speaks for the session that asked for it, no longer
    than its token does, once."""

    def __init__(self, redis: Redis | None, lifetime_seconds: int) -> None:
        self.lifetime_seconds = lifetime_seconds
        self._redis = redis
        self._local: dict[str, tuple[float, Principal]] = {}

    async def issue(self, principal: Principal) -> str:
        ticket = secrets.token_urlsafe(24)
        if self._redis is not None:
            try:
                await self._redis.set(_key(ticket), _encode(principal), ex=self.lifetime_seconds)
            except (RedisError, OSError, TimeoutError):
                pass
            else:
                return ticket
        return self._issue_locally(_LOCAL + ticket, principal)

    async def redeem(self, ticket: str) -> Principal | None:
        """Who it speaks for; None if it is unknown, used or too old. Raises TicketsAway."""
        if len(ticket) > TICKET_LENGTH_MAX:
            return None
        if ticket.startswith(_LOCAL):
            until, principal = self._local.pop(ticket, (0.0, None))
            return principal if time.monotonic() < until else None
        if self._redis is None:
            return None
        try:
            found = await self._redis.getdel(_key(ticket))
        except (RedisError, OSError, TimeoutError) as error:
            raise TicketsAway(type(error).__name__) from error
        return _decode(found) if found is not None else None

    def _issue_locally(self, ticket: str, principal: Principal) -> str:
        now = time.monotonic()
        while self._local:
            oldest = next(iter(self._local))
            if len(self._local) < LOCAL_MAX and self._local[oldest][0] > now:
                break
            del self._local[oldest]
        self._local[ticket] = (now + self.lifetime_seconds, principal)
        return ticket


def _key(ticket: str) -> str:
    # Who can list Redis' keys learns no ticket.
    return f"feed-ticket:{hashlib.sha256(ticket.encode()).hexdigest()}"
