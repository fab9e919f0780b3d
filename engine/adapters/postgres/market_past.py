"""A market's past as the preview of a standing order needs it, within bounds."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import asyncpg
import msgspec

from engine.adapters.postgres import lead_journal
from engine.adapters.postgres.search import RANGES, Search, SearchStatement
from engine.adapters.postgres.teaser import TEASER_TABLES
from engine.market.instant import to_datetime
from engine.market.standing_preview import PastLead
from engine.market.standing_terms import StandingFilter

LEADS_MAX = 20_000
LEADS_CHUNK = 500
PRICES_MAX = 500_000
TICKS_CHUNK = 20
# How long a market's ticks are read back in time, seconds.
TICKS_SECONDS = 3.0
# Leads in quarantine are hidden from buyers, and so is their past.
STATES = ("available", "held", "sold", "withdrawn")


class Tick(NamedTuple):
    position: int
    at: int
    prices: list[tuple[str, int]]


class MarketPast(NamedTuple):
    """Leads that may have met the filter, and their prices since `since` (µs), in order.

    `is_cut` if not all could be read: there were more leads, of which these are the newest,
    or so many prices that `since` came closer.
    """

    leads: list[PastLead]
    ticks: list[Tick]
    since: int
    is_cut: bool


async def read(
    pool: asyncpg.Pool,
    market: str,
    asked: StandingFilter,
    user_id: str,
    since: int,
    clock: Callable[[], float] = time.monotonic,
) -> MarketPast:
    """The market's past since `since` (µs), of one snapshot. `clock` is in seconds."""
    async with (
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        lead_ids = await _candidates(connection, market, asked, since)
        are_cut = len(lead_ids) > LEADS_MAX
        lead_ids = lead_ids[:LEADS_MAX]
        ticks, known_since = await _ticks(connection, market, lead_ids, since, clock)
        another = await lead_journal.bought_as_another(connection, user_id, market)
        leads: list[PastLead] = []
        for start in range(0, len(lead_ids), LEADS_CHUNK):
            chunk = lead_ids[start : start + LEADS_CHUNK]
            leads += await _leads(connection, chunk, asked.q, another)
    return MarketPast(leads, ticks, known_since, are_cut or known_since > since)


async def _candidates(
    connection: asyncpg.Connection, market: str, asked: StandingFilter, since: int
) -> list[str]:
    """Leads that meet the filter as they are now, but for their price, and those of which
    something else was said since; the newest, one more than are looked at."""
    statement = SearchStatement(_search(market, asked))
    states, of_market = statement.argument(list(STATES)), statement.argument(market)
    changed = statement.argument(to_datetime(since))
    rows = await connection.fetch(
        f"SELECT l.lead_id FROM {TEASER_TABLES} WHERE ({statement.condition})"
        f" OR (l.market = {of_market}::text AND t.lead_state = ANY({states}::text[])"
        f" AND l.updated_at > l.listed_at AND l.updated_at > {changed}::timestamptz)"
        " ORDER BY l.listed_at DESC, l.lead_id DESC"
        f" LIMIT {statement.argument(LEADS_MAX + 1)}",
        *statement.arguments,
    )
    return [row[0] for row in rows]


def _search(market: str, asked: StandingFilter) -> Search:
    """A search that finds no less than the filter: the rules have the last word."""
    bounds = msgspec.structs.asdict(asked)
    return Search(
        market=market,
        q=asked.q,
        near=asked.near,
        # The rules measure on the sphere, up to 0.6 % otherwise.
        radius_m=None if asked.radius_m is None else asked.radius_m * 101 // 100 + 1,
        bbox=asked.bbox,
        property_types=asked.property_type,
        sources=asked.source,
        lead_states=STATES,
        ranges={
            f"{name}_{end}": bound
            for name in RANGES
            if name != "price"
            for end in ("min", "max")
            if (bound := bounds[f"{name}_{end}"]) is not None
        },
    )


async def _leads(
    connection: asyncpg.Connection,
    lead_ids: Sequence[str],
    q: str | None,
    another: dict[str, int],
) -> list[PastLead]:
    entries = await lead_journal.entries(connection, lead_ids)
    saying = {} if q is None else await lead_journal.saying(connection, lead_ids, q)
    return [
        PastLead(lead_id, entries[lead_id], saying.get(lead_id), another.get(lead_id))
        for lead_id in lead_ids
        if lead_id in entries
    ]


async def _ticks(
    connection: asyncpg.Connection,
    market: str,
    lead_ids: Sequence[str],
    since: int,
    clock: Callable[[], float],
) -> tuple[list[Tick], int]:
    """Prices of these leads, in order, and since when they are all there (µs)."""
    names = {lead_id: lead_id for lead_id in lead_ids}
    give_up_at, count = clock() + TICKS_SECONDS, 0
    found: list[Tick] = []
    newest_first = connection.cursor(
        "SELECT p.position, p.at, f.lead_ids, f.prices FROM price_ticks p CROSS JOIN LATERAL"
        " (SELECT array_agg(u.lead_id) AS lead_ids, array_agg(u.price) AS prices"
        " FROM unnest(p.lead_ids, p.prices) u(lead_id, price) WHERE u.lead_id = ANY($2)) f"
        " WHERE p.market = $1 ORDER BY p.position DESC",
        market,
        lead_ids,
        prefetch=TICKS_CHUNK,
    )
    async for position, at, ids, prices in newest_first:
        if at < since:
            break
        if count > PRICES_MAX or clock() > give_up_at:
            # All of an instant or nothing: this tick may not be the last of its own.
            since = at + 1
            break
        if ids is not None:
            # One object a lead, however many prices it had.
            pairs = [(names[id_], price) for id_, price in zip(ids, prices, strict=True)]
            found.append(Tick(position, at, pairs))
            count += len(pairs)
    found.reverse()
    return [tick for tick in found if tick.at >= since], since
