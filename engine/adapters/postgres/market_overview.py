"""What a market looks like from outside: counts, newest feed number, price index."""

from __future__ import annotations

from typing import Any

import asyncpg

STATES = ("available", "held", "sold", "withdrawn")
# The base of the price index: listing prices among a market's first journal entries.
BASE_ENTRIES = 1000


async def overview(connection: asyncpg.Pool, markets: list[str]) -> dict[str, dict[str, Any]]:
    """By market: `counts` by public state, `seq`, `mean_price` of available leads, `sample`."""
    rows = await connection.fetch(
        "SELECT market, lead_state, count(*) AS leads, avg(price)::float8 AS mean_price"
        " FROM lead_trading WHERE market = ANY($1) GROUP BY market, lead_state",
        markets,
    )
    seqs = await connection.fetch(
        "SELECT m.market, m.feed_seq, (SELECT l.is_sample FROM leads l"
        " WHERE l.market = m.market LIMIT 1) AS sample FROM markets m WHERE market = ANY($1)",
        markets,
    )
    found: dict[str, dict[str, Any]] = {
        market: {
            "counts": dict.fromkeys(STATES, 0),
            "seq": 0,
            "mean_price": None,
            "sample": None,
        }
        for market in markets
    }
    for row in seqs:
        found[row["market"]]["seq"] = row["feed_seq"]
        found[row["market"]]["sample"] = row["sample"]
    for row in rows:
        entry = found[row["market"]]
        if row["lead_state"] in STATES:
            entry["counts"][row["lead_state"]] = row["leads"]
        if row["lead_state"] == "available":
            entry["mean_price"] = row["mean_price"]
    return found


async def base_price(connection: asyncpg.Pool, market: str) -> tuple[float | None, bool]:
    """(median listing price among the first entries, whether it can no longer change)."""
    row = await connection.fetchrow(
        "SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY (event->>'price')::int8)"
        " FILTER (WHERE event->>'type' = 'listed') AS base, max(position) AS newest"
        " FROM market_events WHERE market = $1 AND position <= $2",
        market,
        BASE_ENTRIES,
    )
    return row["base"], (row["newest"] or 0) >= BASE_ENTRIES
