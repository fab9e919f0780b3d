"""Promises: what was answered once is answered for ever, and is there as it was said."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from engine.market.answers import Answer, Bought, Undecided
from engine.market.commands import Buy, Refused
from serve_apps.api import checkout
from tests.simulation.record import Asked, Record
from tests.simulation.world import World


def broken_promises(record: Record) -> Iterator[str]:
    for asked in record.asked:
        promised = None
        for _, reply in asked.replies:
            if promised is not None and reply != promised:
                yield f"{asked.command} was answered {promised.answer}, later {reply.answer}"
            if asked.is_promise(reply.answer):
                promised = reply
        if not asked.replies:
            yield f"{asked.command} was never answered"


def keys_used_twice(record: Record) -> Iterator[str]:
    """Of several commands under one id at most one is carried out."""
    carried_out: dict[bytes, Asked] = {}
    for asked in record.asked:
        if asked.last is None or isinstance(asked.last, Refused):
            continue
        if carried_out.setdefault(asked.command_id, asked) is not asked:
            other = carried_out[asked.command_id].command
            yield f"{asked.command} and {other} were carried out under one id"


def lost_orders(world: World, record: Record) -> Iterator[str]:
    """Every purchase that was acknowledged is there as acknowledged, and no other."""
    orders = world.tables.orders.rows
    acknowledged = _acknowledged(world, record)
    for order_id, (lead_id, price, bought_at) in acknowledged.items():
        row = orders.get(order_id)
        if row is None:
            yield f"the order {order_id} of {lead_id} was acknowledged and is lost"
        elif (row.lead_id, row.price, row.bought_at) != (lead_id, price, bought_at):
            yield f"the order of {lead_id} was acknowledged at {price}, and is {row}"
    late = {
        asked.command.order_id
        for asked in record.asked
        if isinstance(asked.command, Buy) and asked.may_come_late()
    }
    for order_id in orders.keys() - acknowledged.keys() - late:
        row = orders[order_id]
        standing = world.tables.standing_orders.rows.get(row.standing_order_id)
        if standing is None or standing.user_id != row.user_id:
            yield f"{row} was sold, and nobody was told"


def _acknowledged(world: World, record: Record) -> dict[str, tuple[str, int, int]]:
    said: list[Answer | Undecided | None] = [asked.last for asked in record.asked]
    said += [bought for cart in record.carts for o in cart.outcomes[:1] for bought in o.orders]
    # What a checkout came to is told to whoever asks about it again.
    for row in world.checkouts.table.rows.values():
        said += msgspec.convert(row.answer or {}, checkout.Outcome).orders
    return {
        bought.order_id: (bought.lead_id, bought.price, bought.bought_at)
        for bought in said
        if isinstance(bought, Bought)
    }


def lost_checkouts(world: World, record: Record) -> Iterator[str]:
    for row in world.checkouts.table.rows.values():
        if row.answer is None:
            yield f"the checkout of {row.user_id} was never finished"
    for cart in record.carts:
        if not cart.outcomes:
            continue
        if any(outcome != cart.outcomes[0] for outcome in cart.outcomes):
            yield f"a checkout of {cart.user_id} had two outcomes: {cart.outcomes}"
        told = [order.lead_id for order in cart.outcomes[0].orders]
        told += [lead_id for lead_id, _, _ in cart.outcomes[0].refused]
        if sorted(told) != sorted(cart.lead_ids):
            yield f"a checkout of {cart.lead_ids} speaks of {told}"
