"""What buyers should have been told, read from the journal: for when nobody told it in time.

Not all that is told stands there by name. A line that was emptied because its lead was sold
or closed is told once, as it happens; who waited can see it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import asyncpg

from engine.market.buyer_events import BuyerEvent
from engine.market.instant import rfc3339

# Journal entries looked through at a time.
WINDOW = 5_000

_OF_INTEREST = (
    "(event->>'type' = 'released' AND event->>'reason' = 'expired'"
    " OR event->>'type' IN ('withdrawn', 'quarantined') AND event ? 'ended'"
    " OR event->>'type' = 'offered'"
    " OR event->>'type' = 'queue_left' AND event->>'reason' = 'expired'"
    " OR event->>'type' = 'sold' AND event ? 'standing_order_id')"
)


class Stretch(NamedTuple):
    """What a stretch of a market's journal tells, and the position at which it ends."""

    events: list[BuyerEvent]
    position: int


async def position_at(pool: asyncpg.Pool, market: str, at: int, entries_max: int) -> int:
    """The position before the first entry at `at` (µs) or later, at most `entries_max` back."""
    position: int = await pool.fetchval(
        "SELECT coalesce((SELECT position FROM market_events e WHERE e.market = m.market"
        " AND position > m.position - $3 AND at < $2 ORDER BY position DESC LIMIT 1),"
        " greatest(m.position - $3, 0)) FROM markets m WHERE m.market = $1",
        market,
        at,
        entries_max,
    )
    return position


async def after(pool: asyncpg.Pool, market: str, position: int) -> Stretch:
    """The next entries after `position`; the stretch ends where it began if there are none."""
    head: int = await pool.fetchval("SELECT position FROM markets WHERE market = $1", market)
    end = min(position + WINDOW, head)
    if end <= position:
        return Stretch([], position)
    rows = await pool.fetch(
        "SELECT lead_id, event FROM market_events WHERE market = $1 AND position > $2"
        f" AND position <= $3 AND {_OF_INTEREST} ORDER BY position",
        market,
        position,
        end,
    )
    events = [event for row in rows for event in _told(market, row["lead_id"], row["event"])]
    return Stretch(events, end)


def _told(market: str, lead_id: str, entry: Mapping[str, Any]) -> Iterator[BuyerEvent]:
    about = {"market": market, "lead_id": lead_id}
    match entry["type"]:
        case "released":
            yield BuyerEvent(entry["user_id"], "hold.expired", {**about, "reason": "expired"})
        case "withdrawn" | "quarantined" as reason:
            for user_id, _ in entry["ended"]:
                yield BuyerEvent(user_id, "hold.expired", {**about, "reason": reason})
        case "offered":
            offer = {"price": entry["price"], "offered_until": rfc3339(entry["offered_until"])}
            yield BuyerEvent(entry["user_id"], "queue.offered", about | offer)
        case "queue_left":
            yield BuyerEvent(entry["user_id"], "queue.ended", {**about, "reason": "expired"})
        case "sold":
            sale = {name: entry[name] for name in ("standing_order_id", "order_id", "price")}
            yield BuyerEvent(entry["user_id"], "standing_order.filled", about | sale)
