"""Tells buyers on the `user` channel what the API itself has committed."""

from __future__ import annotations

import logging

from redis.exceptions import RedisError

from engine.adapters.redis import user_stream
from engine.market.buyer_events import BuyerEvent
from serve_apps.api.deps import Deps

log = logging.getLogger(__name__)


async def tell_balance(deps: Deps, user_id: str, balance: int) -> None:
    """Call after the commit. Whoever is not told, as while Redis is away, can ask."""
    if deps.redis is None:
        return
    try:
        event = BuyerEvent(user_id, "wallet.changed", {"balance": balance})
        await user_stream.publish(deps.redis, [event])
    except (RedisError, OSError, TimeoutError) as error:
        log.warning("a buyer could not be told of a new balance: %s", error)
