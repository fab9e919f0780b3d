"""How many read the feed, as each API replica tells the others by Redis.

`feed:presence` is the set of replicas, `feed:presence:<replica>` what one counted, which
goes away by itself when the replica no longer tells. All raise redis.exceptions.RedisError,
OSError or TimeoutError when Redis is away.
"""

from __future__ import annotations

from typing import Any

import msgspec
from redis.asyncio import Redis

KEY = "feed:presence"


class Presence(msgspec.Struct, frozen=True):
    """Sockets and accounts of one replica, and sockets by channel."""

    sockets: int
    users: int
    channels: dict[str, int]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Presence).decode


async def publish(redis: Redis, replica: str, counted: Presence, seconds: int) -> None:
    """Known to the others for so many seconds."""
    async with redis.pipeline(transaction=False) as pipeline:
        pipeline.set(_key(replica), _encode(counted), ex=seconds)
        pipeline.sadd(KEY, replica)
        pipeline.expire(KEY, 10 * seconds)
        await pipeline.execute()


async def withdraw(redis: Redis, replica: str) -> None:
    async with redis.pipeline(transaction=False) as pipeline:
        pipeline.delete(_key(replica))
        pipeline.srem(KEY, replica)
        await pipeline.execute()


async def of_all(redis: Redis) -> dict[str, Presence]:
    """By replica, as far as they told lately. Those that are gone are forgotten."""
    members: Any = await redis.smembers(KEY)
    replicas = [member.decode() for member in members]
    if not replicas:
        return {}
    found: Any = await redis.mget([_key(replica) for replica in replicas])
    told = dict(zip(replicas, found, strict=True))
    if gone := [replica for replica, text in told.items() if text is None]:
        await redis.srem(KEY, *gone)
    return {replica: _decode(text) for replica, text in told.items() if text is not None}


def _key(replica: str) -> str:
    return f"{KEY}:{replica}"
