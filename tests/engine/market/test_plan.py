"""Plans: terms, discounts, and configuration that says what is wrong with it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.market.plan import Plan, all_terms, load_plans, parse_plans, term_us

GOOD = '[plan.basic]\nterms = ["15m"]\nholds_max = 3\ndiscount_percent = 0\n'
SECOND = 1_000_000


def test_the_published_plans() -> None:
    plans = load_plans()
    terms = {name: list(plan.terms_us) for name, plan in plans.items()}
    assert terms == {
        "basic": ["15m"],
        "pro": ["15m", "24h", "3d"],
        "enterprise": ["15m", "24h", "3d", "7d"],
    }
    assert plans["enterprise"].longest_us == 7 * 86_400 * SECOND
    assert all_terms(plans) == ["15m", "24h", "3d", "7d"]


@pytest.mark.parametrize(
    ("term", "seconds"), [("15m", 900), ("24h", 86_400), ("3d", 259_200), ("1m", 60)]
)
def test_a_term_is_so_long(term: str, seconds: int) -> None:
    assert term_us(term) == seconds * SECOND


@pytest.mark.parametrize(
    "term", ["", "15", "m", "0m", "-1h", "1.5h", "15 m", "15M", "99999d", "1h\n"]
)
def test_another_form_is_no_term(term: str) -> None:
    with pytest.raises(ValueError, match="hold term"):
        term_us(term)


@given(st.integers(0, 10**15), st.integers(0, 100))
def test_a_discount_rounds_down_and_never_below_nothing(price: int, percent: int) -> None:
    paid = Plan("any", {}, 0, 1, percent).discounted(price)
    assert 0 <= paid <= price
    assert paid * 100 <= price * (100 - percent) < (paid + 1) * 100


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "plan.basic"),
        ("plan = 3", "plan"),
        ("[plan]\nbasic = 3", "plan basic"),
        ("[plan.basic", "plans"),
        (GOOD.replace('["15m"]', "[]"), "plan basic: terms"),
        (GOOD.replace('["15m"]', '"15m"'), "plan basic: terms"),
        (GOOD.replace('["15m"]', "[15]"), "plan basic: .*15"),
        (GOOD.replace("15m", "quarter"), "plan basic: .*quarter"),
        (GOOD.replace("holds_max = 3", "holds_max = 0"), "plan basic: holds_max"),
        (GOOD.replace("holds_max = 3", "holds_max = true"), "plan basic: holds_max"),
        (GOOD.replace("holds_max = 3", ""), "plan basic: holds_max"),
        (GOOD.replace("percent = 0", "percent = 101"), "plan basic: discount_percent"),
        (GOOD.replace("percent = 0", "percent = 1.5"), "plan basic: discount_percent"),
        (GOOD + "seats = 4", "plan basic: .*seats"),
    ],
)
def test_bad_plans_name_what_is_wrong(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_plans(text)
