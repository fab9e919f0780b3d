"""What records of all markets leave behind, read once and then read on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple

import asyncpg
import msgspec

from engine.adapters.postgres.book_store import LOAD_CHUNK
from engine.intake.fraud.evidence import Trace
from engine.intake.resolution import MatchFeatures
from engine.market.instant import from_datetime

_decode = msgspec.msgpack.Decoder(MatchFeatures).decode
_COLUMNS = "m.written_in, m.market, m.source, m.source_id, m.digest"
_TRACES = (
    f"SELECT {_COLUMNS}, m.features, r.lead_id, r.first_seen_at FROM match_rows m"
    " JOIN source_records r USING (market, source, source_id) WHERE r.lead_id IS NOT NULL"
)
# Transactions older than every one that still writes: all that they wrote is there.
_ENDED = "(pg_snapshot_xmin(pg_current_snapshot())::text)::bigint"


class Place(NamedTuple):
    """Up to where rows were read: the row's transaction and key."""

    written_in: int
    market: str = ""
    source: str = ""
    source_id: str = ""
    digest: bytes = b""


async def horizon(connection: asyncpg.Connection) -> Place:
    """Where to read on from once all that is there now has been read."""
    return Place(await connection.fetchval(f"SELECT {_ENDED}"))


async def everything(connection: asyncpg.Connection) -> AsyncIterator[list[Trace]]:
    """The traces of all markets, in chunks."""
    async with connection.transaction(readonly=True):
        # Everything is read: a join row by row would take minutes.
        await connection.execute("SET LOCAL enable_hashjoin = on")
        await connection.execute("SET LOCAL enable_seqscan = on")
        cursor = await connection.cursor(_TRACES)
        while rows := await cursor.fetch(LOAD_CHUNK):
            yield [_trace(row) for row in rows]


async def of_others(
    connection: asyncpg.Connection, market: str, after: Place, limit: int
) -> tuple[list[Trace], Place]:
    """At most `limit` traces that were left in other markets after `after`, and where to read
    on. What a transaction that is under way has written comes when it has ended."""
    rows = await connection.fetch(
        f"{_TRACES} AND m.market <> $1 AND m.written_in >= $2 AND ({_COLUMNS}) >"
        f" ($2, $3, $4, $5, $6) AND m.written_in < {_ENDED} ORDER BY {_COLUMNS} LIMIT $7",
        market,
        *after,
        limit,
    )
    place = Place(*rows[-1][:5]) if rows else after
    return [_trace(row) for row in rows], place


def _trace(row: asyncpg.Record) -> Trace:
    return Trace(
        key=(row[2], row[3]),
        lead_id=row[6],
        market=row[1],
        seen_us=from_datetime(row[7]),
        features=_decode(row[5]),
    )
