"""Live holds as the tables have them: what carts are made of. Offers are none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import asyncpg

from engine.market.cart import HeldLead

_COLUMNS = "user_id, lead_id, market, price, hold, held_until, held_at"
_LIVE = "order_id IS NULL AND NOT is_offer"


class LiveHold(NamedTuple):
    """`held_at` in µs."""

    user_id: str
    held: HeldLead
    held_at: int


async def markets(pool: asyncpg.Pool) -> list[str]:
    """Those there are, as the database knows them."""
    rows = await pool.fetch("SELECT market FROM markets ORDER BY market")
    return [row["market"] for row in rows]


async def ending(
    pool: asyncpg.Pool, market: str, *, after: tuple[int, str, str], until: int, limit: int
) -> list[LiveHold]:
    """Holds in a market that end after (µs, lead, buyer) `after` and by `until`, in that order."""
    rows = await pool.fetch(
        f"SELECT {_COLUMNS} FROM seats WHERE market = $1 AND {_LIVE} AND held_until >= $2"
        " AND (held_until, lead_id, user_id) > ($2, $3, $4) AND held_until <= $5"
        " ORDER BY held_until, lead_id, user_id LIMIT $6",
        market,
        *after,
        until,
        limit,
    )
    return [_hold(row) for row in rows]


async def of_users(
    pool: asyncpg.Pool, user_ids: Sequence[str], now: int
) -> dict[str, list[LiveHold]]:
    """What each of them holds at `now` (µs)."""
    holds: dict[str, list[LiveHold]] = {user_id: [] for user_id in user_ids}
    rows = await pool.fetch(
        f"SELECT s.* FROM unnest($1::text[]) u(user_id), LATERAL (SELECT {_COLUMNS} FROM seats"
        f" WHERE user_id = u.user_id AND {_LIVE} AND held_until > $2) s",
        list(holds),
        now,
    )
    for row in rows:
        holds[row["user_id"]].append(_hold(row))
    return holds


def _hold(row: asyncpg.Record) -> LiveHold:
    held = HeldLead(row["lead_id"], row["market"], row["price"], row["hold"], row["held_until"])
    return LiveHold(row["user_id"], held, row["held_at"])
