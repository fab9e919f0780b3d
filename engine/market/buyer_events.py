"""What one buyer is told of a commit: the user channel's messages, and what carts follow."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

BuyerEventType = Literal[
    # For carts alone: the user channel does not tell a buyer what they just did.
    "hold.started",
    "hold.extended",
    "hold.ended",
    "queue.offered",
    "queue.ended",
    # The user channel's.
    "hold.expiring",
    "hold.expired",
    "order.created",
    "standing_order.filled",
    "wallet.changed",
    "notification",
]
TOLD: frozenset[BuyerEventType] = frozenset(
    {
        "hold.expiring",
        "hold.expired",
        "order.created",
        "standing_order.filled",
        "wallet.changed",
        "notification",
    }
)


class BuyerEvent(msgspec.Struct, frozen=True):
    """`body` is the message without its `type`; instants in it are RFC 3339 UTC.

    | type | body |
    |---|---|
    | `hold.started`, `hold.extended` | `market, lead_id, price, hold, held_until` |
    | `hold.ended` | `market, lead_id, reason`: `released` or `bought` |
    | `hold.expiring` | `market, lead_id, price, hold, held_until, minutes_left` |
    | `hold.expired` | `market, lead_id, reason`: `expired`, `withdrawn` or `quarantined` |
    | `order.created` | `order_id, market, lead_id, price, bought_at` |
    | `standing_order.filled` | `standing_order_id, order_id, market, lead_id, price` |
    | `wallet.changed` | `balance` |
    | `queue.offered` | `market, lead_id, price, offered_until` |
    | `queue.ended` | `market, lead_id, reason`: `sold`, `withdrawn`, `quarantined`, `expired` |
    | `notification` | a notification as the list of them shows it |
    """

    user_id: str
    type: BuyerEventType
    body: dict[str, Any]
