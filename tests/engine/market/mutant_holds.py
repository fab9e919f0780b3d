"""Books with one thing wrong about holds, purchases and leads each."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from msgspec.structs import replace

from engine.market import commands as c
from engine.market import events as e
from engine.market.book import Book
from engine.market.commands import Refused
from engine.market.lead import Lead


class NothingExpires(Book):
    def due(self, now: int) -> Iterator[e.LeadReleased]:
        return iter(())


class ExpiresTooEarly(Book):
    def due(self, now: int) -> Iterator[e.LeadReleased]:
        return super().due(now + 1)


class ExpiresTooLate(Book):
    def due(self, now: int) -> Iterator[e.LeadReleased]:
        return super().due(now - 1)


class ForgetsToRemind(Book):
    def _on_extended(self, event: e.HoldExtended, at: int) -> None:
        super()._on_extended(event, at)
        self._deadlines = [each for each in self._deadlines if each[0] != event.held_until]
        heapq.heapify(self._deadlines)


class OneSeatTooMany(Book):
    def _hold(self, command, now, account):
        lead = self.leads.get(command.lead_id)
        if lead is not None and lead.state == "held":
            lead.state = "available"
            try:
                return super()._hold(command, now, account)
            finally:
                lead.state = "held"
        return super()._hold(command, now, account)


class TwoSeatsForOne(Book):
    def _hold(self, command, now, account):
        decision = super()._hold(command, now, account)
        if isinstance(decision, Refused) and decision.code == "already-held":
            lead = self.leads[command.lead_id]
            return e.LeadHeld(lead_id=command.lead_id, user_id=command.user_id,
                              seat=lead.max_buyers, price=lead.price, hold="15m",
                              first_held_at=now, held_until=now + 1, forget_after=1)  # fmt: skip
        return decision


class SameSeatTwice(Book):
    def _hold(self, command, now, account):
        decision = super()._hold(command, now, account)
        return replace(decision, seat=1) if isinstance(decision, e.LeadHeld) else decision


class PriceNotLocked(Book):
    def _buy(self, command, now, account):
        decision = super()._buy(command, now, account)
        if isinstance(decision, e.LeadSold):
            price = account.plan.discounted(self.leads[command.lead_id].price)
            return replace(decision, price=min(price, account.balance))
        return decision


class RoundsUp(Book):
    def _hold(self, command, now, account):
        decision = super()._hold(command, now, account)
        if isinstance(decision, e.LeadHeld):
            kept = 100 - account.plan.discount_percent
            return replace(decision, price=-(-self.leads[command.lead_id].price * kept // 100))
        return decision


class SellsOnCredit(Book):
    def _buy(self, command, now, account):
        if account is None:
            return super()._buy(command, now, account)
        balance, account.balance = account.balance, 10**9
        try:
            return super()._buy(command, now, account)
        finally:
            account.balance = balance


class ClockStartsAnew(Book):
    def _end_hold(self, lead: Lead, user_id: str, because: str, at: int) -> None:
        super()._end_hold(lead, user_id, because, at)
        lead.past = None


class ExtendsFromNow(Book):
    def _extend(self, command, now, account):
        decision = super()._extend(command, now, account)
        if isinstance(decision, e.HoldExtended):
            return replace(decision, held_until=now + account.plan.terms_us[command.term])
        return decision


class HoldsWithoutLimit(Book):
    def _hold(self, command, now, account):
        if account is None:
            return super()._hold(command, now, account)
        holds, account.live_holds = account.live_holds, 0
        try:
            return super()._hold(command, now, account)
        finally:
            account.live_holds = holds


class WithdrawnStaysHeld(Book):
    def _on_withdrawn(self, event: e.LeadWithdrawn, at: int) -> None:
        self.leads[event.lead_id].state = "withdrawn"


class SoldIsWithdrawn(Book):
    def _withdraw(self, command, now, account):
        if command.lead_id not in self.leads:
            return super()._withdraw(command, now, account)
        return e.LeadWithdrawn(command.lead_id, command.reason)


class MiscountsHolds(Book):
    def _on_sold(self, event: e.LeadSold, at: int) -> None:
        before = self.live_holds
        super()._on_sold(event, at)
        self.live_holds = before


class RelistForgetsSales(Book):
    def _on_relisted(self, event: e.LeadRelisted, at: int) -> None:
        self.leads[event.lead_id].sold = 0
        super()._on_relisted(event, at)


class SellsTheSameHomeTwice(Book):
    def has_bought_as_another(self, lead_id: str, user_id: str) -> bool:
        return False


class MergeKeepsTheYounger(Book):
    def _merge(self, command, now, account):
        return super()._merge(c.Merge(command.other_id, command.lead_id), now, account)
