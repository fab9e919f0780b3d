"""Books with one thing wrong about fees, lines and offers each."""

from __future__ import annotations

from msgspec.structs import replace

from engine.market import events as e
from engine.market.batch import _Batch
from engine.market.book import Book
from engine.market.commands import Refused
from engine.market.waiting import Waiting

# --- fees and value ------------------------------------------------------------------


class HoldsForFree(Book):
    def _hold(self, command, now, account):
        decision = super()._hold(command, now, account)
        return replace(decision, fee=0) if isinstance(decision, e.LeadHeld) else decision


class FeeRoundsDown(Book):
    def _hold(self, command, now, account):
        decision = super()._hold(command, now, account)
        if isinstance(decision, e.LeadHeld) and decision.fee:
            percent = account.plan.hold_fee_percent[command.term]
            return replace(decision, fee=decision.price * percent // 100)
        return decision


class HoldsOnCredit(Book):
    def _hold(self, command, now, account):
        if account is None:
            return super()._hold(command, now, account)
        balance, account.balance = account.balance, 10**9
        try:
            return super()._hold(command, now, account)
        finally:
            account.balance = balance


class ExtendingCostsTheWholeFeeAgain(Book):
    def _extend(self, command, now, account):
        decision = super()._extend(command, now, account)
        if isinstance(decision, e.HoldExtended):
            price = self.leads[command.lead_id].taken[command.user_id].price
            fee = account.plan.hold_fee(command.term, price)
            return replace(decision, fee=min(fee, account.balance))
        return decision


class FeeChargedTwice(_Batch):
    def _charge(self, user_id, amount, reason, lead_id, number=0):
        super()._charge(user_id, amount, reason, lead_id, number)
        if reason == "hold-fee" and self.accounts[user_id].balance + amount >= 0:
            super()._charge(user_id, amount, reason, lead_id, number + 1)


class FeeKeptOfAWithdrawnLead(Book):
    def _ended(self, lead_id):
        return tuple(replace(hold, fee=0) for hold in super()._ended(lead_id))


class FeeRefundForgotten(_Batch):
    """Named in the journal, and never paid."""

    def _charge(self, user_id, amount, reason, lead_id, number=0):
        if reason != "hold-fee-refund":
            super()._charge(user_id, amount, reason, lead_id, number)


class FeeCreditedBeyondIt(Book):
    def _buy(self, command, now, account):
        decision = super()._buy(command, now, account)
        if isinstance(decision, e.LeadSold) and decision.fee_credit:
            return replace(decision, fee_credit=decision.fee_credit + 1)
        return decision


class FeeCreditedToEveryPlan(Book):
    def _buy(self, command, now, account):
        decision = super()._buy(command, now, account)
        lead = self.leads.get(command.lead_id)
        seat = (lead.taken or {}).get(command.user_id) if lead is not None else None
        if isinstance(decision, e.LeadSold) and seat is not None:
            return replace(decision, fee_credit=min(seat.fee, decision.price))
        return decision


class FeeNeverCredited(Book):
    def _buy(self, command, now, account):
        decision = super()._buy(command, now, account)
        if isinstance(decision, e.LeadSold) and decision.price <= account.balance:
            return replace(decision, fee_credit=0)
        return decision


class ValueHeldWithoutLimit(Book):
    def _hold(self, command, now, account):
        if account is None:
            return super()._hold(command, now, account)
        value, account.held_value = account.held_value, -(10**9)
        try:
            return super()._hold(command, now, account)
        finally:
            account.held_value = value


class ValueOfAHoldStays(_Batch):
    """Released, but still counted by the account within the batch."""

    def _before(self, event):
        values = {user: account.held_value for user, account in self.accounts.items()}
        ended = super()._before(event)
        for user_id in ended:
            if user_id in values:
                self.accounts[user_id].held_value = values[user_id]
        return ended


class OtherMarketsHearNothing(_Batch):
    """How much a buyer holds here is not written when a hold is bought."""

    def _settle(self, event):
        holders = set(self.outcome.holders)
        super()._settle(event)
        if isinstance(event, e.LeadSold):
            self.outcome.holders = holders


# --- lines ---------------------------------------------------------------------------


class _LastFirst(Waiting):
    def first(self, lead_id):
        line = self.lines.get(lead_id)
        return line[-1] if line else None


class LastInLineFirst(Book):
    def __init__(self, rules):
        super().__init__(rules)
        self.waiting = _LastFirst()


class SeatKeptForNobody(Book):
    def offer(self, lead_id, now):
        return None


class OffersNeverExpire(Book):
    def due(self, now):
        return (event for event in super().due(now) if not isinstance(event, e.QueueLeft))


class OfferStandsTooLong(Book):
    def offer(self, lead_id, now):
        offer = super().offer(lead_id, now)
        return offer and replace(offer, offered_until=offer.offered_until + 1)


class OfferIsDear(Book):
    """The price of the offer is not the one at which it is accepted."""

    def _buy(self, command, now, account):
        decision = super()._buy(command, now, account)
        if isinstance(decision, e.LeadSold) and command.user_id in self.offerees(
            self.leads[command.lead_id]
        ):
            price = account.plan.discounted(self.leads[command.lead_id].price)
            return replace(decision, price=min(price, account.balance))
        return decision


class OfferUndiscounted(Book):
    def _hold(self, command, now, account):
        decision = super()._hold(command, now, account)
        if isinstance(decision, e.LeadHeld):
            seat = (self.leads[command.lead_id].taken or {}).get(command.user_id)
            if seat is not None:
                return replace(decision, price=seat.price)
        return decision


class OfferIsAHold(Book):
    def _on_offered(self, event, at):
        super()._on_offered(event, at)
        self._count_hold(event.user_id, 1, event.price)


class CartBuysAnOffer(Book):
    def _buy(self, command, now, account):
        if command.from_cart and self._unsold(command.lead_id, command.user_id) is not None:
            command = replace(command, from_cart=False)
        return super()._buy(command, now, account)


class OfferToOneWhoLeft(Book):
    def _on_left(self, event, at):
        if event.reason != "left":
            super()._on_left(event, at)


class BackInLineAfterAnOffer(Book):
    def _on_left(self, event, at):
        super()._on_left(event, at)
        if event.reason == "expired":
            self.waiting.join(event.lead_id, event.user_id)


class WaitsForAFreeSeat(Book):
    def _join(self, command, now, account):
        decision = super()._join(command, now, account)
        if isinstance(decision, Refused) and decision.code == "seat-available":
            return e.QueueJoined(command.lead_id, command.user_id)
        return decision


class InLineTwice(Book):
    def _join(self, command, now, account):
        decision = super()._join(command, now, account)
        if isinstance(decision, Refused) and decision.code == "already-queued":
            return e.QueueJoined(command.lead_id, command.user_id)
        return decision


class _Everlasting(Waiting):
    def clear(self, lead_id):
        pass


class LineOutlivesItsLead(Book):
    def __init__(self, rules):
        super().__init__(rules)
        self.waiting = _Everlasting()


class LineIsNotTold(_Batch):
    def _empty_line(self, event, line):
        for user_id in line:
            self._leave_line((event.lead_id, user_id))


class PlaceKeptInTheTables(_Batch):
    def _leave_line(self, pair):
        self.outcome.joined.pop(pair, None)


class TellsAnothersBalance(_Batch):
    def _tell(self, user_id, kind, **body):
        if kind == "wallet.changed" and len(self.accounts) > 1:
            user_id = next(other for other in self.accounts if other != user_id)
        super()._tell(user_id, kind, **body)


class OrderIsNotTold(_Batch):
    def _tell(self, user_id, kind, **body):
        if kind != "order.created":
            super()._tell(user_id, kind, **body)
