"""The public place tells the neighbourhood, not the door."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.intake.grid import round_point

PLACES = st.tuples(st.floats(-85, 85), st.floats(-179.9, 179.9))


@given(PLACES)
def test_a_point_lies_within_about_142_metres(place: tuple[float, float]) -> None:
    latitude, longitude = round_point(*place)
    north = (latitude - place[0]) * 111_320
    east = (longitude - place[1]) * 111_320 * math.cos(math.radians(place[0]))
    assert math.hypot(north, east) < 145


@given(PLACES)
def test_a_grid_point_gives_itself(place: tuple[float, float]) -> None:
    point = round_point(*place)
    assert round_point(*point) == point


@pytest.mark.parametrize("place", [(91.0, 0.0), (0.0, -181.0), (math.nan, 0.0)])
def test_what_is_not_on_the_globe_is_refused(place: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="no place"):
        round_point(*place)


def test_poles_are_places() -> None:
    assert round_point(90, 0)[0] == 90
