"""Leads' vectors, by version of the embedder: written by one filler, polled by every replica.

All raise asyncpg.PostgresError, asyncpg.InterfaceError, OSError or TimeoutError when the
database is away.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

import asyncpg
import numpy as np
from numpy.typing import NDArray

from engine.adapters.postgres.listing_rows import FACT_COLUMNS, listing_of
from engine.market.listing import Listing

Vectors = NDArray[np.float32]
_CHUNK = 2_000
# Only one process embeds at a time, for its numbers to rise in the order of commits.
_LOCK = "SELECT pg_try_advisory_lock(hashtextextended('lead_vectors', 0))"


class Stored(NamedTuple):
    """Vectors as they were read: parallel, up to and with the last `number`."""

    lead_ids: list[str]
    digests: list[str]
    vectors: Vectors
    number: int


class Text(NamedTuple):
    """A lead whose text is to be embedded."""

    lead_id: str
    market: str
    listing: Listing


async def lock(connection: asyncpg.Connection) -> bool:
    """Become the filler, for as long as this connection lives; False if there is one."""
    found: bool = await connection.fetchval(_LOCK)
    return found


async def write(
    connection: asyncpg.Connection,
    version: int,
    texts: Sequence[Text],
    digests: Sequence[str],
    vectors: Vectors,
) -> None:
    """Keep the vectors, as new ones, on the connection that holds the lock. Leads that were
    erased meanwhile are passed over."""
    kept = np.ascontiguousarray(vectors, dtype=np.float16)
    await connection.execute(
        "INSERT INTO lead_vectors (lead_id, version, market, digest, vector)"
        " SELECT n.lead_id, $1, n.market, n.digest, n.vector"
        " FROM unnest($2::text[], $3::text[], $4::text[], $5::bytea[])"
        " n(lead_id, market, digest, vector) JOIN leads USING (lead_id)"
        " ON CONFLICT (lead_id, version) DO UPDATE SET digest = excluded.digest,"
        " vector = excluded.vector, number = DEFAULT, at = now()",
        version,
        [text.lead_id for text in texts],
        [text.market for text in texts],
        list(digests),
        [row.tobytes() for row in kept],
    )


async def stored(
    connection: asyncpg.Connection, version: int, dimensions: int
) -> AsyncIterator[Stored]:
    """All vectors of the version on available leads, in pieces; within a transaction."""
    cursor = connection.cursor(
        "SELECT v.number, v.lead_id, v.digest, v.vector FROM lead_vectors v"
        " JOIN lead_trading t USING (lead_id)"
        " WHERE v.version = $1 AND t.lead_state = 'available'",
        version,
        prefetch=_CHUNK,
    )
    rows: list[asyncpg.Record] = []
    async for row in cursor:
        rows.append(row)
        if len(rows) == _CHUNK:
            yield _stored(rows, dimensions)
            rows = []
    if rows:
        yield _stored(rows, dimensions)


async def newest_number(connection: asyncpg.Connection, version: int) -> int:
    found: int = await connection.fetchval(
        "SELECT coalesce(max(number), 0) FROM lead_vectors WHERE version = $1", version
    )
    return found


async def after(
    connection: asyncpg.Pool, version: int, number: int, limit: int, dimensions: int
) -> Stored:
    """The first `limit` vectors written after `number`."""
    rows = await connection.fetch(
        "SELECT number, lead_id, digest, vector FROM lead_vectors"
        " WHERE version = $1 AND number > $2 ORDER BY number LIMIT $3",
        version,
        number,
        limit,
    )
    return _stored(rows, dimensions)


async def of_leads(
    connection: asyncpg.Pool, version: int, lead_ids: Sequence[str], dimensions: int
) -> dict[str, NDArray[np.float32]]:
    """By lead id, of those that have one."""
    rows = await connection.fetch(
        "SELECT 0::int8 AS number, lead_id, digest, vector FROM lead_vectors"
        " WHERE lead_id = ANY($1) AND version = $2",
        list(lead_ids),
        version,
    )
    found = _stored(rows, dimensions)
    return dict(zip(found.lead_ids, found.vectors, strict=True))


async def dimensions_of(connection: asyncpg.Pool, version: int) -> int | None:
    """Of the version's vectors; None while there are none."""
    size: int | None = await connection.fetchval(
        "SELECT octet_length(vector) FROM lead_vectors WHERE version = $1 LIMIT 1", version
    )
    return None if size is None else size // np.dtype(np.float16).itemsize


async def covering(connection: asyncpg.Pool) -> dict[int, int]:
    """Of each version, on how many available leads it has a vector."""
    rows = await connection.fetch(
        "SELECT v.version, count(*) FROM lead_vectors v JOIN lead_trading t USING (lead_id)"
        " WHERE t.lead_state = 'available' GROUP BY v.version"
    )
    return {row[0]: row[1] for row in rows}


async def texts(connection: asyncpg.Pool, lead_ids: Sequence[str]) -> list[Text]:
    """What is publicly said of these leads, of those there are; not of one in quarantine."""
    rows = await connection.fetch(
        f"SELECT lead_id, l.market, {FACT_COLUMNS} FROM leads l JOIN lead_trading t USING (lead_id)"
        " WHERE lead_id = ANY($1) AND t.lead_state <> 'quarantined'",
        list(lead_ids),
    )
    return [Text(row[0], row[1], listing_of(row)) for row in rows]


async def digests(
    connection: asyncpg.Pool, version: int, lead_ids: Sequence[str]
) -> dict[str, str]:
    """Of the texts that were embedded, by lead id."""
    rows = await connection.fetch(
        "SELECT lead_id, digest FROM lead_vectors WHERE lead_id = ANY($1) AND version = $2",
        list(lead_ids),
        version,
    )
    return {row[0]: row[1] for row in rows}


async def texts_on_offer(
    connection: asyncpg.Connection, version: int
) -> AsyncIterator[tuple[Text, str | None]]:
    """Every available lead with the digest of its vector's text; within a transaction."""
    async for row in connection.cursor(
        f"SELECT lead_id, l.market, v.digest, {FACT_COLUMNS} FROM leads l"
        " JOIN lead_trading t USING (lead_id) LEFT JOIN (SELECT lead_id, digest FROM lead_vectors"
        " WHERE version = $1) v USING (lead_id) WHERE t.lead_state = 'available'",
        version,
        prefetch=_CHUNK,
    ):
        yield Text(row["lead_id"], row["market"], listing_of(row)), row["digest"]


async def bought_without(
    connection: asyncpg.Pool, version: int, since: int, limit: int
) -> list[str]:
    """Leads that were bought after `since` (µs), newest first, without a vector: tastes are
    made of them."""
    rows = await connection.fetch(
        "SELECT lead_id FROM (SELECT o.lead_id, max(o.bought_at) AS bought_at FROM orders o"
        " JOIN lead_trading t USING (lead_id)"
        " WHERE o.bought_at > $2 AND t.lead_state <> 'quarantined' AND NOT EXISTS"
        " (SELECT FROM lead_vectors v WHERE v.lead_id = o.lead_id AND v.version = $1)"
        " GROUP BY o.lead_id) bought ORDER BY bought_at DESC LIMIT $3",
        version,
        since,
        limit,
    )
    return [row[0] for row in rows]


async def forget(connection: asyncpg.Pool, kept: Sequence[int], limit: int) -> int:
    """Drop at most `limit` vectors of other versions; how many went."""
    status: str = await connection.execute(
        "DELETE FROM lead_vectors WHERE (lead_id, version) IN (SELECT lead_id, version"
        " FROM lead_vectors WHERE version <> ALL($1::int[]) LIMIT $2)",
        list(kept),
        limit,
    )
    return int(status.split()[-1])


def _stored(rows: Sequence[asyncpg.Record], dimensions: int) -> Stored:
    """Vectors of other dimensions than expected are left out: they are of a version that was
    replaced under its number, and will be written anew."""
    size = dimensions * np.dtype(np.float16).itemsize
    fit = [row for row in rows if len(row["vector"]) == size]
    joined = b"".join(row["vector"] for row in fit)
    vectors = np.frombuffer(joined, dtype=np.float16).reshape(len(fit), dimensions)
    return Stored(
        [row["lead_id"] for row in fit],
        [row["digest"] for row in fit],
        vectors.astype(np.float32),
        max((row["number"] for row in rows), default=0),
    )
