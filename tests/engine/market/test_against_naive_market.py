"""The book beside the naive market, driven rule by rule, so that a difference shrinks well."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from engine.market.fingerprint import fingerprint
from tests.engine.market.history import LEADS, OPENING, USERS, Ask, Step
from tests.engine.market.trading_floor import TradingFloor, refold

leads = st.integers(0, len(LEADS) - 1)
users = st.integers(0, len(USERS) - 1)
numbers = st.integers(0, 7)
buyer_kinds = st.sampled_from(("hold", "extend", "release", "buy", "cart_buy"))
operator_kinds = st.sampled_from(
    ("list", "update", "withdraw", "merge", "quarantine", "approve", "relist", "reprice")
)


class MarketMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.floor = TradingFloor()

    @initialize()
    def open_the_market(self) -> None:
        self.floor.step(OPENING)

    @rule(kind=buyer_kinds, lead=leads, user=users, a=numbers, b=numbers)
    def buyer_asks(self, kind: str, lead: int, user: int, a: int, b: int) -> None:
        self.floor.step(Step("none", 0, 0, (Ask(kind, lead, user, a, b),)))

    @rule(kind=operator_kinds, lead=leads, a=numbers, b=numbers)
    def operator_asks(self, kind: str, lead: int, a: int, b: int) -> None:
        self.floor.step(Step("none", 0, 0, (Ask(kind, lead, 0, a, b),)))

    @rule(kind=st.sampled_from(("repeat", "mismatch")), a=numbers, b=numbers)
    def somebody_asks_again(self, kind: str, a: int, b: int) -> None:
        self.floor.step(Step("none", 0, 0, (Ask(kind, 0, 0, a, b),)))

    @rule(
        wait=st.sampled_from(("minutes", "deadline", "forget")),
        amount=st.integers(0, 10),
        offset=st.sampled_from((-1, 0, 1)),
    )
    def time_passes(self, wait: str, amount: int, offset: int) -> None:
        self.floor.step(Step(wait, amount, offset, ()))

    @invariant()
    def the_journal_tells_the_state(self) -> None:
        folded = refold(self.floor.journal)
        assert fingerprint(folded, self.floor.now) == fingerprint(self.floor.book, self.floor.now)


MarketMachine.TestCase.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, derandomize=False
)
TestMarketMachine = MarketMachine.TestCase
