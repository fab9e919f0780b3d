"""What pricing keeps in the database: an agent's checkpoint, what it shows of itself, and
which experiments ran."""

from __future__ import annotations

from typing import Any, NamedTuple

import asyncpg

from engine.ports import Fenced


class Checkpoint(NamedTuple):
    """What an agent of `epoch` goes on from: journal position and signal up to which `state`
    knows, None on the first start."""

    epoch: int
    position: int
    signal_id: int
    state: bytes | None
    at: int


async def take_over(connection: asyncpg.Connection, market: str) -> Checkpoint:
    """Raise the epoch: every older agent of the market is fenced from now on."""
    row = await connection.fetchrow(
        "INSERT INTO pricing_checkpoints AS c (market, epoch) VALUES ($1, 1)"
        " ON CONFLICT (market) DO UPDATE SET epoch = c.epoch + 1"
        " RETURNING epoch, position, signal_id, state, at",
        market,
    )
    return Checkpoint(*row)


async def resume(connection: asyncpg.Connection, market: str, epoch: int) -> Checkpoint:
    """Where the agent of `epoch` goes on. Raises Fenced if it was superseded."""
    row = await connection.fetchrow(
        "SELECT epoch, position, signal_id, state, at FROM pricing_checkpoints WHERE market = $1",
        market,
    )
    if row is None or row[0] != epoch:
        raise _fenced(market, epoch)
    return Checkpoint(*row)


async def owns(connection: asyncpg.Connection, market: str, epoch: int) -> None:
    """Raises Fenced if another agent took over."""
    current = await connection.fetchval(
        "SELECT epoch FROM pricing_checkpoints WHERE market = $1", market
    )
    if current != epoch:
        raise _fenced(market, epoch)


async def save(connection: asyncpg.Connection, market: str, checkpoint: Checkpoint) -> None:
    """Raises Fenced, having written nothing, if another agent took over."""
    status = await connection.execute(
        "UPDATE pricing_checkpoints SET position = $3, signal_id = $4, state = $5, at = $6"
        " WHERE market = $1 AND epoch = $2",
        market,
        *checkpoint,
    )
    if status == "UPDATE 0":
        raise _fenced(market, checkpoint.epoch)


async def show(
    connection: asyncpg.Connection, market: str, epoch: int, summary: dict[str, Any]
) -> None:
    """Let readers see how the agent stands. Raises Fenced if another took over."""
    status = await connection.execute(
        "UPDATE pricing_checkpoints SET summary = $3 WHERE market = $1 AND epoch = $2",
        market,
        epoch,
        summary,
    )
    if status == "UPDATE 0":
        raise _fenced(market, epoch)


def _fenced(market: str, epoch: int) -> Fenced:
    return Fenced(f"{market}: the pricing agent of epoch {epoch} was superseded")


async def summary(connection: asyncpg.Pool, market: str) -> dict[str, Any]:
    """What the market's agent last showed of itself; empty if there never was one."""
    found: dict[str, Any] | None = await connection.fetchval(
        "SELECT summary FROM pricing_checkpoints WHERE market = $1", market
    )
    return found or {}


async def top_prices(connection: asyncpg.Pool, market: str) -> list[tuple[str, int]]:
    """(buyer, top price) of each live standing order that is not paused."""
    rows = await connection.fetch(
        "SELECT user_id, (terms->>'price_max')::int8 FROM standing_orders"
        " WHERE market = $1 AND cancelled_at IS NULL"
        " AND NOT coalesce((terms->>'is_paused')::bool, false)",
        market,
    )
    return [(row[0], row[1]) for row in rows]


class Shown(NamedTuple):
    """What a market's agent last showed of itself; the journal's end, for its lag; signals that
    were seen in the last day."""

    market: str
    summary: dict[str, Any]
    newest_position: int
    journal_at: int
    checkpoint_at: int
    signals_today: int


async def shown(connection: asyncpg.Pool) -> list[Shown]:
    """Of every market."""
    rows = await connection.fetch(
        "SELECT m.market, c.summary, m.position, m.journal_at, c.at,"
        " (SELECT coalesce(sum(cardinality(s.kinds)), 0)::int8 FROM demand_signals s"
        " WHERE s.market = m.market AND s.written_at > now() - interval '1 day')"
        " FROM markets m LEFT JOIN pricing_checkpoints c USING (market) ORDER BY m.market"
    )
    return [Shown(row[0], row[1] or {}, row[2], row[3], row[4] or 0, row[5]) for row in rows]
