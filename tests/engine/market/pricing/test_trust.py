"""What can be had for nothing counts for nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.market.pricing.trust import AGED_US, DAY_US, PAID_ENOUGH, Accounts

NOW = 10_000 * DAY_US


def known(age_days: float, paid: int) -> Accounts:
    accounts = Accounts()
    accounts.know({"ann": NOW - int(age_days * DAY_US)})
    for _ in range(paid):
        accounts.paid("ann")
    return accounts


def test_strangers_new_ones_and_those_who_never_paid_count_for_nothing() -> None:
    assert Accounts().weigh("ann", 1, NOW) == 0
    assert known(0.9, 50).weigh("ann", 1, NOW) == 0
    assert known(5_000, 0).weigh("ann", 1, NOW) == 0
    assert known(5_000, PAID_ENOUGH).weigh("ann", 1, NOW) == 1


@given(st.floats(0, 40), st.floats(0, 40), st.integers(0, 6), st.integers(0, 6))
def test_older_and_paying_more_never_counts_less(a: float, b: float, m: int, n: int) -> None:
    low = known(min(a, b), min(m, n)).trust("ann", NOW)
    assert 0 <= low <= known(max(a, b), max(m, n)).trust("ann", NOW) <= 1


def test_repeating_oneself_counts_less_each_time_and_is_forgotten() -> None:
    accounts = known(AGED_US / DAY_US, PAID_ENOUGH)
    weights = [accounts.weigh("ann", 1, NOW) for _ in range(50)]
    assert weights == sorted(weights, reverse=True)
    assert weights[0] == 1
    # Fifty looks count as little more than ten of different accounts.
    assert sum(weights) < 11
    assert accounts.weigh("ann", 2, NOW) == 1
    assert accounts.weigh("ann", 1, NOW + 365 * DAY_US) > 0.99


def test_half_a_trial_counts_half_and_tires_half() -> None:
    accounts = known(100, PAID_ENOUGH)
    assert accounts.weigh("ann", 1, NOW, share=0.5) == 0.5
    once = known(100, PAID_ENOUGH)
    once.weigh("ann", 1, NOW)
    assert accounts.weigh("ann", 1, NOW) > once.weigh("ann", 1, NOW)


def test_a_dump_is_the_whole() -> None:
    accounts = known(9, 2)
    accounts.weigh("ann", 1, NOW)
    again = Accounts.load(accounts.dump())
    assert again.dump() == accounts.dump()
    assert again.weigh("ann", 1, NOW) == accounts.weigh("ann", 1, NOW)
    assert again.unknown({"ann", "bob"}) == {"bob"}
