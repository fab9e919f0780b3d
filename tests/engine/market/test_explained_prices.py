"""Prices in words: the factors make the price, and what is committed only falls."""

from __future__ import annotations

import itertools
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.market.pricing.depth import BUYERS_MIN, depth_of
from engine.market.pricing.explained import factors_of, path_of, price_from, set_factor
from engine.market.pricing.fill_odds import LEVELS, SALES_MIN, FillOdds
from engine.market.pricing.lead_columns import LeadColumns
from engine.market.pricing.parts import (
    COMMIT_HOURS,
    CREDIT,
    HOUR_US,
    PriceParts,
    committed_at_most,
    price_of,
)
from tests.engine.market.pricing_parts import PARTS

NOW = 1_800_000_000_000_000


@given(PARTS)
def test_factors_make_exactly_the_price(parts: PriceParts) -> None:
    told = json.loads(json.dumps(factors_of(parts)))
    assert price_from(told) == price_of(parts)


@given(st.integers(1, 10**9))
def test_a_price_set_makes_itself(price: int) -> None:
    assert price_from([set_factor(price)]) == price


def test_an_unknown_factor_is_not_passed_over() -> None:
    with pytest.raises(ValueError, match="mood"):
        price_from([{"name": "mood", "adds": 3}])


@given(PARTS, st.integers(-HOUR_US, 7 * HOUR_US))
def test_a_path_is_what_is_committed_to(parts: PriceParts, later: int) -> None:
    now, price = parts.committed_at + max(0, later), price_of(parts)
    path = path_of(parts, price, now, is_open=True)
    assert path[0] == (now, price)
    assert len(path) <= COMMIT_HOURS + 1
    for at, most in path[1:]:
        known = committed_at_most(parts, at)
        assert known is not None
        assert most == min(price, known)
    prices = [most for _, most in path]
    assert prices == sorted(prices, reverse=True)
    assert path_of(parts, price, now, is_open=False) == [(now, price)]


# --- depth -----------------------------------------------------------------------------


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(1, 700))))
def test_no_band_shows_fewer_than_three_buyers(orders: list[tuple[str, int]]) -> None:
    bands = depth_of(orders)
    if len({user for user, _ in orders}) < BUYERS_MIN:
        assert bands == []
        return
    assert sum(band.orders for band in bands) == len(orders)
    assert bands[-1].price_min == 1
    assert bands[0].price_max is None
    for band in bands:
        inside = {
            user
            for user, top in orders
            if band.price_min <= top and (band.price_max is None or top <= band.price_max)
        }
        assert len(inside) >= BUYERS_MIN
    for above, below in itertools.pairwise(bands):
        assert below.price_max == above.price_min - 1


def test_bands_split_where_buyers_allow_it() -> None:
    orders = [(user, top) for top in (22, 55) for user in ("ann", "bob", "cid")]
    assert [tuple(band) for band in depth_of(orders)] == [(50, None, 3), (1, 49, 3)]


# --- odds ------------------------------------------------------------------------------


def _shelf(prices: list[int], base: int) -> LeadColumns:
    columns = LeadColumns()
    for number, price in enumerate(prices):
        row = columns.add(f"lead-{number}")
        columns.price[row], columns.base[row], columns.is_offered[row] = price, base, True
    return columns


def test_nothing_is_said_of_what_was_not_seen() -> None:
    odds = FillOdds()
    assert odds.odds() == []
    assert "0 recent sales" in str(odds.why_unknown())


def test_odds_are_those_of_the_rates() -> None:
    rng, odds = random.Random(1), FillOdds()
    columns = _shelf([8, 10, 12] * 500, 10 * CREDIT)
    chances = {8: 0.02, 10: 0.01, 12: 0.005}
    for hour in range(200):
        odds.pass_time(columns, NOW + hour * HOUR_US)
        for price in columns.price[:1500].tolist():
            if rng.random() < chances[price]:
                odds.sold(price, 10 * CREDIT)
    found = {level: within for level, within in odds.odds() if within is not None}
    assert found == {
        0.8: pytest.approx(0.02, rel=0.2),
        1.0: pytest.approx(0.01, rel=0.2),
        1.35: pytest.approx(0.005, rel=0.2),
    }
    assert FillOdds.load(json.loads(json.dumps(odds.dump()))).odds() == odds.odds()
    with pytest.raises(ValueError, match="levels"):
        FillOdds.load([[0.0], [0.0], 0])


def test_what_is_old_is_forgotten() -> None:
    odds, columns = FillOdds(), _shelf([10] * 10, 10 * CREDIT)
    odds.pass_time(columns, NOW)
    for _ in range(int(SALES_MIN)):
        odds.sold(10, 10 * CREDIT)
    assert odds.why_unknown() is None
    odds.pass_time(columns, NOW + 8 * 7 * 24 * HOUR_US)
    assert odds.why_unknown() is not None
    assert len(LEVELS) == len(odds.dump()[0])
