"""The book of one market: a deterministic state machine over its leads.

`decide` answers a command with an event or a refusal and changes nothing; `apply`
(`engine/market/book_state.py`) folds an event into the state and decides nothing. Time is
an argument, in µs since the epoch. Read `engine/market/lead.py` first: it has the table of
legal moves.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from typing import Any

from engine.market import commands as c
from engine.market import events as e
from engine.market.account import Account
from engine.market.commands import Refused
from engine.market.lead import (
    AVAILABLE,
    HELD,
    MOVES,
    QUARANTINED,
    SOLD,
    WITHDRAWN,
    Lead,
    Move,
)
from engine.market.lead_decisions import NOT_FOUND, LeadDecisions
from engine.market.waiting import LINE_MAX, LINES_MAX

NOT_IN_CART = Refused("not-in-cart", "you hold no seat of this lead")
ALREADY_BOUGHT = Refused("already-bought", "you bought this lead already")
ALREADY_HELD = Refused("already-held", "you hold this lead already; extend the hold instead")
ALREADY_QUEUED = Refused("already-queued", "you stand in line for this lead already")
NOT_QUEUED = Refused("not-queued", "you don't stand in line for this lead")
SEAT_AVAILABLE = Refused("seat-available", "a seat of this lead is free: hold or buy it now")
HOLD_EXPIRED = {
    "expired": Refused("hold-expired", "your hold on this lead has ended: its time was over"),
    WITHDRAWN: Refused("hold-expired", "your hold on this lead has ended: it was withdrawn"),
    QUARANTINED: Refused(
        "hold-expired", "your hold on this lead has ended: it was taken off the market for review"
    ),
}
UNAVAILABLE = {
    HELD: Refused("lead-unavailable", "every seat of this lead is sold or held"),
    SOLD: Refused("lead-unavailable", "every seat of this lead is sold"),
    WITHDRAWN: Refused("lead-unavailable", "this lead is withdrawn"),
    QUARANTINED: NOT_FOUND,
}
NO_ACCOUNT = Refused("forbidden", "this account may not trade")

# By name: a book that held its own methods would be a cycle, and a book thrown away must
# give back its memory at once.
_DECIDES: dict[type, str] = {
    c.Buy: "_buy",
    c.Hold: "_hold",
    c.Extend: "_extend",
    c.Release: "_release",
    c.ListLead: "_list",
    c.UpdateLead: "_update",
    c.Withdraw: "_withdraw",
    c.Merge: "_merge",
    c.Quarantine: "_quarantine",
    c.Approve: "_approve",
    c.Relist: "_relist",
    c.Reprice: "_reprice",
    c.Join: "_join",
    c.Leave: "_leave",
    c.PlaceStanding: "_place_standing",
    c.ChangeStanding: "_change_standing",
    c.CancelStanding: "_cancel_standing",
}


class Book(LeadDecisions):
    """All leads of one market, in memory, with who waits for them and what rests on them."""

    # --- decide ------------------------------------------------------------------

    def decide(
        self, command: c.Command, now: int, account: Account | None = None
    ) -> e.Event | Refused | None:
        """The event that `command` causes at `now`, a refusal, or None: nothing changes.

        `account` is the buyer of a BuyerCommand, None if no such account may trade.
        Apply the event before the next decision; holds due at `now` must have been
        expired (`due`) before the first.
        """
        decide: Callable[[Any, int, Account | None], e.Event | Refused | None]
        decide = getattr(self, _DECIDES[type(command)])
        return decide(command, now, account)

    def due(self, now: int) -> Iterator[e.LeadReleased | e.QueueLeft]:
        """The expiries of holds and offers whose deadline is at or before `now`, earliest first.

        Apply each before taking the next.
        """
        deadlines = self._deadlines
        while deadlines and deadlines[0][0] <= now:
            held_until, lead_id, user_id = heapq.heappop(deadlines)
            seat = self._unsold(lead_id, user_id)
            if seat is None or seat.held_until != held_until:
                continue
            if seat.is_offer:
                yield e.QueueLeft(lead_id, user_id, "expired")
            else:
                yield e.LeadReleased(lead_id, user_id, "expired")

    def next_deadline(self) -> int | None:
        """When `due` is next worth asking, µs; may be early, never late."""
        return self._deadlines[0][0] if self._deadlines else None

    def offer(self, lead_id: str, now: int) -> e.SeatOffered | None:
        """The offer of a free seat to the first in line, if there are both. Apply it before
        asking again."""
        lead = self.leads[lead_id]
        user_id = self.waiting.first(lead_id)
        if user_id is None or (lead.state, "offer") not in MOVES:
            return None
        return e.SeatOffered(
            lead_id, user_id, lead.free_seat(), lead.price, now + self.rules.offer_us
        )

    def deciding(self, now: int, limit: int = 1_000_000) -> list[str]:
        """Leads whose claims and standing orders are to be decided at `now` (µs)."""
        return self.claims.deciding(self.leads, now, limit)

    def _buy(self, command: c.Buy, now: int, account: Account | None) -> e.Event | Refused:
        lead = self.leads.get(command.lead_id)
        if account is None:
            return NO_ACCOUNT
        if lead is None:
            return NOT_FOUND
        seat = lead.taken.get(command.user_id) if lead.taken else None
        if seat is not None and seat.order_id is not None:
            return NOT_FOUND if lead.state == QUARANTINED else ALREADY_BOUGHT
        move: Move = "buy" if seat is None else "buy_held"
        if command.from_cart and (seat is None or seat.is_offer):
            return self._no_hold(lead, command.user_id, now)
        if (lead.state, move) not in MOVES:
            return UNAVAILABLE[lead.state]
        if self.has_bought_as_another(command.lead_id, command.user_id):
            return ALREADY_BOUGHT
        plan, fee_credit = account.plan, 0
        if seat is None:
            price, number = plan.discounted(lead.price), lead.free_seat()
        elif seat.is_offer:
            price, number = plan.discounted(seat.price), seat.number
        else:
            price, number = seat.price, seat.number
            fee_credit = min(seat.fee, price) if plan.is_hold_fee_credited else 0
        if command.max_price is not None and price > command.max_price:
            return Refused(
                "price-changed", f"the price is {price}, above your max_price {command.max_price}"
            )
        if price - fee_credit > account.balance:
            return Refused(
                "insufficient-credits",
                f"the price is {price - fee_credit}, your balance {account.balance}",
            )
        return e.LeadSold(
            command.lead_id,
            command.user_id,
            number,
            price,
            command.order_id,
            fee_credit=fee_credit,
        )

    def _hold(self, command: c.Hold, now: int, account: Account | None) -> e.Event | Refused:
        lead = self.leads.get(command.lead_id)
        if account is None:
            return NO_ACCOUNT
        plan = account.plan
        length = plan.terms_us.get(command.term)
        if length is None:
            return _plan_required(command.term, account)
        if lead is None:
            return NOT_FOUND
        user_id = command.user_id
        seat = lead.taken.get(user_id) if lead.taken else None
        is_offered = seat is not None and seat.is_offer
        if seat is not None and not is_offered and lead.state != QUARANTINED:
            return ALREADY_HELD if seat.order_id is None else ALREADY_BOUGHT
        if (lead.state, "accept" if is_offered else "hold") not in MOVES:
            return UNAVAILABLE[lead.state]
        if self.has_bought_as_another(command.lead_id, user_id):
            return ALREADY_BOUGHT
        if account.live_holds >= plan.holds_max:
            return Refused(
                "hold-limit", f"your plan holds at most {plan.holds_max} leads at a time"
            )
        price = plan.discounted(seat.price if seat is not None else lead.price)
        if plan.hold_value_max is not None and account.held_value + price > plan.hold_value_max:
            return Refused(
                "hold-limit",
                f"your holds would add up to {account.held_value + price} credits; your plan"
                f" holds at most {plan.hold_value_max}",
            )
        past = lead.past.get(user_id) if lead.past else None
        first = now if past is None or past.forget_at <= now else past.first_held_at
        if first + length <= now:
            return Refused(
                "hold-limit",
                f"{command.term} from your first hold of this lead are used up; buy it, or hold"
                " it again later",
            )
        fee = plan.hold_fee(command.term, price)
        if fee > account.balance:
            return _fee_too_high(fee, account)
        return e.LeadHeld(
            command.lead_id,
            user_id,
            lead.free_seat() if seat is None else seat.number,
            price,
            command.term,
            first,
            first + length,
            plan.longest_us,
            fee=fee,
        )

    def _extend(
        self, command: c.Extend, now: int, account: Account | None
    ) -> e.Event | Refused | None:
        if account is None:
            return NO_ACCOUNT
        length = account.plan.terms_us.get(command.term)
        if length is None:
            return _plan_required(command.term, account)
        lead = self.leads.get(command.lead_id)
        if lead is None or lead.state == QUARANTINED:
            return NOT_FOUND
        seat = self._live_hold(command.lead_id, command.user_id)
        if seat is None:
            return self._no_hold(lead, command.user_id, now)
        held_until = seat.first_held_at + length
        if held_until <= seat.held_until:
            return None
        fee = max(0, account.plan.hold_fee(command.term, seat.price) - seat.fee)
        if fee > account.balance:
            return _fee_too_high(fee, account)
        return e.HoldExtended(
            command.lead_id,
            command.user_id,
            command.term,
            held_until,
            account.plan.longest_us,
            fee=fee,
        )

    def _release(self, command: c.Release, now: int, account: Account | None) -> e.Event | Refused:
        lead = self.leads.get(command.lead_id)
        if lead is None or lead.state == QUARANTINED:
            return NOT_FOUND
        if self._live_hold(command.lead_id, command.user_id) is None:
            return self._no_hold(lead, command.user_id, now)
        return e.LeadReleased(command.lead_id, command.user_id, "released")

    def _no_hold(self, lead: Lead, user_id: str, now: int) -> Refused:
        """Why a buyer who names a hold has none."""
        if lead.state == QUARANTINED:
            return NOT_FOUND
        seat = lead.taken.get(user_id) if lead.taken else None
        if seat is not None:
            return NOT_IN_CART if seat.is_offer else ALREADY_BOUGHT
        past = lead.past.get(user_id) if lead.past else None
        if past is None or now >= past.forget_at:
            return NOT_IN_CART
        return HOLD_EXPIRED.get(past.ended_because, NOT_IN_CART)

    def _join(self, command: c.Join, now: int, account: Account | None) -> e.Event | Refused:
        if account is None:
            return NO_ACCOUNT
        lead = self.leads.get(command.lead_id)
        if lead is None or lead.state == QUARANTINED:
            return NOT_FOUND
        seat = lead.taken.get(command.user_id) if lead.taken else None
        if seat is not None and not seat.is_offer:
            return ALREADY_HELD if seat.order_id is None else ALREADY_BOUGHT
        line = self.waiting.line(command.lead_id)
        if seat is not None or command.user_id in line:
            return ALREADY_QUEUED
        if lead.state != AVAILABLE and (lead.state, "join") not in MOVES:
            return UNAVAILABLE[lead.state]
        if self.has_bought_as_another(command.lead_id, command.user_id):
            return ALREADY_BOUGHT
        if lead.state == AVAILABLE:
            return SEAT_AVAILABLE
        if len(line) >= LINE_MAX:
            return Refused("queue-full", f"{LINE_MAX} buyers stand in line for this lead")
        if self.waiting.lines_of.get(command.user_id, 0) >= LINES_MAX:
            return Refused("queue-full", f"you stand in {LINES_MAX} lines of this market")
        return e.QueueJoined(command.lead_id, command.user_id)

    def _leave(self, command: c.Leave, now: int, account: Account | None) -> e.Event | Refused:
        lead = self.leads.get(command.lead_id)
        if lead is None or lead.state == QUARANTINED:
            return NOT_FOUND
        if command.user_id in self.waiting.line(command.lead_id):
            return e.QueueLeft(command.lead_id, command.user_id, "left")
        seat = self._unsold(command.lead_id, command.user_id)
        if seat is None or not seat.is_offer:
            return NOT_QUEUED
        return e.QueueLeft(command.lead_id, command.user_id, "declined")

    def _place_standing(
        self, command: c.PlaceStanding, now: int, account: Account | None
    ) -> e.Event | Refused:
        return NO_ACCOUNT if account is None else self.standing.decide_place(command, account)

    def _change_standing(
        self, command: c.ChangeStanding, now: int, account: Account | None
    ) -> e.Event | Refused:
        return NO_ACCOUNT if account is None else self.standing.decide_change(command)

    def _cancel_standing(
        self, command: c.CancelStanding, now: int, account: Account | None
    ) -> e.Event | Refused:
        return self.standing.decide_cancel(command)


def _fee_too_high(fee: int, account: Account) -> Refused:
    return Refused(
        "insufficient-credits",
        f"holding for this term costs a fee of {fee} credits, your balance is {account.balance}",
    )


def _plan_required(term: str, account: Account) -> Refused:
    offered = ", ".join(account.plan.terms_us)
    return Refused(
        "plan-required",
        f"plan {account.plan.name} has no {term} holds; it has {offered}",
    )
