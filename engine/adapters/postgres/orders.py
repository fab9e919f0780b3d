"""Orders and the contacts they entitle to: read by their owner only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import asyncpg
import msgspec

from engine.adapters.postgres.teaser import TEASER_COLUMNS, TEASER_TABLES, teaser
from engine.market.answers import Contact

_CONTACT = tuple(Contact.__struct_fields__)
_CONTACT_COLUMNS = ", ".join(f"c.{name} AS contact_{name}" for name in _CONTACT)
_ORDERS = (
    "SELECT o.order_id, o.price AS paid, o.bought_at,"
    f" {_CONTACT_COLUMNS}, {TEASER_COLUMNS}"
    f" FROM orders o JOIN ({{leads}}) ON l.lead_id = o.lead_id"
    " LEFT JOIN contacts c ON c.lead_id = o.lead_id"
).format(leads=TEASER_TABLES)


class Order(msgspec.Struct, frozen=True):
    """A purchase. `bought_at` in µs since the epoch; `lead` is the teaser."""

    order_id: str
    lead_id: str
    price: int
    bought_at: int
    contact: Contact | None
    lead: dict[str, Any]


async def of_user(
    connection: asyncpg.Pool, user_id: str, *, after: tuple[int, str] | None, limit: int
) -> list[Order]:
    """The buyer's orders, newest first, after (bought_at, order_id)."""
    bought_at, order_id = after or (None, None)
    rows = await connection.fetch(
        f"{_ORDERS} WHERE o.user_id = $1"
        " AND ($2::int8 IS NULL OR (o.bought_at, o.order_id) < ($2, $3::text))"
        " ORDER BY o.bought_at DESC, o.order_id DESC LIMIT $4",
        user_id,
        bought_at,
        order_id,
        limit,
    )
    return [_order(row) for row in rows]


async def one(connection: asyncpg.Pool, user_id: str, order_id: str) -> Order | None:
    """The order, or None if it is not there or another buyer's."""
    row = await connection.fetchrow(
        f"{_ORDERS} WHERE o.user_id = $1 AND o.order_id = $2", user_id, order_id
    )
    return None if row is None else _order(row)


async def contacts_of(
    connection: asyncpg.Pool, user_id: str, order_ids: list[str]
) -> dict[str, Contact]:
    """Contacts by order id, of those orders that are the buyer's."""
    rows = await connection.fetch(
        f"SELECT o.order_id, {_CONTACT_COLUMNS} FROM orders o"
        " JOIN contacts c ON c.lead_id = o.lead_id"
        " WHERE o.user_id = $1 AND o.order_id = ANY($2)",
        user_id,
        order_ids,
    )
    return {row["order_id"]: _contact(row) for row in rows}


def _contact(row: Mapping[str, Any]) -> Contact:
    return Contact(**{name: row[f"contact_{name}"] for name in _CONTACT})


def _order(row: Mapping[str, Any]) -> Order:
    known = row["contact_is_invented"] is not None
    return Order(
        row["order_id"],
        row["lead_id"],
        row["paid"],
        row["bought_at"],
        _contact(row) if known else None,
        teaser(row),
    )
