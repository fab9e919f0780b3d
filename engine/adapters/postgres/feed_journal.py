"""What the feed reads from the database: where a market stands, and what it missed.

Every method takes a connection of the pool for one bounded statement (`thin_leads` and
`listings`: one transaction). All raise asyncpg.PostgresError, asyncpg.InterfaceError, OSError or
TimeoutError when the database is away.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

import asyncpg
import msgspec

from engine.market.instant import rfc3339
from engine.market.listing import Listing

# What "the database is away" looks like.
AWAY = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)

_ACQUIRE_SECONDS = 5.0
_LEADS_CHUNK = 5_000
_LISTINGS_CHUNK = 1_000


class Head(NamedTuple):
    """The newest public `seq` and journal position that are committed."""

    seq: int
    position: int


class JournalEvent(NamedTuple):
    """One public event: `text` is its JSON as the feed sends it."""

    seq: int
    text: bytes


class PriceTick(NamedTuple):
    """One price tick; `at` is RFC 3339, `lead_ids` and `prices` (credits) are in step."""

    market: str
    position: int
    at: str
    reason: str
    lead_ids: Sequence[str]
    prices: Sequence[int]


class ThinLead(msgspec.Struct, frozen=True, gc=False):
    """A lead as the feed shows it when nothing of its listing changed."""

    lead_id: str
    lead_state: str
    price: int
    max_buyers: int
    seats_left: int


class FeedJournal:
    """Reads of the journal and its projections, for the feed."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def heads(self, markets: Sequence[str]) -> dict[str, Head]:
        """Where each market stands; one that is not in the database yet is left out."""
        rows = await self._fetch(
            "SELECT market, feed_seq, position FROM markets WHERE market = ANY($1)", list(markets)
        )
        return {row[0]: Head(row[1], row[2]) for row in rows}

    async def events(self, market: str, after: int, to: int, limit: int) -> list[JournalEvent]:
        """The first `limit` public events with `after` < seq <= `to`, in order."""
        rows = await self._fetch(
            "SELECT feed_seq, public FROM market_events"
            " WHERE market = $1 AND feed_seq > $2 AND feed_seq <= $3 ORDER BY feed_seq LIMIT $4",
            market,
            after,
            to,
            limit,
        )
        return [JournalEvent(row[0], row[1].encode()) for row in rows]

    async def ticks(self, after: dict[str, int], limit: int) -> list[PriceTick]:
        """The first `limit` ticks past the journal position given for each market, in order."""
        rows = await self._fetch(
            "SELECT p.market, p.position, p.at, p.reason, p.lead_ids, p.prices"
            " FROM unnest($1::text[], $2::bigint[]) AS read (market, position)"
            " JOIN price_ticks p ON p.market = read.market AND p.position > read.position"
            " ORDER BY p.market, p.position LIMIT $3",
            list(after),
            list(after.values()),
            limit,
        )
        return [PriceTick(row[0], row[1], rfc3339(row[2]), row[3], row[4], row[5]) for row in rows]

    async def thin_leads(self, market: str) -> AsyncIterator[Head | list[ThinLead]]:
        """One consistent reading: first the Head, then the leads available or held, in chunks.

        A market that is not in the database yet has Head(0, 0) and no leads.
        """
        async with (
            self._pool.acquire(timeout=_ACQUIRE_SECONDS) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield await _head(connection, market)
            cursor = await connection.cursor(
                "SELECT lead_id, lead_state, price, max_buyers, max_buyers - sold - held"
                " FROM lead_trading WHERE market = $1 AND lead_state IN ('available', 'held')",
                market,
            )
            while rows := await cursor.fetch(_LEADS_CHUNK):
                yield [ThinLead(*row) for row in rows]

    async def listings(self, market: str) -> AsyncIterator[Head | list[tuple[str, Listing]]]:
        """One consistent reading: first the Head, then id and what a filter of the feed looks
        at of the leads available or held, in chunks. Other facts are left out."""
        async with (
            self._pool.acquire(timeout=_ACQUIRE_SECONDS) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield await _head(connection, market)
            cursor = await connection.cursor(
                "SELECT l.lead_id, l.list_price, l.living_area, l.lot_size_square_feet,"
                " l.year_built, l.bedrooms_total, l.latitude, l.longitude, l.property_type,"
                " l.sources FROM lead_trading t JOIN leads l ON l.lead_id = t.lead_id"
                " WHERE t.market = $1 AND t.lead_state IN ('available', 'held')",
                market,
            )
            while rows := await cursor.fetch(_LISTINGS_CHUNK):
                yield [(row[0], _listing(row)) for row in rows]

    async def _fetch(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        async with self._pool.acquire(timeout=_ACQUIRE_SECONDS) as connection:
            rows: list[asyncpg.Record] = await connection.fetch(statement, *arguments)
            return rows


async def _head(connection: asyncpg.Connection, market: str) -> Head:
    row = await connection.fetchrow(
        "SELECT feed_seq, position FROM markets WHERE market = $1", market
    )
    return Head(*row) if row is not None else Head(0, 0)


def _listing(row: asyncpg.Record) -> Listing:
    return Listing(
        list_price=row["list_price"],
        living_area=row["living_area"],
        lot_size_square_feet=row["lot_size_square_feet"],
        year_built=row["year_built"],
        bedrooms_total=row["bedrooms_total"],
        latitude=row["latitude"],
        longitude=row["longitude"],
        property_type=row["property_type"],
        sources=tuple(row["sources"]),
    )
