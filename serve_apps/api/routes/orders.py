"""Orders with their contacts, for their owner."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query

from engine.adapters.postgres import orders
from engine.adapters.postgres.orders import Order
from engine.market.instant import rfc3339
from serve_apps.api.answers import Answer, answer
from serve_apps.api.call import CurrentCall
from serve_apps.api.cursors import decode_cursor, encode_cursor
from serve_apps.api.lead_directory import is_id
from serve_apps.api.problems import not_found
from serve_apps.api.routing import Routes
from serve_apps.api.schemas.fields import PageQuery
from serve_apps.api.schemas.trading import Order as OrderAnswer
from serve_apps.api.schemas.trading import OrdersPage

routes = Routes("orders")


@routes.add("GET", "/v1/orders", answers={200: OrdersPage})
async def list_orders(call: CurrentCall, page: Annotated[PageQuery, Query()]) -> Answer:
    """The caller's orders, newest first."""
    user_id = call.user.user_id
    identity = f"orders {user_id}"
    after = decode_cursor(call.deps, identity, page.cursor)
    found = await orders.of_user(
        call.deps.pool, user_id, after=(after[0], after[1]) if after else None, limit=page.limit + 1
    )
    shown = found[: page.limit]
    last = (shown[-1].bought_at, shown[-1].order_id) if len(found) > page.limit else None
    return answer(
        {
            "items": [_entry(order) for order in shown],
            "next_cursor": encode_cursor(call.deps, identity, last),
        }
    )


@routes.add("GET", "/v1/orders/{order_id}", answers={200: OrderAnswer}, problems=("not-found",))
async def get_order(call: CurrentCall) -> Answer:
    """One order; another buyer's is not found."""
    order_id = call.params[0]
    found = (
        await orders.one(call.deps.pool, call.user.user_id, order_id) if is_id(order_id) else None
    )
    if found is None:
        raise not_found("you have no such order")
    return answer(_entry(found))


def _entry(order: Order) -> dict[str, Any]:
    return {
        "order_id": order.order_id,
        "lead_id": order.lead_id,
        "market": order.lead["market"],
        "price": order.price,
        "bought_at": rfc3339(order.bought_at),
        "contact": order.contact,
        "lead": order.lead,
    }
