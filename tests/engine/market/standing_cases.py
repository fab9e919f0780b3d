"""Orders and leads at the edges of the index, and the index beside asking every order."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import count
from typing import Any
from zlib import crc32

from engine.market import standing_steps
from engine.market.listing import Listing
from engine.market.standing_index import StandingIndex
from engine.market.standing_rules import failed_filter_rules
from engine.market.standing_terms import StandingFilter, StandingTerms

# The rows after which cells begin anew are this far apart.
ROUND = standing_steps._CELLS / standing_steps._CELLS_A_DEGREE
CELL = 1 / standing_steps._CELLS_A_DEGREE
# Two names that share a row, and one that has its own.
NAMES = (
    "Land",
    next(
        name
        for name in map(str, count())
        if (crc32(name.encode()) - crc32(b"Land")) % standing_steps._NAMES == 0
    ),
    "Farm",
)
IDS = tuple("abcdefgh")

# Numbers at the edges of steps, a little beside them, and beyond all.
NUMBERS = (
    *(edge + by for edge in (1, 12, 100, 106, 1880, 2040, 20_000) for by in (-1, 0, 1)),
    2**63 - 1,
)
# Points of which some lie on edges of cells, some a round apart, and one far away.
LATITUDES = (30.0, 30.0 + CELL, 30.0 + 2.5 * CELL, 30.0 + ROUND, 30.5, -45.0)
LONGITUDES = (-97.0, -97.0 - CELL, -97.0 - ROUND, -97.5, 179.99, -179.99)
# Some are just enough for a neighbouring cell, some just not.
RADII = (1, 300, 370, 371, 926, 927, 50_000, 150_000, 9_000_000, 30_000_000)
RANGES = ("list_price", "living_area", "lot_size_square_feet", "year_built", "bedrooms_total")

Lead = tuple[Listing, int, int]
Change = tuple[str, StandingTerms | None]


def random_terms(rng: random.Random) -> StandingTerms:
    """Few things asked for, so that orders find something."""
    asked: dict[str, Any] = {}
    for _ in range(rng.randrange(4)):
        match rng.randrange(7):
            case 0:
                asked["near"] = rng.choice(LATITUDES), rng.choice(LONGITUDES)
                asked["radius_m"] = rng.choice((None, *RADII))
            case 1:
                west, east = sorted(rng.choices(LONGITUDES, k=2))
                south, north = sorted(rng.choices(LATITUDES, k=2))
                asked["bbox"] = (west, south, east, north)
            case 2:
                asked["property_type"] = tuple(rng.sample(NAMES, rng.randint(1, 2)))
            case 3:
                asked["source"] = tuple(rng.sample(NAMES, rng.randint(1, 2)))
            case 4:
                asked["price_min"] = rng.choice(NUMBERS)
            case _:
                name, side = rng.choice(RANGES), rng.choice(("min", "max"))
                asked[f"{name}_{side}"] = rng.choice(NUMBERS)
    return StandingTerms(
        name="any",
        price_max=rng.choice(NUMBERS[5:]),
        filter=StandingFilter(q=rng.choice((None, "pool")), **asked),
        seats=rng.choice(("any", "any", "exclusive", "shared")),
        is_paused=rng.random() < 0.2,
    )


def random_lead(rng: random.Random) -> Lead:
    facts: dict[str, Any] = {name: rng.choice(NUMBERS) for name in RANGES}
    facts["property_type"] = rng.choice(NAMES)
    facts["latitude"], facts["longitude"] = rng.choice(LATITUDES), rng.choice(LONGITUDES)
    for name in rng.sample(sorted(facts), rng.choice((0, 0, 1, 8))):
        facts[name] = None
    sources = tuple(rng.sample(NAMES, rng.randrange(3)))
    return Listing(sources=sources, **facts), rng.choice(NUMBERS[:9]), rng.randint(1, 3)


def random_changes(rng: random.Random) -> list[Change]:
    return [
        (rng.choice(IDS), random_terms(rng) if rng.random() < 0.8 else None)
        for _ in range(rng.randrange(16))
    ]


def asked_one_by_one(orders: dict[str, StandingTerms], lead: Lead) -> list[str]:
    return sorted(
        order_id
        for order_id, terms in orders.items()
        if not terms.is_paused and not failed_filter_rules(terms, *lead)
    )


def compare(
    make_index: Callable[[], StandingIndex],
    history: list[Change],
    asking: list[Lead],
) -> None:
    """Play additions, replacements and removals (no terms); after each all is found."""
    index, orders = make_index(), dict[str, StandingTerms]()
    for order_id, terms in history:
        if terms is None:
            index.remove(order_id)
            orders.pop(order_id, None)
        else:
            index.add(order_id, terms)
            orders[order_id] = terms
        assert len(index) == sum(not terms.is_paused for terms in orders.values())
        for lead in asking:
            assert sorted(index.find(*lead)) == asked_one_by_one(orders, lead)
        texts = [each for each, terms in orders.items() if terms.filter.q and not terms.is_paused]
        assert sorted(index.with_text(IDS)) == sorted(texts)


def sweep(make_index: Callable[[], StandingIndex], seeds: range) -> None:
    for seed in seeds:
        rng = random.Random(seed)
        compare(make_index, random_changes(rng), [random_lead(rng) for _ in range(4)])
