"""Carts and their timers beside carts without any; mutants that must not go unseen."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from engine.market.cart import TIMER_SLACK, CartBook, HeldLead, Reminder
from engine.market.cart_shards import shard_of
from tests.engine.market.cart_floor import MINUTE, START, STEPS, CartFloor, Step, random_steps

numbers = st.integers(0, 23)


class CartMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.floor = CartFloor()

    @rule(kind=st.sampled_from(sorted(set(STEPS))), user=numbers, lead=numbers, a=numbers)
    def something_happens(self, kind: str, user: int, lead: int, a: int) -> None:
        self.floor.step(Step(kind, user, lead, a))

    @rule(a=numbers)
    def time_passes_and_reminders_go_out(self, a: int) -> None:
        self.floor.step(Step("wait", 0, 0, a))
        self.floor.step(Step("tell", 0, 0, 0))


CartMachine.TestCase.settings = settings(
    max_examples=80, stateful_step_count=40, deadline=None, derandomize=False
)
TestCartMachine = CartMachine.TestCase


# --- mutants -------------------------------------------------------------------------


class NeverReminds(CartBook):
    def due(self, now: int) -> Iterator[Reminder]:
        list(super().due(now))
        return iter(())


class RemindsTooEarly(CartBook):
    def due(self, now: int) -> Iterator[Reminder]:
        return super().due(now + 1)


class RemindsTooLate(CartBook):
    def due(self, now: int) -> Iterator[Reminder]:
        return super().due(now - 1)


class RemindsTwice(CartBook):
    def due(self, now: int) -> Iterator[Reminder]:
        for reminder in super().due(now):
            yield reminder
            yield reminder


class RemindsOnlyOnce(CartBook):
    def _around(self, until: int, now: int) -> tuple[int, int]:
        last, following = super()._around(until, now)
        return last, following if last == 2**62 else until


class RemindsOfTheDead(CartBook):
    def end(self, user_id: str, lead_id: str) -> None:
        pass


class RemindsOfTheFarthest(CartBook):
    def _around(self, until: int, now: int) -> tuple[int, int]:
        last, following = super()._around(until, now)
        return last if last == 2**62 else max(self._ahead_us), following


class RemindsOfShortHolds(CartBook):
    def put(self, user_id: str, held: HeldLead, now: int, *, since: int) -> None:
        super().put(user_id, held, now, since=0)


class ForgetsWhatItMissed(CartBook):
    def put(self, user_id: str, held: HeldLead, now: int, *, since: int) -> None:
        super().put(user_id, held, now, since=now)


class ForgetsWhatItTold(CartBook):
    def put(self, user_id: str, held: HeldLead, now: int, *, since: int) -> None:
        known = self._find(user_id, held.lead_id)
        if known is not None:
            known.told = 2**62
        super().put(user_id, held, now, since=since)


class KeepsTheOldDeadline(CartBook):
    def put(self, user_id: str, held: HeldLead, now: int, *, since: int) -> None:
        if self._find(user_id, held.lead_id) is None:
            super().put(user_id, held, now, since=since)


class OneHoldPerBuyer(CartBook):
    def put(self, user_id: str, held: HeldLead, now: int, *, since: int) -> None:
        for timer in list(self._of(user_id)):
            if timer.lead_id != held.lead_id:
                self._end(timer)
        super().put(user_id, held, now, since=since)


class DropsTheWholeCart(CartBook):
    def end(self, user_id: str, lead_id: str) -> None:
        self.forget(user_id)


class MiscountsHolds(CartBook):
    def end(self, user_id: str, lead_id: str) -> None:
        super().end(user_id, lead_id)
        self.holds -= 1


class ReplaceOnlyAdds(CartBook):
    def replace(self, user_id, holds, now):  # type: ignore[no-untyped-def]
        for held, since in holds:
            self.put(user_id, held, now, since=since)


class ShowsWhatIsOver(CartBook):
    def cart(self, user_id, now):  # type: ignore[no-untyped-def]
        return super().cart(user_id, now - MINUTE)


MUTANTS = [
    each
    for each in list(globals().values())
    if isinstance(each, type) and CartBook in each.__bases__
]


def play(make_book: type[CartBook], seeds: int) -> None:
    for seed in range(seeds):
        floor = CartFloor(make_book)
        for step in random_steps(random.Random(seed), 60):
            floor.step(step)


def test_histories_agree() -> None:
    play(CartBook, 300)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_the_comparison_catches(mutant: type[CartBook]) -> None:
    with pytest.raises((AssertionError, KeyError)):
        play(mutant, 300)


# --- bounds and shards ---------------------------------------------------------------


def test_timers_of_ended_holds_are_dropped() -> None:
    book = CartBook((10, 1))
    rounds = 3 * TIMER_SLACK
    for number in range(rounds):
        held = HeldLead(f"lead-{number}", "austin", 10, "15m", START + 15 * MINUTE + number)
        book.put(f"user-{number}", held, START, since=START)
        if number % 50:
            book.end(f"user-{number}", held.lead_id)
        assert book.timers <= 2 * book.holds + TIMER_SLACK
    told = [each.user_id for each in book.due(START + 6 * MINUTE)]
    assert told == [f"user-{number}" for number in range(0, rounds, 50)]
    assert list(book.due(START + 16 * MINUTE)) == []
    assert (book.carts, book.holds, book.timers) == (0, 0, 0)


def test_a_hold_as_long_as_a_reminder_is_ahead_gets_none_of_it() -> None:
    book = CartBook((10, 1))
    for minutes in (9, 10, 11):
        held = HeldLead(f"lead-{minutes}", "austin", 10, "x", START + minutes * MINUTE)
        book.put("ann", held, START, since=START)
    told = [(each.held.lead_id, each.minutes) for each in book.due(START + 8 * MINUTE)]
    assert told == [("lead-11", 10), ("lead-9", 1)]


def test_shards_are_even_and_few_carts_move() -> None:
    users = [f"user-{number}" for number in range(20_000)]
    for count in (1, 2, 3, 7, 64):
        sizes = Counter(shard_of(user, count) for user in users)
        assert set(sizes) == set(range(count))
        assert max(sizes.values()) < 1.3 * len(users) / count
        moved = [user for user in users if shard_of(user, count) != shard_of(user, count + 1)]
        assert {shard_of(user, count + 1) for user in moved} == {count}
        assert len(moved) < 1.3 * len(users) / (count + 1)


def test_shards_stay_where_they_are() -> None:
    """Between versions and machines: another hash would move everybody."""
    assert [shard_of(f"user-{number}", 8) for number in range(6)] == [0, 4, 4, 3, 4, 7]
