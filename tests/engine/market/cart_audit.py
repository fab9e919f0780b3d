"""The carts that follow what a book tells buyers, beside what the naive market holds for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.market import events as e
from engine.market.cart import CartBook, HeldLead
from engine.market.outcome import Outcome
from tests.engine.market.cart_floor import REMINDERS, NaiveCarts
from tests.engine.market.history import USERS
from tests.engine.market.money_audit import MARKET

if TYPE_CHECKING:
    from tests.engine.market.trading_floor import TradingFloor


class CartAudit:
    """A shard that has heard every buyer event, and read no table."""

    def __init__(self, floor: TradingFloor) -> None:
        self.floor = floor
        self.carts = CartBook(REMINDERS)
        self.simple = NaiveCarts()

    def audit(self, outcome: Outcome) -> None:
        now = self.floor.now
        for event in outcome.buyer_events:
            self.carts.apply(event, now)
        for entry in outcome.entries:
            # Given up and held anew in one batch, until the same instant: another hold.
            if isinstance(entry.event, e.LeadHeld):
                self.simple.holds.pop((entry.event.user_id, entry.event.lead_id), None)
        self._follow(now)
        reminders = sorted(self.carts.due(now), key=repr)
        expected = sorted(self.simple.due(now), key=repr)
        assert reminders == expected, "a reminder too many, or none"
        for user in USERS:
            assert list(self.carts.cart(user, now).holds) == self.simple.cart(user, now)

    def _follow(self, now: int) -> None:
        held = {pair: seat for pair, seat in self.floor.naive.seats.items() if seat.kind == "held"}
        for user, lead_id in list(self.simple.holds):
            if (lead_id, user) not in held:
                del self.simple.holds[user, lead_id]
        for (lead_id, user), seat in held.items():
            lead = HeldLead(lead_id, MARKET, seat.price, seat.term, seat.until)
            self.simple.put(user, lead, now, now)
