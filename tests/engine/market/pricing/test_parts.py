"""A price is its parts, to the credit, one by one or in columns, before and after being kept."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.market.pricing.parts import (
    AGE_MAX,
    BASE_MAX,
    COMMIT_HOURS,
    DEMAND_MAX,
    HOUR_US,
    RATE_SCALE,
    SEATS_MAX,
    PriceParts,
    caps_of,
    columns_of,
    committed_at_most,
    listed_parts,
    pack,
    pack_columns,
    price_of,
    prices_of,
    target_of,
    unpack,
)

credits = st.integers(0, 2**31 - 1)
parts = st.builds(
    PriceParts,
    policy=st.integers(0, 2**16 - 1),
    base=st.integers(0, BASE_MAX),
    demand=st.integers(0, DEMAND_MAX),
    age=st.integers(0, AGE_MAX),
    seats=st.integers(0, SEATS_MAX),
    previous=credits,
    step=credits,
    floor=credits,
    ceiling=credits,
    rate=st.integers(0, RATE_SCALE),
    committed=credits,
    committed_at=st.integers(0, 2**62),
)
MOST = PriceParts(1, BASE_MAX, DEMAND_MAX, AGE_MAX, SEATS_MAX, ceiling=2**31)


@given(st.lists(parts, min_size=1, max_size=20))
def test_columns_make_the_same_prices(rows: list[PriceParts]) -> None:
    assert prices_of(columns_of(rows)).tolist() == [price_of(row) for row in rows]


def test_the_largest_product_fits() -> None:
    assert prices_of(columns_of([MOST])).tolist() == [price_of(MOST)] == [8_000]


@given(parts)
def test_the_target_is_the_product_rounded_half_up(row: PriceParts) -> None:
    product = Fraction(row.base, 1_000)
    for part in (row.demand, row.age, row.seats):
        product *= Fraction(part, 10_000)
    assert target_of(row) == (product + Fraction(1, 2)).__floor__()


@given(parts)
def test_no_price_steps_further_than_it_may(row: PriceParts) -> None:
    price = price_of(row)
    assert price >= 1
    if row.previous:
        assert abs(price - row.previous) <= max(row.step, 1)
    else:
        assert price == max(1, max(row.floor, min(row.ceiling, target_of(row))))


@given(st.lists(parts, max_size=10))
def test_what_is_kept_is_what_was_packed(rows: list[PriceParts]) -> None:
    assert [unpack(pack(row)) for row in rows] == rows
    assert pack_columns(columns_of(rows)) == [pack(row) for row in rows]


@pytest.mark.parametrize("packed", [b"", b"\0" * 7])
def test_what_are_no_parts_is_refused(packed: bytes) -> None:
    with pytest.raises(ValueError, match="parts of a price"):
        unpack(packed)


@given(st.integers(1, 2**31 // 1_000))
def test_a_listed_price_stands_for_itself(price: int) -> None:
    assert price_of(listed_parts(price)) == price


def test_a_listed_price_is_a_credit_at_least() -> None:
    with pytest.raises(ValueError, match="at least 1 credit"):
        listed_parts(0)


@given(parts, st.floats(0, COMMIT_HOURS, exclude_max=True))
def test_what_is_committed_falls_to_the_floor_and_ends(row: PriceParts, hours: float) -> None:
    row = row._replace(committed_at=HOUR_US)
    at = HOUR_US + int(hours * HOUR_US)
    most = committed_at_most(row, at)
    assert most is not None
    assert most >= row.floor
    assert most <= max(row.floor, row.committed)
    column = np.array([row.committed]), np.array([row.rate]), np.array([(at - HOUR_US) / HOUR_US])
    assert max(row.floor, caps_of(*column).item()) == most
    assert committed_at_most(row, HOUR_US - 1) is None
    assert committed_at_most(row, HOUR_US * (COMMIT_HOURS + 2)) is None
    assert committed_at_most(row._replace(committed_at=0), at) is None
