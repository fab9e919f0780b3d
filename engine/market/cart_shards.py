"""Which shard has whose cart."""

from __future__ import annotations

from hashlib import blake2b

_MASK = 2**64 - 1


def shard_of(user_id: str, count: int) -> int:
    """The shard, from 0, of a buyer's cart among `count`.

    Jump consistent hash: going from n to n + 1 shards moves one cart in n + 1, and all of
    those to the new shard.
    """
    if count == 1:
        return 0
    key = int.from_bytes(blake2b(user_id.encode(), digest_size=8).digest(), "big")
    shard, following = 0, 0
    while following < count:
        shard = following
        key = (key * 2862933555777941757 + 1) & _MASK
        following = int((shard + 1) * (2**31 / ((key >> 33) + 1)))
    return shard
