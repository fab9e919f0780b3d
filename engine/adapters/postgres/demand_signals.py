"""Who saw which lead: written in batches by the replicas, read in order by pricing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import asyncpg

from engine.market.pricing.considering import Signal, SignalKind

KINDS: tuple[SignalKind, ...] = ("impression", "view")
_VIEW = KINDS.index("view")
# A batch is read this long after it was written, seconds: ids are given before they are
# committed, and one that commits later than that is missed.
SETTLED_SECONDS = 2.0
KEPT_DAYS = 35


class Seen(NamedTuple):
    """One sighting; `kind` is an index of KINDS."""

    lead_id: str
    user_id: str
    kind: int


class Batch(NamedTuple):
    """One replica's signals, numbered within the market."""

    signal_id: int
    signals: list[Signal]


async def write(
    connection: asyncpg.Pool, replica: str, at: int, seen: Mapping[str, Sequence[Seen]]
) -> None:
    """Keep what was seen until `at` (µs), by market, with one INSERT."""
    rows: list[str] = []
    values: list[object] = []
    for market, sightings in seen.items():
        first = 3 + len(values)
        rows.append(
            f"(${first}, $1, $2, ${first + 1}::text[], ${first + 2}::text[],"
            f" ${first + 3}::smallint[], ${first + 4}::text[])"
        )
        lead_ids, user_ids, kinds = zip(*sightings, strict=True)
        viewers = sorted({each.user_id for each in sightings if each.kind == _VIEW})
        values += [market, list(lead_ids), list(user_ids), list(kinds), viewers or None]
    await connection.execute(
        "INSERT INTO demand_signals (market, at, replica, lead_ids, user_ids, kinds, viewer_ids)"
        f" VALUES {', '.join(rows)}",
        at,
        replica,
        *values,
    )


async def read(connection: asyncpg.Connection, market: str, after: int, limit: int) -> list[Batch]:
    """The first `limit` batches after signal `after`, as far as they have settled."""
    rows = await connection.fetch(
        "SELECT signal_id, at, lead_ids, user_ids, kinds,"
        " written_at < clock_timestamp() - $4::interval AS settled"
        " FROM demand_signals WHERE market = $1 AND signal_id > $2 ORDER BY signal_id LIMIT $3",
        market,
        after,
        limit,
        timedelta(seconds=SETTLED_SECONDS),
    )
    found = []
    for signal_id, at, lead_ids, user_ids, kinds, settled in rows:
        if not settled:
            break
        seen = zip(kinds, lead_ids, user_ids, strict=True)
        found.append(
            Batch(signal_id, [Signal(KINDS[kind], lead, user, at) for kind, lead, user in seen])
        )
    return found


async def prune(connection: asyncpg.Connection, market: str, now: datetime, limit: int) -> int:
    """Forget at most `limit` batches of the market older than KEPT_DAYS; how many went.

    Ids rise with time, so the oldest are the first.
    """
    status: str = await connection.execute(
        "DELETE FROM demand_signals WHERE market = $1 AND signal_id IN (SELECT signal_id FROM"
        " (SELECT signal_id, written_at FROM demand_signals WHERE market = $1"
        " ORDER BY signal_id LIMIT $3) oldest WHERE written_at < $2)",
        market,
        now - timedelta(days=KEPT_DAYS),
        limit,
    )
    return int(status.split()[-1])
