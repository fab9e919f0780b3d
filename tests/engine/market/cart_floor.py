"""A `CartBook` driven step by step beside carts written as simply as can be."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import NamedTuple

from engine.market.buyer_events import BuyerEvent
from engine.market.cart import TIMER_SLACK, CartBook, HeldLead, Reminder
from engine.market.instant import rfc3339

MINUTE = 60_000_000
START = 1_800_000_000_000_000
REMINDERS = (10, 1)
USERS = ("ann", "bob", "cyd")
LEADS = ("lead-1", "lead-2", "lead-3", "lead-4")
TERMS = (1, 5, 10, 11, 15, 60)
STEPS = (
    *("hold", "hold", "extend", "end", "expire", "miss"),
    *("wait", "wait", "tell", "look", "reload"),
)


@dataclass
class NaiveHold:
    """`since` is the earliest that anybody said the hold began; `given` in minutes."""

    held: HeldLead
    since: int
    given: list[int] = field(default_factory=list)


class Step(NamedTuple):
    kind: str
    user: int
    lead: int
    a: int


class NaiveCarts:
    """Every hold looked at each time, and no timers."""

    def __init__(self) -> None:
        self.holds: dict[tuple[str, str], NaiveHold] = {}

    def put(self, user: str, held: HeldLead, now: int, since: int) -> None:
        if held.held_until <= now:
            self.holds.pop((user, held.lead_id), None)
            return
        known = self.holds.get((user, held.lead_id))
        if known is not None and known.held.held_until == held.held_until:
            known.held, known.since = held, min(known.since, since)
        else:
            self.holds[user, held.lead_id] = NaiveHold(held, since)

    def due(self, now: int) -> list[Reminder]:
        found = []
        for (user, lead), hold in list(self.holds.items()):
            until = hold.held.held_until
            if until <= now:
                del self.holds[user, lead]
                continue
            missed = [m for m in REMINDERS if hold.since < until - m * MINUTE <= now]
            if missed and min(missed) < min(hold.given, default=2**30):
                hold.given.append(min(missed))
                found.append(Reminder(user, hold.held, min(missed)))
        return found

    def cart(self, user: str, now: int) -> list[HeldLead]:
        held = [hold.held for (owner, _), hold in self.holds.items() if owner == user]
        return sorted(
            (each for each in held if each.held_until > now),
            key=lambda each: (each.held_until, each.lead_id),
        )


class CartFloor:
    """Plays steps, compares after each. `told` are (user, lead, until, minutes) given so far."""

    def __init__(self, make_book: type[CartBook] = CartBook) -> None:
        self.now = START
        self.make_book = make_book
        self.book = make_book(REMINDERS)
        self.naive = NaiveCarts()
        # What the tables say: (user, lead) -> (held, held_at).
        self.seats: dict[tuple[str, str], tuple[HeldLead, int]] = {}
        self.told: set[tuple[str, str, int, int]] = set()

    def step(self, step: Step) -> None:
        user, lead = USERS[step.user % len(USERS)], LEADS[step.lead % len(LEADS)]
        getattr(self, f"_{step.kind}")(user, lead, step.a)
        self._compare()

    # --- steps ---------------------------------------------------------------------

    def _hold(self, user: str, lead: str, a: int) -> None:
        if (user, lead) not in self.seats:
            # From a first hold of some time ago, so that a part of the term is gone.
            until = self.now + TERMS[a % len(TERMS)] * MINUTE - (a % 3) * 17_000_000
            self._enter("hold.started", user, lead, until, self.now)

    def _extend(self, user: str, lead: str, a: int) -> None:
        if (user, lead) in self.seats:
            held, since = self.seats[user, lead]
            until = held.held_until + TERMS[a % len(TERMS)] * MINUTE
            self._enter("hold.extended", user, lead, until, since)

    def _enter(self, type_: str, user: str, lead: str, until: int, held_at: int) -> None:
        held = HeldLead(lead, "austin", 25, "15m", until)
        self.seats[user, lead] = (held, held_at)
        body = {
            "market": held.market,
            "lead_id": lead,
            "price": held.price,
            "hold": held.hold,
            "held_until": rfc3339(until),
        }
        self.book.apply(BuyerEvent(user, type_, body), self.now)  # type: ignore[arg-type]
        self.naive.put(user, held, self.now, self.now)

    def _end(self, user: str, lead: str, a: int) -> None:
        if self.seats.pop((user, lead), None) is not None:
            self._say_ended("hold.ended", user, lead)

    def _miss(self, user: str, lead: str, a: int) -> None:
        """A hold ends or begins, and nobody says so."""
        if self.seats.pop((user, lead), None) is None:
            until = self.now + TERMS[a % len(TERMS)] * MINUTE
            self.seats[user, lead] = (HeldLead(lead, "austin", 25, "15m", until), self.now)

    def _expire(self, user: str, lead: str, a: int) -> None:
        for owner, held_lead in list(self.seats):
            if self.seats[owner, held_lead][0].held_until <= self.now:
                del self.seats[owner, held_lead]
                self._say_ended("hold.expired", owner, held_lead)

    def _say_ended(self, type_: str, user: str, lead: str) -> None:
        body = {"market": "austin", "lead_id": lead, "reason": "released"}
        self.book.apply(BuyerEvent(user, type_, body), self.now)  # type: ignore[arg-type]
        self.naive.holds.pop((user, lead), None)

    def _wait(self, user: str, lead: str, a: int) -> None:
        """To the very moment of a timer, just before it or after, or just on."""
        instants = sorted(
            held.held_until - ahead * MINUTE
            for held, _ in self.seats.values()
            for ahead in (*REMINDERS, 0)
            if held.held_until - ahead * MINUTE > self.now
        )
        if instants and a % 4:
            self.now = max(self.now, instants[a % len(instants)] + a % 3 - 1)
        else:
            self.now += a * 10_000_000

    def _tell(self, user: str, lead: str, a: int) -> None:
        expected = sorted(self.naive.due(self.now), key=_whose)
        reminders = list(self.book.due(self.now))
        assert sorted(reminders, key=_whose) == expected
        for reminder in reminders:
            assert self.book.is_nearest(reminder, self.now)
            key = (
                reminder.user_id,
                reminder.held.lead_id,
                reminder.held.held_until,
                reminder.minutes,
            )
            assert key not in self.told, "told twice"
            self.told.add(key)

    def _look(self, user: str, lead: str, a: int) -> None:
        """The tables are read again, for one buyer or for a page of all."""
        if a % 2:
            mine = [(h, at) for (owner, _), (h, at) in self.seats.items() if owner == user]
            self.book.replace(user, mine, self.now)
            listed = {held.lead_id for held, _ in mine}
            for owner, held_lead in list(self.naive.holds):
                if owner == user and held_lead not in listed:
                    del self.naive.holds[owner, held_lead]
            for held, since in mine:
                self.naive.put(user, held, self.now, since)
            return
        for (owner, _), (held, since) in self.seats.items():
            self.book.put(owner, held, self.now, since=since)
            self.naive.put(owner, held, self.now, since)

    def _reload(self, user: str, lead: str, a: int) -> None:
        """Another process has the carts now; who was told what stands in a table."""
        if a % 3 == 0:
            self.book.forget(user)
            for pair in [pair for pair in self.naive.holds if pair[0] == user]:
                del self.naive.holds[pair]
            self.told = {key for key in self.told if key[0] != user}
        elif a % 3 == 1:
            self.book, self.naive = self.make_book(REMINDERS), NaiveCarts()
            self.told.clear()
            self._look(user, lead, 0)

    # --- what must hold --------------------------------------------------------------

    def _compare(self) -> None:
        for user in USERS:
            cart = self.book.cart(user, self.now)
            assert list(cart.holds) == self.naive.cart(user, self.now)
        holds = {pair for pair, hold in self.naive.holds.items() if hold.held.held_until > self.now}
        assert len(holds) <= self.book.holds
        assert {user for user, _ in holds} <= set(self.book.users())
        assert self.book.timers <= 2 * self.book.holds + TIMER_SLACK
        following = self.book.next_due()
        for hold in (self.naive.holds[pair] for pair in holds):
            assert following is not None, "a hold without a timer"
            assert following <= self._next_of(hold)

    def _next_of(self, hold: NaiveHold) -> int:
        instants = [hold.held.held_until - m * MINUTE for m in REMINDERS]
        ahead = [each for each in instants if each > self.now]
        return min(ahead, default=hold.held.held_until)


def _whose(reminder: Reminder) -> tuple[str, str]:
    return reminder.user_id, reminder.held.lead_id


def random_steps(rng: random.Random, count: int) -> list[Step]:
    return [
        Step(rng.choice(STEPS), rng.randrange(3), rng.randrange(4), rng.randrange(24))
        for _ in range(count)
    ]
