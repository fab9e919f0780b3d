from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.intake.schedule import PERIODS_US, Every, first_run_us, next_run_us, retry_us

HOUR_US = PERIODS_US["hourly"]
NOW_US = 1_790_000_000_000_000
chances = st.floats(0, 1, exclude_max=True)
everies = st.sampled_from(("hourly", "daily"))
moments = st.integers(0, 2 * NOW_US)


@given(now_us=moments, chance=chances, every=everies)
def test_a_turn_is_half_a_period_to_one_and_a_half_away(
    now_us: int, chance: float, every: Every
) -> None:
    turn = next_run_us("craigslist", "austin", every, now_us=now_us, chance=chance)
    period = PERIODS_US[every]
    assert period // 2 <= turn - now_us <= 1.55 * period


@given(now_us=moments, chance=chances, every=everies)
def test_the_first_turn_comes_within_a_period(now_us: int, chance: float, every: Every) -> None:
    turn = first_run_us("craigslist", "austin", every, now_us=now_us, chance=chance)
    assert 0 <= turn - now_us <= 1.05 * PERIODS_US[every]


def test_a_source_keeps_its_own_time_of_the_period() -> None:
    turn = next_run_us("zillow", "dallas", "hourly", now_us=NOW_US, chance=0.5)
    for _ in range(50):
        later = next_run_us("zillow", "dallas", "hourly", now_us=turn + 60_000_000, chance=0.5)
        assert later - turn == HOUR_US
        turn = later


def test_sources_are_spread_over_the_period() -> None:
    turns = {
        (source, market): next_run_us(source, market, "hourly", now_us=NOW_US, chance=0.5)
        for source in ("craigslist", "zillow", "redfin", "fsbo", "mls", "realtor")
        for market in ("austin", "dallas", "phoenix", "las-vegas")
    }
    assert len(set(turns.values())) == len(turns)
    quarters = {turn % HOUR_US * 4 // HOUR_US for turn in turns.values()}
    assert quarters == {0, 1, 2, 3}


def test_failures_wait_longer_each_time_but_no_longer_than_a_period() -> None:
    waits = [retry_us(n, "hourly", now_us=0, chance=0.5) / 1e6 for n in range(1, 9)]
    assert waits[:4] == [300, 600, 1200, 2400]
    assert set(waits[4:]) == {3600}
    assert retry_us(10_000, "daily", now_us=0, chance=0.0) == 0.75 * PERIODS_US["daily"]


@given(failures=st.integers(1, 100), one=chances, other=chances)
def test_two_sources_that_failed_together_are_not_tried_together(
    failures: int, one: float, other: float
) -> None:
    turns = [retry_us(failures, "daily", now_us=0, chance=chance) for chance in (one, other)]
    assert (turns[0] < turns[1]) <= (one < other)
