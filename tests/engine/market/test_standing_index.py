"""The index finds what asking every order finds, and asks few."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.market import standing_columns, standing_index, standing_rules
from engine.market.listing import Listing
from engine.market.standing_columns import StandingColumns
from engine.market.standing_index import StandingIndex
from engine.market.standing_rules import Facts
from engine.market.standing_steps import NamesInUse
from engine.market.standing_terms import StandingFilter, StandingTerms
from tests.engine.market.standing_cases import (
    NAMES,
    Lead,
    asked_one_by_one,
    compare,
    random_changes,
    random_lead,
    sweep,
)


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
