"""What was recorded of one standing order and one lead."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import NamedTuple

import asyncpg
import msgspec

from engine.adapters.postgres import lead_journal, wallets
from engine.adapters.postgres.standing_orders import Standing
from engine.adapters.postgres.wallets import account_of
from engine.market import events as e
from engine.market.instant import to_datetime
from engine.market.standing_verdict import (
    FAR,
    Circumstances,
    Contested,
    Fill,
    Means,
    Seen,
    TermsSince,
    day_began,
    fill_of,
    moments,
)

MOMENTS_MAX = 50
CHANGES_MAX = 500
_decode = msgspec.json.Decoder(e.Event).decode


class Recorded(NamedTuple):
    """The last 50 moments in order, each with its circumstances. `is_cut` if there were more."""

    moments: list[tuple[Seen, Circumstances]]
    fill: Fill | None
    is_cut: bool


async def read(
    pool: asyncpg.Pool, standing: Standing, user_id: str, lead_id: str, zone: tzinfo
) -> Recorded | None:
    """Of one snapshot; None if there is no such lead, or it is in quarantine."""
    async with (
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        market = await connection.fetchval(
            "SELECT market FROM lead_trading WHERE lead_id = $1 AND lead_state <> 'quarantined'",
            lead_id,
        )
        if market is None:
            return None
        if market != standing.market:
            return Recorded([], None, False)
        id_ = standing.standing_order_id
        terms = await _terms(connection, id_)
        since = terms[0].position
        prices = await lead_journal.points(
            connection, market, lead_id, after=since, limit=MOMENTS_MAX
        )
        entries = (await lead_journal.entries(connection, [lead_id])).get(lead_id, [])
        found = [
            seen
            for seen in moments(entries, prices.prices, terms, user_id, MOMENTS_MAX + 1)
            # Before, prices are missing.
            if prices.after == since or seen.moment.position > prices.after
        ]
        is_cut = len(found) > MOMENTS_MAX or prices.after > since or len(terms) == CHANGES_MAX
        found = found[-MOMENTS_MAX:]
        another = await lead_journal.bought_as_another(connection, user_id, market)
        around = [
            each._replace(is_bought_as_another=another.get(lead_id, FAR) <= seen.moment.at)
            for seen, each in zip(
                found,
                await _circumstances(connection, id_, user_id, lead_id, found, zone),
                strict=True,
            )
        ]
    return Recorded(list(zip(found, around, strict=True)), fill_of(entries, id_), is_cut)


async def _terms(connection: asyncpg.Connection, standing_order_id: str) -> list[TermsSince]:
    """What the order asked for, in order; of many changes the last."""
    rows = await connection.fetch(
        "SELECT position, at, event::text FROM market_events WHERE lead_id = $1"
        " ORDER BY position DESC LIMIT $2",
        standing_order_id,
        CHANGES_MAX,
    )
    return [
        TermsSince(
            position,
            at,
            event.terms if isinstance(event, (e.StandingPlaced, e.StandingChanged)) else None,
        )
        for position, at, event in ((row[0], row[1], _decode(row[2])) for row in reversed(rows))
    ]


async def _circumstances(
    connection: asyncpg.Connection,
    standing_order_id: str,
    user_id: str,
    lead_id: str,
    found: Sequence[Seen],
    zone: tzinfo,
) -> list[Circumstances]:
    if not found:
        return []
    # Right before a moment, and right behind what it may have been decided with.
    instants = sorted({at for seen in found for at in (seen.moment.at, seen.soon + 1)})
    days = {seen.soon + 1: seen.moment.at for seen in found} | {
        seen.moment.at: seen.moment.at for seen in found
    }
    began = [day_began(days[at], zone) for at in instants]
    bought = await _bought(connection, standing_order_id, instants, began)
    balances = await _balances(connection, user_id, instants)
    means = {
        at: Means(*counts, balance)
        for at, counts, balance in zip(instants, bought, balances, strict=True)
    }
    said = await _said(connection, lead_id, found)
    contests = await _contests(connection, lead_id, standing_order_id)
    return [
        Circumstances(
            means[seen.moment.at],
            means[seen.soon + 1],
            is_said,
            next((each for each in contests if seen.moment.at <= each.at < seen.next_at), None),
        )
        for seen, is_said in zip(found, said, strict=True)
    ]


async def _bought(
    connection: asyncpg.Connection,
    standing_order_id: str,
    instants: Sequence[int],
    days: Sequence[int],
) -> list[tuple[int, int]]:
    """(leads bought since its day began, credits spent in all) before each instant."""
    rows = await connection.fetch(
        "SELECT count(o.order_id) FILTER (WHERE o.bought_at >= i.day),"
        " coalesce(sum(o.price), 0)::int8"
        " FROM unnest($2::int8[], $3::int8[]) WITH ORDINALITY AS i(at, day, number)"
        " LEFT JOIN orders o ON o.standing_order_id = $1 AND o.bought_at < i.at"
        " GROUP BY i.number ORDER BY i.number",
        standing_order_id,
        instants,
        days,
    )
    return [(row[0], row[1]) for row in rows]


async def _balances(
    connection: asyncpg.Connection, user_id: str, instants: Sequence[int]
) -> list[int]:
    """The wallet's balance right before each instant: what it is, less what came since."""
    rows = await connection.fetch(
        "SELECT width_bucket(created_at, $2::timestamptz[]) - 1,"
        " sum(CASE WHEN credit_account = $1 THEN amount ELSE -amount END)::int8"
        " FROM transfers WHERE (debit_account = $1 OR credit_account = $1)"
        " AND created_at >= ($2::timestamptz[])[1] GROUP BY 1",
        account_of(user_id),
        [to_datetime(at) for at in instants],
    )
    moved = dict(map(tuple, rows))
    balance = await wallets.balance(connection, user_id)
    found = []
    for number in reversed(range(len(instants))):
        balance -= moved.get(number, 0)
        found.append(balance)
    return found[::-1]


async def _said(connection: asyncpg.Connection, lead_id: str, found: Sequence[Seen]) -> list[bool]:
    """Of each moment whether the lead's text then was what the order's `q` finds."""
    texts = {q for seen in found if (q := seen.terms.filter.q) is not None}
    saying = {
        q: (await lead_journal.saying(connection, [lead_id], q))[lead_id] for q in sorted(texts)
    }
    return [
        (q := seen.terms.filter.q) is None or seen.listing_position in saying[q] for seen in found
    ]


async def _contests(
    connection: asyncpg.Connection, lead_id: str, standing_order_id: str
) -> list[Contested]:
    rows = await connection.fetch(
        "SELECT r.decided_at, r.seats, count(c.rank),"
        " min(c.rank) FILTER (WHERE c.standing_order_id = $2 AND c.result <> 'won')"
        " FROM claim_rounds r LEFT JOIN claims c USING (lead_id, round) WHERE r.lead_id = $1"
        " GROUP BY r.round, r.decided_at, r.seats ORDER BY r.round",
        lead_id,
        standing_order_id,
    )
    return [Contested(*row) for row in rows]
