"""The book beside the naive market, driven rule by rule, so that a difference shrinks well."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from engine.market.fingerprint import fingerprint
from tests.engine.market.history import LEADS, OPENING, USERS, WAITS, Ask, Step
from tests.engine.market.trading_floor import TradingFloor, refold

leads = st.integers(0, len(LEADS) - 1)
users = st.integers(0, len(USERS) - 1)
numbers = st.integers(0, 7)
SETTINGS = settings(max_examples=40, stateful_step_count=30, deadline=None)


class FairTradingMachine(RuleBasedStateMachine):
    """What every machine has: time, repeats, restarts, and what the operator does."""

    def __init__(self) -> None:
        super().__init__()
        self.floor = TradingFloor()

    @initialize(number=st.integers(0, 5))
    def open_the_market(self, number: int) -> None:
        self.floor = TradingFloor(number=number)
        self.floor.step(OPENING)

    def ask(self, kind: str, lead: int = 0, user: int = 0, a: int = 0, b: int = 0) -> None:
        self.floor.step(Step("none", 0, 0, (Ask(kind, lead, user, a, b),)))

    @rule(
        wait=st.sampled_from(sorted(set(WAITS))),
        amount=st.integers(0, 10),
        offset=st.sampled_from((-1, 0, 1)),
    )
    def time_passes(self, wait: str, amount: int, offset: int) -> None:
        self.floor.step(Step(wait, amount, offset, ()))

    @rule(kind=st.sampled_from(("repeat", "mismatch")), a=numbers, b=numbers)
    def somebody_asks_again(self, kind: str, a: int, b: int) -> None:
        self.ask(kind, a=a, b=b)

    @rule(
        kind=st.sampled_from(("list", "withdraw", "merge", "quarantine", "approve", "relist")),
        lead=leads,
        a=numbers,
        b=numbers,
    )
    def the_operator_moves_a_lead(self, kind: str, lead: int, a: int, b: int) -> None:
        self.ask(kind, lead, 0, a, b)

    @rule(
        kind=st.sampled_from(("credits", "plan", "suspend", "elsewhere")),
        user=users,
        a=numbers,
        b=numbers,
    )
    def something_happens_to_a_buyer(self, kind: str, user: int, a: int, b: int) -> None:
        self.ask(kind, 0, user, a, b)

    @rule()
    def another_book_takes_over(self) -> None:
        self.ask("restart")

    @invariant()
    def the_journal_tells_the_state(self) -> None:
        floor = self.floor
        assert fingerprint(refold(floor), floor.now) == fingerprint(floor.book, floor.now)


class HoldsAndLines(FairTradingMachine):
    @rule(
        kind=st.sampled_from(("hold", "extend", "release", "buy", "cart_buy")),
        lead=leads,
        user=users,
        a=numbers,
        b=numbers,
    )
    def a_buyer_trades(self, kind: str, lead: int, user: int, a: int, b: int) -> None:
        self.ask(kind, lead, user, a, b)

    @rule(
        kind=st.sampled_from(("join", "accept", "leave")),
        lead=leads,
        user=users,
        a=numbers,
        b=numbers,
    )
    def a_buyer_waits(self, kind: str, lead: int, user: int, a: int, b: int) -> None:
        self.ask(kind, lead, user, a, b)


class ClaimsAndStandingOrders(FairTradingMachine):
    @rule(
        kind=st.sampled_from(("premiere", "rush", "buy", "hold", "release")),
        lead=leads,
        user=users,
        a=numbers,
        b=numbers,
    )
    def buyers_claim(self, kind: str, lead: int, user: int, a: int, b: int) -> None:
        self.ask(kind, lead, user, a, b)

    @rule(
        kind=st.sampled_from(("place", "place", "change", "cancel")),
        lead=leads,
        user=users,
        a=numbers,
        b=numbers,
    )
    def a_buyer_keeps_a_standing_order(
        self, kind: str, lead: int, user: int, a: int, b: int
    ) -> None:
        self.ask(kind, lead, user, a, b)

    @rule(kind=st.sampled_from(("reprice", "update")), lead=leads, a=numbers, b=numbers)
    def the_market_moves(self, kind: str, lead: int, a: int, b: int) -> None:
        self.ask(kind, lead, 0, a, b)


HoldsAndLines.TestCase.settings = SETTINGS
ClaimsAndStandingOrders.TestCase.settings = SETTINGS
TestHoldsAndLines = HoldsAndLines.TestCase
TestClaimsAndStandingOrders = ClaimsAndStandingOrders.TestCase
