"""Random histories of a market: whatever is asked, and whenever, the book stays right."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.market import events as e
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
# Hundreds of histories come from seeds; hypothesis finds the corners and shrinks.
SWEEP = [range(start, start + 200) for start in range(0, 800, 200)]
EVERY_EVENT = {each.__name__ for each in e.Event.__args__}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 5), st.lists(steps, max_size=25))
def test_every_history_keeps_every_rule(number: int, history: list[Step]) -> None:
    TradingFloor(number=number).play([OPENING, *history])


@pytest.mark.parametrize("seeds", SWEEP, ids=str)
def test_hundreds_of_seeded_histories(seeds: range) -> None:
    said: set[str] = set()
    happened: set[str] = set()
    for seed in seeds:
        floor = TradingFloor(number=seed).play(random_history(random.Random(seed), 30))
        said |= {getattr(reply, "code", type(reply).__name__) for reply in floor.replies}
        happened |= {type(entry.event).__name__ for entry, _ in floor.journal}
    # The histories reach what they are meant to reach.
    assert said >= {
        "Bought", "Held", "Done", "Queued", "StandingKept", "Claimed", "not-found",
        "lead-unavailable", "already-bought", "already-held", "hold-expired", "hold-limit",
        "price-changed", "not-in-cart", "plan-required", "insufficient-credits",
        "seat-available", "already-queued", "not-queued", "standing-order-limit",
        "changed-meanwhile", "forbidden", "validation", "idempotency-mismatch",
    }  # fmt: skip
    assert happened == EVERY_EVENT


@pytest.mark.parametrize("seed", range(20))
def test_the_same_history_comes_to_the_same(seed: int) -> None:
    history = random_history(random.Random(seed), 60)
    first, again = (TradingFloor(number=seed).play(history) for _ in range(2))
    assert first.replies == again.replies
    assert first.journal == again.journal
    assert fingerprint(first.book, first.now) == fingerprint(again.book, again.now)


@pytest.mark.parametrize("seed", range(20))
def test_the_fold_of_the_journal_is_the_book(seed: int) -> None:
    floor = TradingFloor(number=seed).play(random_history(random.Random(seed), 60))
    folded = refold(floor)
    assert fingerprint(folded, floor.now) == fingerprint(floor.book, floor.now)
    # Forgetting what is over changes nothing that can be seen.
    floor.book.forget_past(floor.now)
    assert fingerprint(folded, floor.now) == fingerprint(floor.book, floor.now)
    # A folded book goes on exactly as the one that lived through it.
    floor.shadow = folded
    floor.play(random_history(random.Random(seed + 1), 20)[1:])
