"""When a seat is to be expected, beside a simulation of the line."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.market.expected_seat import expected_at

OFFER = 300


def test_the_first_in_line_waits_for_the_earliest_deadline() -> None:
    assert expected_at([900, 500], 1, OFFER, 0) == 500
    assert expected_at([900, 500], 2, OFFER, 0) == 800
    assert expected_at([900, 500], 3, OFFER, 0) == 900


def test_without_a_seat_to_come_free_nothing_is_expected() -> None:
    assert expected_at([], 1, OFFER, 0) is None


def test_a_deadline_that_has_passed_is_now() -> None:
    assert expected_at([100], 1, OFFER, 700) == 700
    assert expected_at([100], 2, OFFER, 700) == 1000


@given(
    st.lists(st.integers(0, 2_000), min_size=1, max_size=4),
    st.integers(1, 12),
    st.integers(1, 400),
    st.integers(0, 1_000),
)
def test_it_is_when_a_line_that_lets_every_offer_lapse_gets_there(
    deadlines: list[int], position: int, offer: int, now: int
) -> None:
    """Instant by instant: a seat that ends goes to the next in line, for as long as an offer."""
    ends, served, at = list(deadlines), 0, now
    while served < position:
        for seat, end in enumerate(ends):
            if end <= at and served < position:
                served += 1
                ends[seat] = at + offer
        at += 1
    assert expected_at(deadlines, position, offer, now) == at - 1
