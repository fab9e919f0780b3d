"""Which leads the same buyers bought, without the buyers: what a text encoder learns from."""

from __future__ import annotations

from typing import Final, NamedTuple

import asyncpg

from engine.market.listing import PUBLIC_FACTS, Listing

PAIRS_MAX: Final = 50_000
# Of one buyer the newest purchases: one that buys everything would say nothing, often.
_PURCHASES_MAX = 20
# What is bought at one time answers one wish; days.
_APART_DAYS = 30
_MICROSECONDS_A_DAY = 86_400_000_000


class CoPurchases(NamedTuple):
    """Pairs of lead ids, each once, whoever and however many bought them; the leads' public
    facts by id."""

    pairs: list[tuple[str, str]]
    listings: dict[str, Listing]


async def co_purchases(connection: asyncpg.Connection, pairs_max: int = PAIRS_MAX) -> CoPurchases:
    """The newest pairs of leads that one buyer bought within a month, in one market. Purchases
    by standing orders count: a filter is a taste too. No user leaves the database."""
    rows = await connection.fetch(
        "WITH bought AS ("
        " SELECT lead_id, user_id, market, bought_at,"
        " row_number() OVER (PARTITION BY user_id ORDER BY bought_at DESC, order_id) AS place"
        " FROM orders)"
        " SELECT a.lead_id, b.lead_id, max(greatest(a.bought_at, b.bought_at)) AS newest"
        " FROM bought a JOIN bought b ON a.user_id = b.user_id AND a.market = b.market"
        " AND a.lead_id < b.lead_id AND abs(a.bought_at - b.bought_at) <= $2"
        " WHERE a.place <= $3 AND b.place <= $3"
        " GROUP BY a.lead_id, b.lead_id ORDER BY newest DESC, a.lead_id, b.lead_id LIMIT $1",
        pairs_max,
        _APART_DAYS * _MICROSECONDS_A_DAY,
        _PURCHASES_MAX,
    )
    pairs = [(row[0], row[1]) for row in rows]
    lead_ids = sorted({lead_id for pair in pairs for lead_id in pair})
    facts = await connection.fetch(
        f"SELECT lead_id, {', '.join(PUBLIC_FACTS)} FROM leads WHERE lead_id = ANY($1)", lead_ids
    )
    return CoPurchases(pairs, {row[0]: _listing(row) for row in facts})


def _listing(row: asyncpg.Record) -> Listing:
    told = dict(zip(PUBLIC_FACTS, row[1:], strict=False))
    return Listing(**{**told, "sources": tuple(told["sources"] or ())})
