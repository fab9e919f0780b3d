"""The two Redis Streams of a market, as its book writes them after a commit.

`feed:<market>` carries the public events: entry id `<last seq>-0`, fields `from` (first
seq) and `events` (JSON array text). Redis refuses an id that is not above the newest,
so publishing a batch again changes nothing: that is the de-duplication.
`prices:<market>` carries price ticks: entry id `<journal position>-0`, fields `at`
(RFC 3339), `reason` and `ticks` (JSON array text of `{"lead_id", "price"}`).

Both may be lost at any time. Readers fill what is missing from the journal.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

# How far back a stream reaches, in entries (batches), about.
ENTRIES_MAX = 10_000

_REFUSED = "equal or smaller than the target stream top item"


def feed_key(market: str) -> str:
    return f"feed:{market}"


def prices_key(market: str) -> str:
    return f"prices:{market}"


async def publish(
    redis: Redis, market: str, from_seq: int, to_seq: int, events_json_text: str | bytes
) -> bool:
    """Put the public events `from_seq`..`to_seq` on the market's stream.

    `events_json_text` is a JSON array of the contract's events, `to_seq - from_seq + 1`
    of them. False if the stream has them already. Raises redis.exceptions.RedisError
    when Redis is away or full: readers then take the events from the journal.
    """
    fields = {"from": from_seq, "events": events_json_text}
    return await _add(redis, feed_key(market), to_seq, fields)


async def publish_prices(
    redis: Redis, market: str, position: int, at: str, reason: str, ticks_json_text: str | bytes
) -> bool:
    """Put one price tick, journalled at `position`, on the market's stream of prices.

    `at` is RFC 3339, `ticks_json_text` a JSON array of `{"lead_id", "price"}`. False if
    the stream has it already. Raises redis.exceptions.RedisError.
    """
    fields = {"at": at, "reason": reason, "ticks": ticks_json_text}
    return await _add(redis, prices_key(market), position, fields)


async def last_published(redis: Redis, market: str) -> int:
    """The newest `seq` on the market's stream, 0 if it is empty.

    More than the journal's newest seq means the stream tells another history (the
    database was replaced): `discard` it, or every publish will be refused.
    Raises redis.exceptions.RedisError.
    """
    newest: Any = await redis.xrevrange(feed_key(market), count=1)
    return entry_number(newest[0][0]) if newest else 0


async def discard(redis: Redis, market: str) -> None:
    """Drop both streams of a market, as when they tell another history than the journal."""
    await redis.delete(feed_key(market), prices_key(market))


def entry_number(entry_id: bytes | str) -> int:
    """The seq or position in an entry id like `1234-0`. Raises ValueError on a foreign id."""
    text = entry_id.decode() if isinstance(entry_id, bytes) else entry_id
    return int(text.partition("-")[0])


def json_array(items: Iterable[str]) -> str:
    """The JSON array text of items that are JSON text already, as the journal keeps them."""
    return f"[{','.join(items)}]"


async def _add(redis: Redis, key: str, number: int, fields: dict[Any, Any]) -> bool:
    try:
        await redis.xadd(key, fields, id=f"{number}-0", maxlen=ENTRIES_MAX, approximate=True)
    except ResponseError as error:
        if _REFUSED in str(error):
            return False
        raise
    return True
