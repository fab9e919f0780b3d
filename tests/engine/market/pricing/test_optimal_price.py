"""The optimal price against closed forms, brute force, and what must be so whatever the demand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.market.pricing.normal_curve import mills, upper
from engine.market.pricing.optimal_price import (
    LIFE_MOST,
    RATIO_LEAST,
    RATIO_MOST,
    SEATS_MOST,
    SIGMA_LEAST,
    SIGMA_MOST,
    Margins,
    integrate,
    myopic_price,
    sold_share,
    solve,
    table_for,
)

_sigmas = st.floats(SIGMA_LEAST, SIGMA_MOST)


def test_the_normal_tail_agrees_with_the_c_library() -> None:
    z = np.linspace(-8, 8, 333)
    exact = np.array([0.5 * math.erfc(each / math.sqrt(2)) for each in z])
    assert np.allclose(upper(z), exact, rtol=2e-7)
    ratio = exact / (np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi))
    assert np.allclose(mills(z), ratio, rtol=2e-7)


@given(_sigmas)
def test_with_nothing_to_wait_for_the_best_price_is_the_best_of_all_prices(sigma: float) -> None:
    prices = np.exp(np.linspace(-3, 5, 20_001) * max(sigma, 0.3))
    earned = prices * sold_share(prices, sigma)
    best = myopic_price(sigma)
    # Revenue is flat around its best: compare what is earned, and the price loosely.
    assert best * float(sold_share(np.array(best), sigma)) >= earned.max() * (1 - 1e-5)
    assert math.isclose(best, prices[earned.argmax()], rel_tol=5e-3)


@given(_sigmas)
def test_a_price_never_rises_with_seats_nor_falls_with_life_or_arrivals(sigma: float) -> None:
    table = table_for(sigma)
    assert np.isfinite(table.price).all()
    assert np.isfinite(table.value).all()
    for axis, direction in ((0, -1), (1, 1), (2, 1)):
        for grid in (table.price, *([table.value] if direction > 0 else [])):
            assert (direction * np.diff(grid, axis=axis) >= -1e-9 * grid.max()).all()
    # Another seat earns more, but less than the one before it.
    gains = np.diff(np.concatenate((np.zeros_like(table.value[:1]), table.value)), axis=0)
    assert (gains >= -1e-9).all()
    assert (np.diff(gains, axis=0) <= 1e-7 * table.value.max()).all()


@given(
    _sigmas,
    st.integers(1, SEATS_MOST),
    st.floats(1e-4, LIFE_MOST),
    st.floats(RATIO_LEAST, RATIO_MOST),
)
def test_what_is_looked_up_lies_between_its_neighbours(
    sigma: float, seats: int, life: float, ratio: float
) -> None:
    table = table_for(sigma)
    price = float(table.prices(seats, life, ratio))
    grid = table.price[seats - 1]
    row = int(np.searchsorted(table.lives, life))
    column = int(np.searchsorted(table.ratios, ratio))
    rows = slice(max(row - 1, 0), row + 2)
    columns = slice(max(column - 2, 0), column + 2)
    around = grid[rows, columns]
    assert around.min() * (1 - 1e-6) <= price <= around.max() * (1 + 1e-6)


@pytest.mark.parametrize("sigma", [0.25, 0.5, 1.0])
@pytest.mark.parametrize("ratio", [0.3, 3.0, 100.0, 5_000.0])
def test_an_everlasting_single_seat_solves_its_equation(sigma: float, ratio: float) -> None:
    # Stationary with one seat: v = ratio * max_p P(V > p)(p - v), here by brute force.
    prices = np.exp(np.linspace(-2, 9, 40_001) * sigma)
    share = sold_share(prices, sigma)
    low, high = 0.0, float(ratio * (prices * share).max())
    for _ in range(100):
        value = (low + high) / 2
        gained = ratio * float((share * (prices - value)).max())
        low, high = (value, high) if gained > value else (low, value)
    table = solve(sigma)
    column = int(np.argmin(np.abs(np.log(table.ratios / ratio))))
    if not math.isclose(table.ratios[column], ratio, rel_tol=1e-9):
        found = float(table._replace(price=table.value).prices(1, LIFE_MOST, ratio))
        assert math.isclose(found, low, rel_tol=4e-3)
    else:
        assert math.isclose(table.value[0, -1, column], low, rel_tol=1e-3)


@pytest.mark.parametrize("ratio", [1.0, 100.0])
def test_a_finite_life_agrees_with_small_steps_of_brute_force(ratio: float) -> None:
    sigma, steps, life = 0.5, 40_000, 1.5
    prices = np.exp(np.linspace(-3, 7, 2_001) * sigma)
    share = sold_share(prices, sigma)
    values = np.zeros(4)
    width = life / steps
    for _ in range(steps):
        worth = np.diff(values)
        gained = (share * (prices - worth[:, None])).max(axis=1)
        values[1:] += width * (ratio * gained - values[1:])
    table = solve(sigma)
    exact = table._replace(price=table.value)
    for seats in (1, 2, 3):
        assert math.isclose(float(exact.prices(seats, life, ratio)), values[seats], rel_tol=2e-3)
        best = prices[(share * (prices - np.diff(values)[seats - 1])).argmax()]
        assert math.isclose(float(table.prices(seats, life, ratio)), best, rel_tol=6e-3)


def test_exponential_demand_agrees_with_the_closed_form() -> None:
    # Gallego & van Ryzin (1994): with P(V > p) = exp(-p) and no discounting,
    # J_n(t) = ln sum_(i<=n) (arrivals t / e)^i / i!, and the best price is 1 + J_n - J_(n-1).
    worth = np.linspace(0.0, 30.0, 60_001)
    sold = np.exp(-1.0 - worth)
    margins = Margins(worth, 1.0 + worth, sold, sold)
    arrivals = np.array([0.5, 5.0, 50.0])
    lives = np.concatenate(([0.0], np.geomspace(1e-5, 3.0, 200)))
    price, value = integrate(margins, arrivals, lives, discount=0.0)
    terms = [(arrivals * 3.0 / math.e) ** i / math.factorial(i) for i in range(SEATS_MOST + 1)]
    exact = np.log(np.cumsum(terms, axis=0))
    assert np.allclose(value[:, -1], exact[1:], rtol=2e-4)
    assert np.allclose(price[:, -1], 1.0 + np.diff(exact, axis=0), rtol=2e-4)


def test_a_narrow_spread_sells_to_all_who_come() -> None:
    # Valuations nearly alike leave nothing to search for: one seat is worth a discounted first
    # arrival, ratio / (1 + ratio), a little less for the spread.
    table = solve(SIGMA_LEAST)
    for column in (20, 30, 40):
        ratio = table.ratios[column]
        assert 0.6 < table.value[0, -1, column] * (1 + ratio) / ratio < 1.6


def test_a_table_for_a_spread_out_of_bounds_is_that_of_the_bound() -> None:
    assert np.array_equal(table_for(0.01).price, table_for(SIGMA_LEAST).price)
    assert np.array_equal(table_for(9.0).price, table_for(SIGMA_MOST).price)
