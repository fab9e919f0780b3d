"""Search over the public facts of leads, with their live price and state, in PostgreSQL."""

from __future__ import annotations

from typing import Any, Literal

import asyncpg
import msgspec

from engine.adapters.postgres.teaser import TEASER_COLUMNS, TEASER_TABLES, teaser

Sort = Literal["newest", "price", "distance", "quality", "relevance"]

TOTAL_MAX = 10_000
FACET_VALUES_MAX = 50
# Range filters, `<name>_min` and `<name>_max`.
RANGES = {
    "list_price": "l.list_price",
    "living_area": "l.living_area",
    "lot_size_square_feet": "l.lot_size_square_feet",
    "year_built": "l.year_built",
    "bedrooms_total": "l.bedrooms_total",
    "price": "t.price",
}
FACETS = {
    "property_type": "l.property_type",
    "lead_state": "t.lead_state",
    "source": "unnest(l.sources)",
    "city": "l.city",
    "bedrooms_total": "l.bedrooms_total",
}


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for. `near` is (lat, lon), `bbox` (west, south, east, north), degrees.

    `ranges` maps "price_min" and the like to bounds, inclusive. Sorting by distance needs
    `near`, by relevance `q`.
    """

    market: str | None = None
    q: str | None = None
    near: tuple[float, float] | None = None
    radius_m: int | None = None
    bbox: tuple[float, float, float, float] | None = None
    property_types: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    lead_states: tuple[str, ...] = ("available", "held")
    ranges: dict[str, int] = {}
    sort: Sort = "newest"


class Page(msgspec.Struct, frozen=True):
    """`after` continues behind the last item, None at the end; `total` is exact to 10,000."""

    items: list[dict[str, Any]]
    total: int
    after: tuple[Any, str] | None
    facets: dict[str, list[dict[str, Any]]] | None


class SearchStatement:
    """The FROM and WHERE of a search over TEASER_TABLES, with its numbered arguments.

    PostgreSQL refuses an argument that no text refers to, so the parts that only some
    statements need are made when they are asked for.
    """

    def __init__(self, search: Search) -> None:
        self.search = search
        self.arguments: list[Any] = []
        self._point: str | None = None
        self._query: str | None = None
        conditions = [f"t.lead_state = ANY({self.argument(list(search.lead_states))}::text[])"]
        if search.market is not None:
            conditions.append(f"l.market = {self.argument(search.market)}::text")
        if search.q is not None:
            conditions.append(f"l.search @@ {self.query()}")
        if search.near is not None:
            if search.radius_m is not None:
                radius = f"{self.argument(search.radius_m)}::float8"
                conditions.append(f"ST_DWithin(l.location, {self.point()}, {radius})")
            else:
                conditions.append("l.location IS NOT NULL")
        if search.bbox is not None:
            west, south, east, north = (f"{self.argument(edge)}::float8" for edge in search.bbox)
            conditions.append(f"l.longitude BETWEEN {west} AND {east}")
            conditions.append(f"l.latitude BETWEEN {south} AND {north}")
        if search.property_types:
            conditions.append(
                f"l.property_type = ANY({self.argument(list(search.property_types))}::text[])"
            )
        if search.sources:
            conditions.append(f"l.sources && {self.argument(list(search.sources))}::text[]")
        for name, bound in search.ranges.items():
            column, comparison = RANGES[name[:-4]], ">=" if name.endswith("_min") else "<="
            conditions.append(f"{column} {comparison} {self.argument(bound)}::int8")
        self.condition = " AND ".join(conditions)
        self.tables = f"{TEASER_TABLES} WHERE {self.condition}"

    def point(self) -> str:
        if self._point is None:
            assert self.search.near is not None
            latitude, longitude = self.search.near
            self._point = (
                f"ST_SetSRID(ST_MakePoint({self.argument(longitude)}::float8,"
                f" {self.argument(latitude)}::float8), 4326)::geography"
            )
        return self._point

    def query(self) -> str:
        if self._query is None:
            self._query = f"websearch_to_tsquery('english', {self.argument(self.search.q)}::text)"
        return self._query

    def sort_key(self) -> tuple[str, str, str]:
        """(expression, SQL type, direction); the lead id breaks ties in the same direction."""
        match self.search.sort:
            case "newest":
                return "l.listed_at", "timestamptz", "DESC"
            case "price":
                return "t.price", "int8", "ASC"
            case "quality":
                return "l.quality", "float8", "DESC"
            case "distance":
                return f"ST_Distance(l.location, {self.point()})", "float8", "ASC"
            case "relevance":
                return f"ts_rank_cd(l.search, {self.query()})::float8", "float8", "DESC"

    def argument(self, value: Any) -> str:
        self.arguments.append(value)
        return f"${len(self.arguments)}"


async def leads(
    pool: asyncpg.Pool,
    search: Search,
    *,
    after: tuple[Any, str] | None = None,
    limit: int,
    facets: tuple[str, ...] = (),
) -> Page:
    """One keyset page of teasers, the total, and the facets asked for, of one snapshot."""
    async with (
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        rows = await _rows(connection, search, after, limit + 1)
        total = await _total(connection, search)
        counted = {name: await _facet(connection, search, name) for name in facets}
    shown = rows[:limit]
    more = len(rows) > limit
    return Page(
        items=[teaser(row) for row in shown],
        total=total,
        after=(shown[-1]["sort_key"], shown[-1]["lead_id"]) if more else None,
        facets=counted if facets else None,
    )


async def _rows(
    connection: asyncpg.Connection, search: Search, after: tuple[Any, str] | None, limit: int
) -> list[asyncpg.Record]:
    statement = SearchStatement(search)
    key, kind, direction = statement.sort_key()
    distance = ""
    if search.near is not None:
        distance = f", round(ST_Distance(l.location, {statement.point()}))::int8 AS distance_m"
    beyond = ""
    if after is not None:
        comparison = "<" if direction == "DESC" else ">"
        value, lead_id = statement.argument(after[0]), statement.argument(after[1])
        beyond = f" AND ({key}, l.lead_id) {comparison} ({value}::{kind}, {lead_id}::text)"
    return list(
        await connection.fetch(
            f"SELECT {TEASER_COLUMNS}{distance}, {key} AS sort_key FROM {statement.tables}{beyond}"
            f" ORDER BY {key} {direction}, l.lead_id {direction}"
            f" LIMIT {statement.argument(limit)}",
            *statement.arguments,
        )
    )


async def _total(connection: asyncpg.Connection, search: Search) -> int:
    statement = SearchStatement(search)
    return int(
        await connection.fetchval(
            f"SELECT count(*) FROM (SELECT FROM {statement.tables} LIMIT {TOTAL_MAX}) found",
            *statement.arguments,
        )
    )


async def _facet(connection: asyncpg.Connection, search: Search, name: str) -> list[dict[str, Any]]:
    """The commonest values among all that match, most first."""
    statement = SearchStatement(search)
    rows = await connection.fetch(
        f"SELECT value, count(*) AS count FROM (SELECT {FACETS[name]} AS value"
        f" FROM {statement.tables}) found WHERE value IS NOT NULL"
        f" GROUP BY value ORDER BY count DESC, value LIMIT {FACET_VALUES_MAX}",
        *statement.arguments,
    )
    return [{"value": row["value"], "count": row["count"]} for row in rows]


async def some(connection: asyncpg.Pool, lead_ids: list[str]) -> dict[str, dict[str, Any]]:
    """Teasers by lead id, of those that buyers may see."""
    rows = await connection.fetch(
        f"SELECT {TEASER_COLUMNS} FROM {TEASER_TABLES}"
        " WHERE l.lead_id = ANY($1) AND t.lead_state <> 'quarantined'",
        lead_ids,
    )
    return {row["lead_id"]: teaser(row) for row in rows}


async def has_words(connection: asyncpg.Pool, q: str) -> bool:
    """Whether a search for `q` asks for anything: stop words alone match nothing."""
    found: bool = await connection.fetchval(
        "SELECT numnode(websearch_to_tsquery('english', $1)) > 0", q
    )
    return found


async def one(connection: asyncpg.Pool, lead_id: str) -> dict[str, Any] | None:
    """The teaser of a lead that buyers may see: not one in quarantine."""
    row = await connection.fetchrow(
        f"SELECT {TEASER_COLUMNS} FROM {TEASER_TABLES}"
        " WHERE l.lead_id = $1 AND t.lead_state <> 'quarantined'",
        lead_id,
    )
    return None if row is None else teaser(row)
