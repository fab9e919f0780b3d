"""Random histories of a market: whatever is asked, and whenever, the book stays right."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.market.fingerprint import fingerprint
from tests.engine.market.history import (
    KINDS,
    LEADS,
    OPENING,
    USERS,
    WAITS,
    Ask,
    Step,
    random_history,
)
from tests.engine.market.trading_floor import TradingFloor, refold

asks = st.builds(
    Ask,
    st.sampled_from(sorted(set(KINDS))),
    st.integers(0, len(LEADS) - 1),
    st.integers(0, len(USERS) - 1),
    st.integers(0, 7),
    st.integers(0, 7),
)
steps = st.builds(
    Step,
    st.sampled_from(sorted(set(WAITS))),
    st.integers(0, 39),
    st.sampled_from((-1, 0, 1)),
    st.lists(asks, max_size=4).map(tuple),
)
# Thousands of histories come from seeds; hypothesis finds the corners and shrinks.
SWEEP = [range(start, start + 250) for start in range(0, 2_000, 250)]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(steps, max_size=25))
def test_every_history_keeps_every_rule(history: list[Step]) -> None:
    TradingFloor().play([OPENING, *history])


@pytest.mark.parametrize("seeds", SWEEP, ids=str)
def test_thousands_of_seeded_histories(seeds: range) -> None:
    said: set[str] = set()
    for seed in seeds:
        floor = TradingFloor().play(random_history(random.Random(seed), 30))
        said |= {getattr(reply, "code", type(reply).__name__) for reply in floor.replies}
    # The histories reach what they are meant to reach.
    assert said >= {
        "Bought", "Held", "Done", "not-found", "lead-unavailable", "already-bought",
        "already-held", "hold-expired", "hold-limit", "price-changed", "not-in-cart",
        "plan-required", "insufficient-credits", "forbidden", "validation",
        "idempotency-mismatch",
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_the_same_history_comes_to_the_same(seed: int) -> None:
    history = random_history(random.Random(seed), 60)
    first, again = TradingFloor().play(history), TradingFloor().play(history)
    assert first.replies == again.replies
    assert first.journal == again.journal
    assert fingerprint(first.book, first.now) == fingerprint(again.book, again.now)


@pytest.mark.parametrize("seed", range(20))
def test_the_fold_of_the_journal_is_the_book(seed: int) -> None:
    floor = TradingFloor().play(random_history(random.Random(seed), 60))
    folded = refold(floor.journal)
    assert fingerprint(folded, floor.now) == fingerprint(floor.book, floor.now)
    # Forgetting what is over changes nothing that can be seen.
    floor.book.forget_past(floor.now)
    assert fingerprint(folded, floor.now) == fingerprint(floor.book, floor.now)
    # A folded book goes on exactly as the one that lived through it.
    floor.shadow = folded
    floor.play(random_history(random.Random(seed + 1), 20)[1:])
