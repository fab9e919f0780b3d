"""Writes of a flush that few batches need: places in line, standing orders, contests."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence

import asyncpg
import msgspec

from engine.market import events as e
from engine.market.standing_orders import StandingOrder

_encode = msgspec.json.Encoder().encode

# Looked up pair by pair. As a join it is planned once, while the table is empty, as a walk
# through all of the table for all pairs (measured: 3.5 s for 2,000 pairs a minute later).
DELETE_PAIRS = (
    "DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT t.ctid"
    " FROM unnest($1::text[], $2::text[]) u(lead_id, user_id),"
    " LATERAL (SELECT ctid FROM {table} t WHERE t.lead_id = u.lead_id AND t.user_id = u.user_id"
    " LIMIT 1) t))"
)


async def write_lines(
    connection: asyncpg.Connection,
    market: str,
    joined: Mapping[tuple[str, str], int],
    left: Iterable[tuple[str, str]],
    at: int,
) -> None:
    """Take (lead, buyer) pairs out of their lines, and put `joined` ones in, by number."""
    pairs = list(left)
    if pairs:
        await connection.execute(
            DELETE_PAIRS.format(table="queue_places"),
            [lead_id for lead_id, _ in pairs],
            [user_id for _, user_id in pairs],
        )
    if joined:
        await connection.execute(
            "INSERT INTO queue_places (lead_id, user_id, market, number, joined_at)"
            " SELECT u.lead_id, u.user_id, $1, u.number, $2"
            " FROM unnest($3::text[], $4::text[], $5::int8[]) u(lead_id, user_id, number)",
            market,
            at,
            [lead_id for lead_id, _ in joined],
            [user_id for _, user_id in joined],
            list(joined.values()),
        )


async def write_standing(
    connection: asyncpg.Connection,
    market: str,
    changed: Mapping[str, StandingOrder],
    cancelled: Container[str],
    at: int,
) -> None:
    """Bring standing orders to the book's state; `cancelled` ones have come to their end."""
    orders = changed.values()
    await connection.execute(
        "INSERT INTO standing_orders AS s (standing_order_id, market, user_id, terms,"
        " revision, bought, spent, placed_at, changed_at, cancelled_at)"
        " SELECT u.standing_order_id, $1, u.user_id, u.terms::jsonb, u.revision, u.bought,"
        " u.spent, u.placed_at, $2::int8, CASE WHEN u.is_cancelled THEN $2::int8 END"
        " FROM unnest($3::text[], $4::text[], $5::text[], $6::int4[], $7::int4[],"
        " $8::int8[], $9::int8[], $10::bool[]) u(standing_order_id, user_id, terms, revision,"
        " bought, spent, placed_at, is_cancelled)"
        " ON CONFLICT (standing_order_id) DO UPDATE SET terms = excluded.terms,"
        " bought = excluded.bought, spent = excluded.spent,"
        " changed_at = CASE WHEN s.revision = excluded.revision THEN s.changed_at"
        " ELSE excluded.changed_at END, revision = excluded.revision,"
        " cancelled_at = excluded.cancelled_at",
        market,
        at,
        list(changed),
        [order.user_id for order in orders],
        [_encode(order.terms).decode() for order in orders],
        [order.revision for order in orders],
        [order.bought for order in orders],
        [order.spent for order in orders],
        [order.placed_at for order in orders],
        [order_id in cancelled for order_id in changed],
    )


async def write_contests(
    connection: asyncpg.Connection, market: str, contests: Sequence[e.ClaimsDecided], at: int
) -> None:
    await connection.execute(
        "INSERT INTO claim_rounds"
        " (lead_id, round, seats, seed, next_commitment, market, decided_at)"
        " SELECT u.*, $1, $2 FROM unnest($3::text[], $4::int4[], $5::int4[], $6::text[],"
        " $7::text[]) u",
        market,
        at,
        [contest.lead_id for contest in contests],
        [contest.round for contest in contests],
        [contest.seats for contest in contests],
        [contest.seed for contest in contests],
        [contest.next_commitment for contest in contests],
    )
    ranked = [
        (contest, rank, entry)
        for contest in contests
        for rank, entry in enumerate(contest.entries, start=1)
    ]
    await connection.execute(
        "INSERT INTO claims (lead_id, round, rank, claim_id, user_id, kind, priority, wins, draw,"
        " result, standing_order_id, market, decided_at)"
        " SELECT u.*, $1, $2 FROM unnest($3::text[], $4::int4[], $5::int4[], $6::text[],"
        " $7::text[], $8::text[], $9::int4[], $10::int4[], $11::text[], $12::text[],"
        " $13::text[]) u",
        market,
        at,
        [contest.lead_id for contest, _, _ in ranked],
        [contest.round for contest, _, _ in ranked],
        [rank for _, rank, _ in ranked],
        [entry.claim_id for _, _, entry in ranked],
        [entry.user_id for _, _, entry in ranked],
        [entry.kind for _, _, entry in ranked],
        [entry.priority for _, _, entry in ranked],
        [entry.wins for _, _, entry in ranked],
        [entry.draw for _, _, entry in ranked],
        [entry.result for _, _, entry in ranked],
        [entry.standing_order_id for _, _, entry in ranked],
    )
