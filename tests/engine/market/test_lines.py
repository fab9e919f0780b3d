"""A place in line at its edges, one by one."""

from __future__ import annotations

import pytest

from engine.market import commands as c
from engine.market.answers import Done, Queued
from tests.engine.market.small_market import SmallMarket, listing


def held() -> SmallMarket:
    """A market with one lead, which ann holds."""
    market = SmallMarket()
    market.send(listing(), c.Hold("lead", "ann", "15m"))
    return market


def test_who_leaves_and_comes_back_at_once_stands_at_the_end() -> None:
    """And gives up the old place, which the tables have, before taking the new one."""
    market = held()
    market.send(c.Join("lead", "bob"), c.Join("lead", "cyd"))
    outcome = market.send(c.Leave("lead", "bob"), c.Join("lead", "bob"))
    assert outcome.replies == [Done(), Queued("lead", 2, 2)]
    assert outcome.left == {("lead", "bob")}
    assert outcome.joined == {("lead", "bob"): market.position}


def test_a_place_taken_and_left_in_one_batch_is_none() -> None:
    outcome = held().send(c.Join("lead", "bob"), c.Leave("lead", "bob"))
    assert outcome.replies == [Queued("lead", 1, 1), Done()]
    assert not outcome.joined


@pytest.mark.parametrize("waiting", [99, 100])
def test_a_line_has_a_hundred_places(waiting: int) -> None:
    market = held()
    for number in range(waiting):
        assert market.say(c.Join("lead", f"user-{number}")) == Queued(
            "lead", number + 1, number + 1
        )
    answer = market.say(c.Join("lead", "bob"))
    assert getattr(answer, "code", None) == (None if waiting < 100 else "queue-full")
