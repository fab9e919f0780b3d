"""Listings as rows of `leads`, set-based: the statements and their parallel arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.market.listing import PUBLIC_FACTS, Listing

# Columns of `leads` that come from the Listing, in its order. What is not public has none:
# a teaser is read from `leads`.
LISTING_COLUMNS = PUBLIC_FACTS
_LISTING_TYPES = {
    "quality": "float8",
    "fraud_flag": "bool",
    "is_sample": "bool",
    "list_price": "int8",
    "bedrooms_total": "int4",
    "bathrooms_total_integer": "int4",
    "living_area": "int4",
    "lot_size_square_feet": "int8",
    "year_built": "int4",
    "latitude": "float8",
    "longitude": "float8",
}


def listing_columns(listings: Mapping[str, Listing]) -> list[list[Any]]:
    """Parallel arrays: lead ids, then each listing column; `sources` joined, since arrays
    of arrays must be rectangular."""
    columns: list[list[Any]] = [list(listings)]
    for name in LISTING_COLUMNS:
        values = [getattr(listing, name) for listing in listings.values()]
        columns.append([",".join(v) for v in values] if name == "sources" else values)
    return columns


def _unnest(first: int) -> str:
    arrays = [f"${first}::text[]"] + [
        f"${first + 1 + i}::{_LISTING_TYPES.get(name, 'text')}[]"
        for i, name in enumerate(LISTING_COLUMNS)
    ]
    return f"unnest({', '.join(arrays)}) u(lead_id, {', '.join(LISTING_COLUMNS)})"


def _value(name: str) -> str:
    return "string_to_array(u.sources, ',')" if name == "sources" else f"u.{name}"


INSERT_LEADS = (
    f"INSERT INTO leads (lead_id, market, listed_at, updated_at, {', '.join(LISTING_COLUMNS)})"
    f" SELECT u.lead_id, $1, $2, $2, {', '.join(map(_value, LISTING_COLUMNS))} FROM {_unnest(3)}"
)

# The rounded point is fixed at first listing: a moving one could be averaged into the exact one.
_FIXED = ("latitude", "longitude")
UPDATE_LEADS = (
    "UPDATE leads l SET updated_at = $1, "
    + ", ".join(
        f"{name} = coalesce(l.{name}, u.{name})" if name in _FIXED else f"{name} = {_value(name)}"
        for name in LISTING_COLUMNS
    )
    + f" FROM {_unnest(2)} WHERE l.lead_id = u.lead_id"
)

FACT_COLUMNS = ", ".join(LISTING_COLUMNS)
"""Of `leads`, for `listing_of`."""


def listing_of(row: Mapping[str, Any]) -> Listing:
    """The listing in a row of FACT_COLUMNS, as far as it is public."""
    found = {name: row[name] for name in LISTING_COLUMNS}
    return Listing(**{**found, "sources": tuple(found["sources"])})
