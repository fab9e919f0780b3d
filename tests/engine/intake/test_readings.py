"""Cells say a value or nothing; nothing is invented."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.intake.readings import (
    bathrooms_of,
    coordinates_of,
    moment_of,
    number_of,
    postal_code_of,
    price_of,
    rfc3339,
    state_of,
    text_of,
    whole_of,
)


@pytest.mark.parametrize("cell", [None, "", " ", "NA", "N/A", "nan", "NaN", "null", float("nan")])
def test_absence_in_any_writing(cell: object) -> None:
    assert text_of(cell) is None
    assert number_of(cell) is None


@pytest.mark.parametrize(
    ("cell", "value"),
    [("$1,295,000", 1_295_000), ("400000.0", 400_000), (1375.0, 1375), (795000, 795_000),
     ("0", None), ("-5", None), ("call", None), ("inf", None), (True, None), ("1e3", 1000),
     ("9" * 400, None)],
)  # fmt: skip
def test_prices(cell: object, value: int | None) -> None:
    assert price_of(cell) == value


def test_half_baths_count_as_rooms() -> None:
    assert bathrooms_of("2.5") == (3, 2.5)
    assert bathrooms_of(2) == (2, 2.0)
    assert bathrooms_of("shared") == (None, None)


def test_places() -> None:
    assert coordinates_of("32.9", "-96.8") == (32.9, -96.8)
    assert coordinates_of("0", "0") == (None, None)
    assert coordinates_of("32.9", "") == (None, None)
    assert coordinates_of("132.9", "0") == (None, None)
    assert postal_code_of("75252.0") == "75252"
    assert postal_code_of("75252-1234") == "75252"
    assert postal_code_of("7525") is None
    assert state_of(" tx ") == "TX"
    assert state_of("Texas") is None


def test_moments() -> None:
    assert rfc3339(moment_of("2022-07-01T15:31:46-0500")) == "2022-07-01T20:31:46Z"
    assert rfc3339(moment_of("2026-05-05 17:13")) == "2026-05-05T17:13:00Z"
    assert rfc3339(moment_of("May-27-2026")) == "2026-05-27T00:00:00Z"
    assert rfc3339(moment_of("2026-05-03T23:14:52Z")) == "2026-05-03T23:14:52Z"
    assert moment_of("0001-01-01T00:00:00+10:00") is None
    assert moment_of("soon") is None


@given(st.one_of(st.text(max_size=40), st.floats(), st.integers(), st.none()))
def test_any_cell_is_taken(cell: object) -> None:
    for read in (text_of, number_of, price_of, bathrooms_of, postal_code_of, moment_of):
        read(cell)
    whole = whole_of(cell, 0, 10)
    assert whole is None or 0 <= whole <= 10
