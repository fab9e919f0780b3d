"""A taste is several interests, weighed by what was done and how long ago."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.market.standing_terms import StandingFilter, StandingTerms
from models_ml.recommend.facts import Kinds, facts_of, row_of
from models_ml.recommend.settings import INTERESTS_MAX, STARTING
from models_ml.recommend.taste import ACTS_MAX, act_weights, taste_of
from models_ml.recommend.wishes import HALF_LIFE_DAYS, loudness, met, wish_of
from tests.models_ml.shelves import DAY_US, FLAT, HOUSE, NOW, Stock, towards


def test_two_tastes_are_two_interests_and_not_their_mean() -> None:
    past = Stock().past(
        *(("bought", HOUSE, towards(0, n), 2.0) for n in range(6)),
        *(("bought", FLAT, towards(3, n), 2.0) for n in range(3)),
    )
    taste = taste_of(past, NOW, STARTING)
    assert [int(np.argmax(each.vector)) for each in taste.interests] == [0, 3]
    assert [round(each.share, 3) for each in taste.interests] == [0.667, 0.333]
    assert taste.weights.sum() == pytest.approx(1.0)


def test_an_act_counts_by_its_kind_and_half_as_much_after_its_half_life() -> None:
    days = STARTING.half_life_days["bought"]
    past = Stock().past(
        ("bought", HOUSE, towards(0), 0.0),
        ("bought", HOUSE, towards(0), days),
        ("viewed", HOUSE, towards(0), 0.0),
    )
    now, then, viewed = act_weights(past.acts, NOW, STARTING)
    assert now == pytest.approx(STARTING.act_weights["bought"])
    assert then == pytest.approx(now / 2)
    assert viewed == pytest.approx(STARTING.act_weights["viewed"])


def test_a_lead_counts_once_by_the_act_that_says_most() -> None:
    past = Stock().past(("viewed", HOUSE, towards(0), 1.0), ("bought", HOUSE, towards(0), 1.0))
    same = [act._replace(lead_id="one") for act in past.acts]
    taste = taste_of(past._replace(acts=same), NOW, STARTING)
    assert [act.kind for act in taste.acts] == ["bought"]


def test_a_buyer_who_did_nothing_has_no_interest() -> None:
    taste = taste_of(Stock().past(), NOW, STARTING)
    assert (taste.interests, taste.known, len(taste.acts)) == ([], 0.0, 0)


def test_leads_without_a_vector_make_no_interest_but_count() -> None:
    past = Stock().past(("bought", HOUSE, np.zeros(8, dtype=np.float32), 1.0))
    taste = taste_of(past, NOW, STARTING)
    assert taste.interests == []
    assert taste.known > 0


def test_what_is_out_of_step_is_refused() -> None:
    past = Stock().past(("bought", HOUSE, towards(0), 1.0))
    with pytest.raises(ValueError, match="in step"):
        taste_of(past._replace(vectors=past.vectors[:0]), NOW, STARTING)


@given(st.lists(st.tuples(st.integers(0, 7), st.floats(0, 400)), max_size=150), st.integers(1, 5))
def test_interests_and_acts_are_bounded_and_shares_add_up(
    done: list[tuple[int, float]], most: int
) -> None:
    settings = msgspec.structs.replace(STARTING, interests=most)
    past = Stock().past(
        *(("bought", HOUSE, towards(axis, n), days) for n, (axis, days) in enumerate(done))
    )
    taste = taste_of(past, NOW, settings)
    assert len(taste.interests) <= most <= INTERESTS_MAX
    assert bool(taste.interests) == bool(done)
    assert len(taste.acts) == min(len(done), ACTS_MAX)
    assert sum(each.share for each in taste.interests) <= 1.0 + 1e-9
    assert all(
        np.linalg.norm(each.vector) == pytest.approx(1.0, abs=1e-5) for each in taste.interests
    )
    assert all(0 <= each.medoid < len(taste.acts) for each in taste.interests)


def test_a_standing_order_asks_for_what_lies_within_its_bounds() -> None:
    kinds = Kinds()
    rows = [row_of(kinds, listing, 20, NOW) for listing in (HOUSE, FLAT)]
    terms = StandingTerms(
        name="mine",
        price_max=30,
        filter=StandingFilter(
            property_type=("Residential",), list_price_max=500_000, near=(30.27, -97.74),
            radius_m=5_000,
        ),
    )  # fmt: skip
    wish = wish_of(terms, kinds, "austin", NOW)
    assert wish is not None
    assert met(wish, facts_of(rows)).tolist() == [True, False]
    cheap = wish_of(msgspec.structs.replace(terms, price_max=10), kinds, "austin", NOW)
    assert cheap is not None
    assert not met(cheap, facts_of(rows)).any()
    paused = msgspec.structs.replace(terms, is_paused=True)
    for silent in (paused, StandingTerms(name="all", price_max=9)):
        assert wish_of(silent, kinds, "austin", NOW) is None


def test_an_order_that_asks_for_more_is_met_in_part() -> None:
    kinds = Kinds()
    plain = StandingFilter(living_area_min=1_000)
    for terms, is_whole in (
        (StandingTerms(name="size", price_max=30, filter=plain), True),
        (StandingTerms(name="seats", price_max=30, filter=plain, seats="exclusive"), False),
        (
            StandingTerms(
                name="rooms",
                price_max=30,
                filter=msgspec.structs.replace(plain, bedrooms_total_min=3),
            ),
            False,
        ),
    ):
        wish = wish_of(terms, kinds, "austin", NOW)
        assert wish is not None
        assert wish.is_whole is is_whole


def test_an_order_speaks_less_the_longer_it_stands() -> None:
    terms = StandingTerms(name="a", price_max=30, filter=StandingFilter(list_price_max=500_000))
    wish = wish_of(terms, Kinds(), "austin", NOW)
    assert wish is not None
    assert loudness(wish, NOW) == 1.0
    assert loudness(wish, NOW + round(HALF_LIFE_DAYS * DAY_US)) == pytest.approx(0.5)
