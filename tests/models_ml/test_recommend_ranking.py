"""What is recommended: what is alike, allowed and varied, each with its reasons."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.market.standing_terms import StandingFilter, StandingTerms
from models_ml.recommend.facts import facts_of, row_of
from models_ml.recommend.greatest import greatest
from models_ml.recommend.reasons import (
    ASKED,
    ASKED_IN_PART,
    EXPLORED,
    OTHERWISE,
    REASONS_MAX,
)
from models_ml.recommend.recommend import PICKS_MAX, candidates, recommend, similar
from models_ml.recommend.settings import STARTING
from models_ml.recommend.shelf import Asked
from models_ml.recommend.taste import Taste, taste_of
from models_ml.recommend.wishes import wish_of
from tests.models_ml.shelves import DAY_US, FLAT, HOUSE, NOW, Stock, towards

NOBODY = taste_of(Stock().past(), NOW, STARTING)


def picked(stock: Stock, *acts: object, limit: int = 5, asked: Asked = Asked()) -> list[str]:  # noqa: B008
    taste = taste_of(stock.past(*acts), NOW, STARTING)  # type: ignore[arg-type]
    picks = recommend([stock.shelf], taste, asked, limit, NOW, STARTING)
    return [pick.lead_id for pick in picks]


def test_what_is_like_what_was_bought_comes_first() -> None:
    stock = Stock()
    for n in range(20):
        stock.put(f"flat-{n}", FLAT, towards(3, n))
        stock.put(f"house-{n}", HOUSE, towards(0, n))
    bought = [("bought", HOUSE, towards(0, 90 + n), 1.0) for n in range(5)]
    found = picked(stock, *bought)
    assert len(found) == 5
    assert all(lead_id.startswith("house") for lead_id in found)


def test_two_interests_are_both_served() -> None:
    stock = Stock()
    for n in range(20):
        stock.put(f"flat-{n}", FLAT, towards(3, n))
        stock.put(f"house-{n}", HOUSE, towards(0, n))
        stock.put(f"other-{n}", HOUSE.__class__(property_type="Land"), towards(6, n))
    done = [
        (kind, listing, towards(axis, 90 + n), 1.0)
        for n in range(5)
        for kind, listing, axis in (("bought", HOUSE, 0), ("bought", FLAT, 3))
    ]
    kinds = {lead_id.split("-")[0] for lead_id in picked(stock, *done, limit=10)}
    assert kinds == {"flat", "house"}


def test_a_lead_without_a_vector_is_recommended_by_its_facts() -> None:
    stock = Stock()
    stock.put("new", HOUSE, None)
    for n in range(10):
        stock.put(f"flat-{n}", FLAT, towards(3, n))
    assert picked(stock, ("bought", HOUSE, towards(0), 1.0), limit=1) == ["new"]


def test_reasons_are_of_the_buyer_and_of_the_lead() -> None:
    stock = Stock()
    stock.put("one", HOUSE, towards(0), days_old=0.2)
    acts = [("bought", HOUSE, towards(0, n), 3.0) for n in range(4)]
    taste = taste_of(stock.past(*acts), NOW, STARTING)  # type: ignore[arg-type]
    (pick,) = recommend([stock.shelf], taste, Asked(), 1, NOW, STARTING)
    assert pick.reasons == [
        "like a lead you bought on 1 October 2024",
        "within your usual price",
        "near a lead you bought",
        "new today",
    ]
    assert 0 < pick.score < 1


def test_nobody_known_is_shown_new_wanted_and_good_leads_and_something_else() -> None:
    stock = Stock()
    for n in range(30):
        stock.put(f"old-{n}", HOUSE, towards(n % 8, n), days_old=40 + n)
    stock.put("new", HOUSE, towards(1), days_old=0.1)
    stock.put("wanted", HOUSE, towards(2), days_old=40)
    stock.shelf.want("wanted", 30.0, NOW)
    picks = recommend([stock.shelf], NOBODY, Asked(), 10, NOW, STARTING, seed="ann")
    assert {pick.lead_id for pick in picks[:2]} == {"new", "wanted"}
    assert len({pick.lead_id for pick in picks}) == 10
    assert [EXPLORED in pick.reasons for pick in picks].count(True) == 1
    again = recommend([stock.shelf], NOBODY, Asked(), 10, NOW, STARTING, seed="ann")
    assert again == picks
    assert all(1 <= len(pick.reasons) <= REASONS_MAX for pick in picks)


def test_the_same_home_again_and_again_gives_way_to_another() -> None:
    stock = Stock()
    for n in range(10):
        stock.put(f"same-{n}", HOUSE, towards(0))
    stock.put("other", HOUSE, towards(0, 5, spread=1.0))
    varied = msgspec.structs.replace(STARTING, diversity=100.0)
    taste = taste_of(stock.past(("bought", HOUSE, towards(0), 1.0)), NOW, varied)
    found = recommend([stock.shelf], taste._replace(known=50.0), Asked(), 5, NOW, varied)
    assert "other" in [pick.lead_id for pick in found[:2]]


def test_what_a_plan_saves_counts_towards_the_usual_price() -> None:
    stock = Stock()
    stock.put("dear", HOUSE, towards(0), price=40)
    acts = [("bought", HOUSE, towards(0, n), 3.0) for n in range(4)]
    taste = taste_of(stock.past(*acts, price=20), NOW, STARTING)  # type: ignore[arg-type]
    said = [
        recommend([stock.shelf], taste, Asked(), 1, NOW, STARTING, discount_percent=off)[0].reasons
        for off in (0, 50)
    ]
    assert ["within your usual price" in each for each in said] == [False, True]


def _ordered(stock: Stock, market: str, **terms: object) -> Taste:
    """The taste of somebody who did nothing but order ahead."""
    wanted = StandingTerms(**{"name": "mine", "price_max": 20} | terms)  # type: ignore[arg-type]
    wish = wish_of(wanted, stock.kinds, market, NOW)
    assert wish is not None
    return NOBODY._replace(wishes=[wish])


def test_what_is_ordered_ahead_is_found_behind_what_is_new_and_wanted() -> None:
    stock = Stock()
    stock.put("asked", HOUSE, None, days_old=60)
    for n in range(300):
        stock.put(f"flat-{n}", FLAT, None, days_old=50 + n / 100)
    houses = StandingFilter(property_type=("Residential",))
    for market, first in (("austin", "asked"), ("dallas", "flat-0")):
        taste = _ordered(stock, market, filter=houses)
        picks = recommend([stock.shelf], taste, Asked(), 5, NOW, STARTING)
        assert picks[0].lead_id == first
        assert (ASKED in picks[0].reasons) == (first == "asked")


def test_an_order_s_top_price_is_before_the_discount() -> None:
    stock = Stock()
    stock.put("dear", HOUSE, None, price=22)
    stock.put("just", HOUSE, None, price=20)
    taste = _ordered(stock, "austin", filter=StandingFilter(list_price_max=500_000))
    picks = recommend([stock.shelf], taste, Asked(), 5, NOW, STARTING, discount_percent=10)
    assert [(pick.lead_id, ASKED in pick.reasons) for pick in picks] == [
        ("just", True),
        ("dear", False),
    ]


def test_an_order_that_asks_for_more_than_is_looked_at_is_met_in_part() -> None:
    stock = Stock()
    stock.put("one", HOUSE, None)
    wanted = StandingFilter(list_price_max=500_000, bedrooms_total_min=5)
    (pick,) = recommend(
        [stock.shelf], _ordered(stock, "austin", filter=wanted), Asked(), 5, NOW, STARTING
    )
    assert ASKED_IN_PART in pick.reasons
    assert ASKED not in pick.reasons


def test_similar_leads_are_alike_in_what_they_say() -> None:
    stock = Stock()
    for n in range(10):
        stock.put(f"flat-{n}", FLAT, towards(3, n))
        stock.put(f"house-{n}", HOUSE, towards(0, n))
    facts = facts_of([row_of(stock.kinds, FLAT, 20, NOW)])
    for vector in (towards(3, 99), np.zeros(8, dtype=np.float32)):
        found = similar(stock.shelf, facts, vector, Asked(), 5, NOW, STARTING)
        assert all(pick.lead_id.startswith("flat") for pick in found)
        assert "the same kind of home" in found[0].reasons


@given(st.integers(0, 99), st.floats(0.001, 2.0))
def test_the_usual_kind_is_found_where_it_is_nearest(seed: int, spread: float) -> None:
    stock, rng = Stock(), np.random.default_rng(seed)
    for n in range(150):
        place = {
            "latitude": 30.27 + float(rng.normal(0, spread)),
            "longitude": -97.74 + float(rng.normal(0, spread)),
        }
        # Old ones: they are neither among the newest nor wanted.
        stock.put(f"near-{n}", msgspec.structs.replace(HOUSE, **place), days_old=50)
    for n in range(60):
        stock.put(f"new-{n}", FLAT)
    taste = taste_of(stock.past(("bought", HOUSE, towards(0), 1.0)), NOW, STARTING)
    taste = taste._replace(interests=[])
    rows = candidates(stock.shelf, taste, stock.shelf.allowed(Asked()))
    apart = np.square(stock.shelf.facts(np.arange(150)).place - taste.facts.place[0]).sum(axis=1)
    assert set(np.argsort(apart)[:50].tolist()) <= set(rows.tolist())


def test_an_empty_shelf_recommends_nothing_and_a_limit_has_bounds() -> None:
    assert recommend([Stock().shelf], NOBODY, Asked(), 5, NOW, STARTING) == []
    for limit in (0, PICKS_MAX + 1):
        with pytest.raises(ValueError, match="limit is"):
            recommend([], NOBODY, Asked(), limit, NOW, STARTING)


def test_a_lead_that_says_nothing_of_itself_has_a_reason_too() -> None:
    stock = Stock()
    stock.put("bare", HOUSE.__class__(), None, days_old=90)
    (pick,) = recommend([stock.shelf], NOBODY, Asked(), 1, NOW, STARTING)
    assert pick.reasons == [OTHERWISE]


def test_who_was_wanted_is_remembered_over_a_hold() -> None:
    stock = Stock()
    stock.put("lead")
    stock.shelf.want("lead", 4.0, NOW)
    stock.shelf.drop("lead")
    stock.put("lead")
    row = np.array([stock.shelf.row("lead")])
    assert stock.shelf.popularity(row, NOW + DAY_US).tolist() == [2.0]


@given(
    st.lists(st.integers(-20, 20), max_size=30),
    st.integers(0, 2_000),
    st.integers(1, 40),
    st.integers(0, 99),
)
def test_the_greatest_are_as_sorting_finds_them(
    some: list[int], more: int, k: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    values = np.concatenate([some, rng.integers(-10, 10, more), rng.integers(0, 10**9, more)])
    for each in (values, np.sort(values), np.where(values > 5, values, -np.inf)):
        found = each[greatest(each, k)]
        assert found.tolist() == sorted(each.tolist(), reverse=True)[:k]


def test_popularity_orders_as_it_fades() -> None:
    stock = Stock()
    for n in range(60):
        stock.put(f"lead-{n}")
    rng = np.random.default_rng(4)
    for n in rng.integers(0, 50, 200).tolist():
        stock.shelf.want(f"lead-{n}", float(rng.integers(1, 4)), NOW - n * DAY_US // 7)
    rows = np.arange(60)
    wanted = stock.shelf.popularity(rows, NOW)
    first = stock.shelf.most_wanted(20, rows)
    assert wanted[first].tolist() == pytest.approx(sorted(wanted.tolist(), reverse=True)[:20])
    assert len(stock.shelf.most_wanted(100, rows)) == np.count_nonzero(wanted)


steps = st.lists(
    st.tuples(st.sampled_from(["put", "drop", "vector"]), st.integers(0, 25)), max_size=60
)


@given(steps, st.frozensets(st.integers(0, 25), max_size=8), st.booleans(), st.booleans())
def test_only_what_is_there_and_allowed_is_ever_recommended(
    done: list[tuple[str, int]], mine: frozenset[int], near: bool, typed: bool
) -> None:
    stock, there = Stock(), {}
    for what, n in done:
        lead_id, listing = f"lead-{n}", (HOUSE, FLAT)[n % 2]
        if what == "drop":
            stock.shelf.drop(lead_id)
            there.pop(lead_id, None)
        elif what == "put":
            stock.put(lead_id, listing)
            there[lead_id] = listing
        else:
            stock.shelf.put_vectors([lead_id], towards(n % 8, n)[None, :])
    asked = Asked(
        near=(30.27, -97.74) if near else None,
        radius_m=3_000 if near else None,
        property_types=("Residential",) if typed else (),
        without=frozenset(f"lead-{n}" for n in mine),
    )
    allowed = {
        lead_id
        for lead_id, listing in there.items()
        if lead_id not in asked.without and (listing is HOUSE or not (near or typed))
    }
    for acts in ((), (("bought", HOUSE, towards(0), 1.0),)):
        found = picked(stock, *acts, limit=100, asked=asked)
        assert len(found) == len(set(found))
        assert set(found) == allowed
