"""Places in line, standing orders and contests, as `fair_trading_rows` writes them."""

from __future__ import annotations

import msgspec

from engine.adapters.memory.rows import ClaimRound, ClaimRow, QueuePlace, StandingOrderRow
from engine.adapters.memory.schema import Schema
from engine.adapters.memory.transaction import Transaction
from engine.market.outcome import Outcome
from engine.market.standing_orders import StandingOrder

_encode = msgspec.json.Encoder().encode


async def write_lines(
    tables: Schema, market: str, outcome: Outcome, at: int, transaction: Transaction
) -> None:
    for pair in sorted(outcome.left):
        await transaction.delete(tables.queue_places, pair)
    for (lead_id, user_id), number in outcome.joined.items():
        row = QueuePlace(lead_id, user_id, market, number, at)
        await transaction.insert(tables.queue_places, row)


async def write_standing(
    tables: Schema, market: str, outcome: Outcome, at: int, transaction: Transaction
) -> None:
    for order_id, order in outcome.standing.items():
        if order is None:
            await transaction.update(tables.standing_orders, order_id, cancelled_at=at)
        else:
            await _keep(tables, market, order, at, transaction)


async def _keep(
    tables: Schema, market: str, order: StandingOrder, at: int, transaction: Transaction
) -> None:
    standing_orders = tables.standing_orders
    old = transaction.get(standing_orders, order.standing_order_id)
    row = StandingOrderRow(
        order.standing_order_id, market, order.user_id, _encode(order.terms), order.revision,
        order.bought, order.spent, order.placed_at, at,
    )  # fmt: skip
    if old is None:
        await transaction.insert(standing_orders, row)
        return
    await transaction.update(
        standing_orders,
        order.standing_order_id,
        terms=row.terms,
        revision=row.revision,
        bought=row.bought,
        spent=row.spent,
        changed_at=old.changed_at if old.revision == row.revision else at,
    )


async def write_contests(
    tables: Schema, market: str, outcome: Outcome, at: int, transaction: Transaction
) -> None:
    for c in outcome.contests:
        row = ClaimRound(c.lead_id, c.round, market, c.seats, c.seed, c.next_commitment, at)
        await transaction.insert(tables.claim_rounds, row)
        for rank, entry in enumerate(c.entries, start=1):
            claim = ClaimRow(
                c.lead_id, c.round, rank, market, entry.claim_id, entry.user_id, entry.kind,
                entry.priority, entry.wins, entry.draw, entry.result, entry.standing_order_id, at,
            )  # fmt: skip
            await transaction.insert(tables.claims, claim)
