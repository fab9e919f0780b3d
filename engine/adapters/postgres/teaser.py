"""The teaser: what anyone signed in may see of a lead. The one list of its columns.

    f"SELECT {TEASER_COLUMNS} FROM {TEASER_TABLES} WHERE l.lead_id = $1"

`l` is `leads`, `t` is `lead_trading`. Contact data is in neither, so no teaser can
carry it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.market.instant import from_datetime, rfc3339

TEASER_TABLES = "leads l JOIN lead_trading t ON t.lead_id = l.lead_id"

_TRADING = ("lead_state", "price", "max_buyers")
_LISTING = (
    "quality",
    "fraud_flag",
    "sources",
    "is_sample",
    "list_price",
    "standard_status",
    "property_type",
    "property_sub_type",
    "bedrooms_total",
    "bathrooms_total_integer",
    "living_area",
    "lot_size_square_feet",
    "year_built",
    "city",
    "state_or_province",
    "postal_code",
    "latitude",
    "longitude",
    "public_remarks",
    "originating_system_name",
    "modification_timestamp",
)

TEASER_COLUMNS = ", ".join(
    (
        "l.lead_id",
        "l.market",
        *(f"t.{name}" for name in _TRADING),
        "t.max_buyers - t.sold - t.held AS seats_left",
        "l.listed_at",
        *(f"l.{name}" for name in _LISTING),
    )
)


def teaser(row: Mapping[str, Any]) -> dict[str, Any]:
    """The contract's teaser, JSON-ready, from a row of TEASER_COLUMNS.

    `distance_m` (whole metres) is in it if the row has one: a radius search adds the column.
    """
    found: dict[str, Any] = {
        "lead_id": row["lead_id"],
        "market": row["market"],
        "lead_state": row["lead_state"],
        "price": row["price"],
        "max_buyers": row["max_buyers"],
        "seats_left": row["seats_left"],
        "listed_at": rfc3339(from_datetime(row["listed_at"])),
    }
    for name in _LISTING:
        found[name] = row[name]
    distance_m = row.get("distance_m")
    if distance_m is not None:
        found["distance_m"] = distance_m
    return found
