"""A lead's price, what made it, and the prices before."""

from __future__ import annotations

from typing import NamedTuple

import asyncpg

from engine.market.instant import from_datetime

# Prices shown of one lead; each is a look-up by key.
HISTORY_MAX = 200


class PastPrice(NamedTuple):
    """What a lead cost from `at` (µs) on; the reason of its first price is `listed`."""

    at: int
    price: int
    reason: str


class LeadPrice(NamedTuple):
    """All of it read at once. `parts` are packed, None if nobody knows them; `history` begins
    with the newest and ends with the listing's price, unless it `is_cut`; `acted_at` (µs) is
    when anything but a price last happened to the lead."""

    market: str
    price: int
    parts: bytes | None
    acted_at: int
    history: list[PastPrice]
    is_cut: bool


async def read(connection: asyncpg.Pool, lead_id: str) -> LeadPrice | None:
    """Of one statement, so that price, parts and history belong together; None for a lead that
    buyers may not see."""
    rows = await connection.fetch(
        "WITH RECURSIVE lead AS MATERIALIZED (SELECT t.market, t.price, t.price_parts,"
        " t.tick_position, l.listed_at FROM lead_trading t JOIN leads l USING (lead_id)"
        " WHERE t.lead_id = $1 AND t.lead_state <> 'quarantined'),"
        " past (position, at, price, reason, before, number) AS ("
        " SELECT p.position, p.at, p.prices[i], p.reason, p.before[i], 1"
        " FROM lead JOIN price_ticks p ON p.market = lead.market"
        " AND p.position = lead.tick_position, array_position(p.lead_ids, $1) i"
        " UNION ALL"
        " SELECT p.position, p.at, p.prices[i], p.reason, p.before[i], past.number + 1"
        " FROM past, lead, price_ticks p, array_position(p.lead_ids, $1) i"
        " WHERE p.market = lead.market AND p.position = past.before AND past.number <= $2)"
        " SELECT lead.market, lead.price, lead.price_parts, lead.listed_at,"
        " (SELECT at FROM market_events WHERE lead_id = $1 AND event->>'type' <> 'repriced'"
        " ORDER BY position DESC LIMIT 1) AS acted_at,"
        " (SELECT (event->>'price')::int8 FROM market_events WHERE lead_id = $1"
        " AND event->>'type' = 'listed' ORDER BY position LIMIT 1) AS listing_price,"
        " past.at, past.price AS past_price, past.reason, past.number"
        " FROM lead LEFT JOIN past ON true ORDER BY past.number",
        lead_id,
        HISTORY_MAX,
    )
    if not rows:
        return None
    first = rows[0]
    ticks = [PastPrice(row["at"], row["past_price"], row["reason"]) for row in rows if row["at"]]
    is_cut = len(ticks) > HISTORY_MAX
    history = ticks[:HISTORY_MAX]
    listed_at = from_datetime(first["listed_at"])
    if not is_cut:
        # A lead whose listing is not in the journal had its price from the start.
        price = first["listing_price"] or (first["price"] if not ticks else None)
        if price is not None:
            history.append(PastPrice(listed_at, price, "listed"))
    return LeadPrice(
        first["market"],
        first["price"],
        first["price_parts"],
        first["acted_at"] or listed_at,
        history,
        is_cut,
    )
