"""Which leads are on offer, and how that changes: read once whole, then from the journal.

All raise asyncpg.PostgresError, asyncpg.InterfaceError, OSError or TimeoutError when the
database is away.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import asyncpg
import msgspec

from engine.adapters.postgres.demand_signals import SETTLED_SECONDS
from engine.adapters.postgres.listing_rows import FACT_COLUMNS, listing_of
from engine.market.instant import from_datetime
from engine.market.listing import Listing

_CHUNK = 2_000
# Journal entries of a market that tell what was wanted lately, when that is first read.
_LATELY = 20_000
_SIGNALS_LATELY = 2_000
_ON_OFFER = (
    f"SELECT lead_id, l.market, l.listed_at, t.price, {FACT_COLUMNS}"
    " FROM leads l JOIN lead_trading t USING (lead_id) WHERE t.lead_state = 'available'"
)


class OnOffer(NamedTuple):
    """An available lead; `price` in credits, `listed_at` in µs."""

    lead_id: str
    market: str
    price: int
    listed_at: int
    listing: Listing


class Entry(NamedTuple):
    """One journal entry; `at` in µs. `lead` is what the feed says of the lead now, as JSON,
    `prices` are those of a tick by lead id, `user_id` whoever acted."""

    market: str
    position: int
    at: int
    type: str
    lead_id: str
    user_id: str | None
    lead: bytes | None
    prices: Mapping[str, int] | None


class Wanted(NamedTuple):
    """How often a lead was acted on by `kind`, and when last (µs)."""

    lead_id: str
    kind: str
    times: int
    at: int


async def positions(connection: asyncpg.Connection) -> dict[str, int]:
    """Up to where each market's journal was written."""
    rows = await connection.fetch("SELECT market, position FROM markets")
    return {row[0]: row[1] for row in rows}


async def on_offer(connection: asyncpg.Connection) -> AsyncIterator[list[OnOffer]]:
    """All available leads, in pieces; within a transaction."""
    rows: list[OnOffer] = []
    async for row in connection.cursor(_ON_OFFER, prefetch=_CHUNK):
        rows.append(_on_offer(row))
        if len(rows) == _CHUNK:
            yield rows
            rows = []
    if rows:
        yield rows


async def some_on_offer(connection: asyncpg.Pool, lead_ids: Sequence[str]) -> list[OnOffer]:
    """Those of these leads that are available now."""
    rows = await connection.fetch(f"{_ON_OFFER} AND lead_id = ANY($1)", list(lead_ids))
    return [_on_offer(row) for row in rows]


async def after(connection: asyncpg.Pool, known: Mapping[str, int], limit: int) -> list[Entry]:
    """Of each market the first `limit` entries after the position that is known, in order."""
    rows = await connection.fetch(
        "SELECT m.market, m.position, m.at, m.event->>'type', m.lead_id, m.event->>'user_id',"
        " (m.public->'lead')::text, CASE WHEN m.event->>'type' = 'repriced'"
        " THEN m.event::text END FROM unnest($1::text[], $2::int8[]) p(market, after)"
        " CROSS JOIN LATERAL (SELECT * FROM market_events e WHERE e.market = p.market"
        " AND e.position > p.after ORDER BY e.position LIMIT $3) m ORDER BY m.market, m.position",
        list(known),
        list(known.values()),
        limit,
    )
    return [_entry(row) for row in rows]


async def wanted_lately(connection: asyncpg.Connection, market: str) -> list[Wanted]:
    """Who held, lined up for, bought and looked at what, as far as the newest entries say."""
    rows = await connection.fetch(
        "SELECT lead_id, kind, count(*), max(at) FROM (SELECT lead_id, event->>'type' AS kind, at"
        " FROM (SELECT lead_id, event, at FROM market_events WHERE market = $1"
        " ORDER BY position DESC LIMIT $2) newest"
        " WHERE event->>'type' IN ('held', 'queue_joined', 'sold')"
        " UNION ALL SELECT s.lead_id, 'viewed', d.at FROM (SELECT at, lead_ids, kinds"
        " FROM demand_signals WHERE market = $1 ORDER BY signal_id DESC LIMIT $3) d,"
        " unnest(d.lead_ids, d.kinds) s(lead_id, kind) WHERE s.kind = 1) acts GROUP BY 1, 2",
        market,
        _LATELY,
        _SIGNALS_LATELY,
    )
    return [Wanted(*row) for row in rows]


async def newest_signals(connection: asyncpg.Connection) -> dict[str, int]:
    """Up to where each market's sightings were written."""
    rows = await connection.fetch(
        "SELECT market, (SELECT max(signal_id) FROM demand_signals d WHERE d.market = m.market)"
        " FROM markets m"
    )
    return {row[0]: row[1] or 0 for row in rows}


async def viewed_after(
    connection: asyncpg.Pool, known: Mapping[str, int], limit: int
) -> tuple[dict[str, int], list[tuple[str, Wanted]]]:
    """Up to where `known` markets' sightings are read now, at most `limit` batches further each
    and as far as they have settled; and (market, what was looked at) in them."""
    rows = await connection.fetch(
        "SELECT d.market, d.signal_id, s.lead_id, d.at FROM unnest($1::text[], $2::int8[])"
        " p(market, after) CROSS JOIN LATERAL (SELECT * FROM demand_signals e"
        " WHERE e.market = p.market AND e.signal_id > p.after ORDER BY e.signal_id LIMIT $3) d"
        " LEFT JOIN LATERAL unnest(d.lead_ids, d.kinds) s(lead_id, kind) ON s.kind = 1"
        " WHERE d.written_at < clock_timestamp() - $4::interval",
        list(known),
        list(known.values()),
        limit,
        timedelta(seconds=SETTLED_SECONDS),
    )
    read, viewed = dict(known), []
    for market, signal_id, lead_id, at in rows:
        read[market] = max(read[market], signal_id)
        if lead_id is not None:
            viewed.append((market, Wanted(lead_id, "viewed", 1, at)))
    return read, viewed


async def one(connection: asyncpg.Pool, lead_id: str) -> OnOffer | None:
    """A lead in whatever state but quarantine, with its price now; None if there is none."""
    row = await connection.fetchrow(
        f"SELECT lead_id, l.market, l.listed_at, t.price, {FACT_COLUMNS}"
        " FROM leads l JOIN lead_trading t USING (lead_id)"
        " WHERE lead_id = $1 AND t.lead_state <> 'quarantined'",
        lead_id,
    )
    return None if row is None else _on_offer(row)


def _on_offer(row: asyncpg.Record) -> OnOffer:
    listed_at = from_datetime(row["listed_at"])
    return OnOffer(row["lead_id"], row["market"], row["price"], listed_at, listing_of(row))


def _entry(row: asyncpg.Record) -> Entry:
    market, position, at, kind, lead_id, user_id, lead, tick = row
    prices: dict[str, int] | None = None
    if tick is not None:
        told: dict[str, Any] = msgspec.json.decode(tick)
        prices = dict(zip(told["lead_ids"], told["prices"], strict=True))
    public = None if lead is None else lead.encode()
    return Entry(market, position, at, kind, lead_id, user_id, public, prices)
