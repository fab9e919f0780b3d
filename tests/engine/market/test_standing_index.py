"""The index beside asking every order, and indexes with one thing wrong each."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import count
from math import inf
from typing import Any
from zlib import crc32

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.market import standing_columns, standing_index, standing_rules, standing_steps
from engine.market.listing import Listing
from engine.market.sphere import box_around
from engine.market.standing_columns import StandingColumns
from engine.market.standing_index import StandingIndex
from engine.market.standing_rules import Facts, failed_filter_rules
from engine.market.standing_steps import NamesInUse
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


# Hypothesis finds the corners and shrinks; thousands of histories come from seeds.
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.randoms(use_true_random=False))
def test_the_index_finds_what_asking_each_finds(rng: random.Random) -> None:
    compare(StandingIndex, random_changes(rng), [random_lead(rng) for _ in range(4)])


@pytest.mark.parametrize("seeds", [range(at, at + 250) for at in range(0, 1_000, 250)], ids=str)
def test_seeded_histories(seeds: range) -> None:
    sweep(StandingIndex, seeds)


# --- many orders ------------------------------------------------------------------------


def narrow(rng: random.Random) -> StandingTerms:
    """A few kilometres of a market, a band of prices, perhaps bedrooms."""
    least = rng.randrange(1, 30) * 25_000
    return StandingTerms(
        name="narrow",
        price_max=rng.choice((20, 40, 80)),
        filter=StandingFilter(
            near=(rng.uniform(29.8, 30.8), rng.uniform(-98.2, -97.3)),
            radius_m=rng.choice((2_000, 5_000, 10_000)),
            list_price_min=least,
            list_price_max=least * 2,
            bedrooms_total_min=rng.choice((None, 2, 3)),
        ),
    )


def home(rng: random.Random) -> Lead:
    listing = Listing(
        latitude=rng.uniform(29.8, 30.8),
        longitude=rng.uniform(-98.2, -97.3),
        list_price=rng.randrange(50_000, 900_000),
        bedrooms_total=rng.randrange(1, 6),
    )
    return listing, rng.randrange(5, 90), rng.choice((1, 3))


def test_thousands_of_orders_over_several_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing_index, "_WORDS", 3)
    monkeypatch.setattr(standing_index, "PAGE", 3 * 64)
    monkeypatch.setattr(standing_columns, "ROOM", 100)
    rng, index, orders = random.Random(7), StandingIndex(), dict[str, StandingTerms]()
    for number in range(4_000):
        order_id = f"order-{rng.randrange(1_500)}"
        if rng.random() < 0.3:
            index.remove(order_id)
            orders.pop(order_id, None)
        else:
            orders[order_id] = narrow(rng)
            index.add(order_id, orders[order_id])
        if number % 100 == 0:
            lead = home(rng)
            assert sorted(index.find(*lead)) == asked_one_by_one(orders, lead)
    assert len(index) == len(orders) > 3 * 64


def test_few_orders_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = 0

    def counted(columns: StandingColumns, places: Any, lead: Facts) -> Any:
        nonlocal compared
        compared += len(places)
        return wanting(columns, places, lead)

    wanting = StandingColumns.wanting
    monkeypatch.setattr(StandingColumns, "wanting", counted)
    rng, index = random.Random(11), StandingIndex()
    for number in range(3_000):
        index.add(str(number), narrow(rng))
    homes = [home(rng) for _ in range(200)]
    found = sum(len(index.find(*lead)) for lead in homes)
    # Of 3,000 each: twice those found, and one more for every home.
    assert 200 < found <= compared <= 2 * found + len(homes)


def test_the_room_of_removed_orders_is_used_again() -> None:
    rng, index = random.Random(5), StandingIndex()
    for number in range(2 * standing_index.PAGE):
        index.add(str(number), narrow(rng))
        index.remove(str(number - 20))
    assert len(index) == 20
    assert len(index._pages) == 1
    assert len(index._ids) == len(index._terms) <= 21
    assert len(index._columns._bounds) == standing_columns.ROOM


def test_names_are_forgotten_with_their_orders() -> None:
    names, lead = NamesInUse(), standing_rules.facts(Listing(property_type=NAMES[0]), 1, 1)
    asked = StandingFilter(property_type=NAMES[:2], source=NAMES[:2])
    names.count(asked, 1)
    names.count(asked, 1)
    names.count(asked, -1)
    assert names.are_mixed(lead)
    names.count(asked, -1)
    assert not names.are_mixed(lead)
    assert not any(names._names.values())


def test_a_bound_beyond_all_numbers_leaves_the_index_whole() -> None:
    index, free = StandingIndex(), StandingTerms(name="free", price_max=9)
    index.add("a", free)
    for number in ("a", "b"):
        with pytest.raises(OverflowError):
            index.add(number, StandingTerms(name="too much", price_max=2**70))
    assert len(index) == 0
    index.add("b", free)
    index.add("c", free)
    assert sorted(index.find(Listing(), 9, 1)) == ["b", "c"]


def test_nothing_is_found_in_nothing() -> None:
    index = StandingIndex()
    index.remove("unknown")
    assert index.find(Listing(), 1, 1) == []
    assert len(index) == 0


# --- indexes with one thing wrong ----------------------------------------------------------


class ComparesNobody(StandingIndex):
    def find(self, listing: Listing, price: int, max_buyers: int) -> list[str]:
        lead = standing_rules.facts(listing, price, max_buyers)
        return [self._ids[place] for place in self._candidates(lead)]


class ForgetsToRemove(StandingIndex):
    def remove(self, standing_order_id: str) -> None:
        pass


class LeavesTheBits(StandingIndex):
    def remove(self, standing_order_id: str) -> None:
        pages = [page.copy() for page in self._pages]
        super().remove(standing_order_id)
        self._pages = pages


class FindsThePaused(StandingIndex):
    def add(self, standing_order_id: str, terms: StandingTerms) -> None:
        super().add(standing_order_id, replace(terms, is_paused=False))


class KeepsThePausedAsTheyWere(StandingIndex):
    def add(self, standing_order_id: str, terms: StandingTerms) -> None:
        if not terms.is_paused:
            super().add(standing_order_id, terms)


class LooksAtTheFirstSourceOnly(StandingIndex):
    def find(self, listing: Listing, price: int, max_buyers: int) -> list[str]:
        return super().find(replace(listing, sources=listing.sources[:1]), price, max_buyers)


class ForgetsTexts(StandingIndex):
    def with_text(self, standing_order_ids: Any) -> list[str]:
        return []


INDEXES = [
    each
    for each in list(globals().values())
    if isinstance(each, type) and StandingIndex in each.__bases__
]
# What is wrong with the parts: (of which part, what, what instead).
PARTS: dict[str, tuple[Any, str, Any]] = {
    "StopsBeforeTheLastStep": (
        standing_steps,
        "_run",
        lambda first, last: (1 << last) - (1 << first) if first < last else 0,
    ),
    "BeginsAfterTheFirstStep": (
        standing_steps,
        "_run",
        lambda first, last: (1 << last + 1) - (2 << first) if first < last else 0,
    ),
    "CellsNeverBeginAnew": (
        standing_steps,
        "_cells",
        lambda least, most: standing_steps._run(
            round(least * standing_steps._CELLS_A_DEGREE) % standing_steps._CELLS,
            round(most * standing_steps._CELLS_A_DEGREE) % standing_steps._CELLS,
        ),
    ),
    "CirclesTooSmall": (
        standing_steps,
        "box_around",
        lambda latitude, longitude, radius_m: box_around(latitude, longitude, radius_m - 2),
    ),
    "NamesTheFirstOnly": (
        standing_steps,
        "_names",
        lambda names: 1 << standing_steps._name(names[0]),
    ),
    "NothingUnstatedIsWanted": (
        standing_steps,
        "_EVERY",
        standing_steps._EVERY & ~(1 << standing_steps._TYPE + standing_steps._NAMES),
    ),
    "OverlooksSharedRows": (NamesInUse, "are_mixed", lambda names, lead: False),
    "BoundsReachOneFurther": (
        StandingColumns,
        "put",
        lambda columns, place, order, put=StandingColumns.put: put(
            columns,
            place,
            replace(order, ranges=tuple((n, least, most + 1) for n, least, most in order.ranges)),
        ),
    ),
    "CirclesAreTheirBoxes": (standing_columns, "chord_squared", lambda one, other: one[0] * 0),
    "BoxesAreTheirCells": (
        standing_columns,
        "_area",
        lambda order, area=standing_columns._area: (*area(order)[:4], *[-inf] * 4),
    ),
}


@pytest.mark.parametrize("mutant", INDEXES, ids=lambda mutant: mutant.__name__)
def test_the_comparison_catches(mutant: type[StandingIndex]) -> None:
    with pytest.raises(AssertionError):
        sweep(mutant, range(1_000))


@pytest.mark.parametrize("mutant", PARTS)
def test_the_comparison_catches_a_bad_part(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*PARTS[mutant])
    with pytest.raises(AssertionError):
        sweep(StandingIndex, range(1_000))
