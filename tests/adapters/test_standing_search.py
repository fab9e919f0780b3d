"""A standing order's filter means what the same search means, PostgreSQL being the judge."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import asyncpg

from engine.adapters.postgres import search
from engine.adapters.postgres.listing_rows import INSERT_LEADS, listing_columns
from engine.market.listing import Listing
from engine.market.sphere import EARTH_RADIUS_M, chord_squared, unit_vector
from engine.market.standing_index import StandingIndex
from engine.market.standing_terms import StandingFilter, StandingTerms

TYPES = ("Residential", "Residential Lease", "Land")
SOURCES = ("zillow", "fsbo", "upload")
RANGES = ("list_price", "living_area", "lot_size_square_feet", "year_built", "bedrooms_total")
# The sphere of the rules and the ellipsoid of the search differ by less than this.
DIFFERENCE = 0.006
SEED = 20_260_504


def random_listing(rng: random.Random) -> Listing:
    facts: dict[str, Any] = {name: rng.choice((None, *range(6))) for name in RANGES}
    return Listing(
        property_type=rng.choice((None, *TYPES)),
        sources=tuple(rng.sample(SOURCES, rng.randrange(3))),
        latitude=rng.choice((None, *(30 + step / 20 for step in range(20)))),
        longitude=rng.choice((None, *(-97 - step / 20 for step in range(20)))),
        **facts,
    )


def random_filter(rng: random.Random) -> StandingFilter:
    asked: dict[str, Any] = {}
    for _ in range(rng.randrange(1, 4)):
        match rng.randrange(6):
            case 0:
                asked["near"] = 30 + rng.random(), -97 - rng.random()
                asked["radius_m"] = rng.choice((None, 5_000, 20_000, 60_000))
            case 1:
                west, south = -98 + rng.randrange(20) / 20, 30 + rng.randrange(20) / 20
                asked["bbox"] = (west, south, west + 0.25, south + 0.5)
            case 2:
                asked["property_type"] = tuple(rng.sample(TYPES, rng.randint(1, 2)))
            case 3:
                asked["source"] = tuple(rng.sample(SOURCES, rng.randint(1, 2)))
            case 4:
                asked["price_min"] = rng.randint(1, 20)
            case _:
                asked[f"{rng.choice(RANGES)}_{rng.choice(('min', 'max'))}"] = rng.randrange(6)
    return StandingFilter(**asked)


def as_search(asked: StandingFilter) -> search.Search:
    names = [f"{name}_{side}" for name in (*RANGES, "price") for side in ("min", "max")]
    bounds = {name: getattr(asked, name, None) for name in names}
    return search.Search(
        near=asked.near,
        radius_m=asked.radius_m,
        bbox=asked.bbox,
        property_types=asked.property_type,
        sources=asked.source,
        ranges={name: bound for name, bound in bounds.items() if bound is not None},
    )


def is_at_the_edge(asked: StandingFilter, listing: Listing) -> bool:
    """Whether the two measures of distance may disagree about the lead."""
    if asked.near is None or asked.radius_m is None:
        return False
    if listing.latitude is None or listing.longitude is None:
        return False
    here = unit_vector(listing.latitude, listing.longitude)
    distance = EARTH_RADIUS_M * chord_squared(here, unit_vector(*asked.near)) ** 0.5
    return abs(distance - asked.radius_m) < DIFFERENCE * asked.radius_m


async def test_a_filter_finds_what_the_search_finds(database_url: str) -> None:
    rng = random.Random(SEED)
    leads = {f"lead-{number}": random_listing(rng) for number in range(1_500)}
    prices = {lead_id: rng.randint(1, 30) for lead_id in leads}
    filters = {f"order-{number}": random_filter(rng) for number in range(150)}
    async with asyncpg.create_pool(database_url, min_size=1, max_size=2) as pool:
        await _insert(pool, leads, prices)
        searched = {order_id: await _searched(pool, asked) for order_id, asked in filters.items()}
    found = _found(leads, prices, filters)
    # Enough is found, and enough is not.
    assert 10_000 < sum(map(len, found.values())) < len(leads) * len(filters) / 2
    for order_id, asked in filters.items():
        differing = found[order_id] ^ searched[order_id]
        assert all(is_at_the_edge(asked, leads[lead_id]) for lead_id in differing), asked


def _found(
    leads: Mapping[str, Listing], prices: Mapping[str, int], filters: Mapping[str, StandingFilter]
) -> dict[str, set[str]]:
    index = StandingIndex()
    for order_id, asked in filters.items():
        index.add(order_id, StandingTerms(name="any", price_max=30, filter=asked))
    found: dict[str, set[str]] = {order_id: set() for order_id in filters}
    for lead_id, listing in leads.items():
        for order_id in index.find(listing, prices[lead_id], 1):
            found[order_id].add(lead_id)
    return found


async def _insert(
    pool: asyncpg.Pool, leads: Mapping[str, Listing], prices: Mapping[str, int]
) -> None:
    await pool.execute("INSERT INTO markets VALUES ('austin', 'Austin', 'America/Chicago')")
    await pool.execute(
        INSERT_LEADS, "austin", datetime(2026, 5, 4, tzinfo=UTC), *listing_columns(leads)
    )
    await pool.executemany(
        "INSERT INTO lead_trading (lead_id, market, lead_state, price, max_buyers)"
        " VALUES ($1, 'austin', 'available', $2, 1)",
        list(prices.items()),
    )


async def _searched(pool: asyncpg.Pool, asked: StandingFilter) -> set[str]:
    page = await search.leads(pool, as_search(asked), limit=5_000)
    return {item["lead_id"] for item in page.items}
