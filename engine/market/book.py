"""The book of one market: a deterministic state machine over its leads.

`decide` answers a command with an event or a refusal and changes nothing; `apply`
folds an event into the state and decides nothing. Time is an argument, in µs since
the epoch. Read `engine/market/lead.py` first: it has the table of legal moves.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from typing import Any

from engine.market import commands as c
from engine.market import events as e
from engine.market.account import Account
from engine.market.claims import ClaimDesk, commitment_of, seed_of
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
    PastHold,
    Seat,
)
from engine.market.rules import Rules
from engine.market.standing_orders import StandingOrder, StandingOrders
from engine.market.standing_rules import local_day
from engine.market.waiting import LINE_MAX, LINES_MAX, Waiting

# Deadlines of holds that ended early stay in the heap until it is this much too long.
HEAP_SLACK = 1024

NOT_FOUND = Refused("not-found", "no such lead")
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
# Of the open ones the seats tell. A lead under review stays, so that no twin of it slips by.
_PROGRESS = {SOLD: 3, QUARANTINED: 2, HELD: 1, AVAILABLE: 1, WITHDRAWN: 0}
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
_APPLIES: dict[type, str] = {
    e.LeadSold: "_on_sold",
    e.LeadHeld: "_on_held",
    e.HoldExtended: "_on_extended",
    e.LeadReleased: "_on_released",
    e.LeadListed: "_on_listed",
    e.LeadUpdated: "_on_updated",
    e.LeadWithdrawn: "_on_withdrawn",
    e.LeadQuarantined: "_on_quarantined",
    e.LeadApproved: "_on_approved",
    e.LeadRelisted: "_on_relisted",
    e.LeadsRepriced: "_on_repriced",
    e.QueueJoined: "_on_joined",
    e.SeatOffered: "_on_offered",
    e.QueueLeft: "_on_left",
    e.ClaimsDecided: "_on_claims_decided",
    e.StandingPlaced: "_on_standing_placed",
    e.StandingChanged: "_on_standing_changed",
    e.StandingCancelled: "_on_standing_cancelled",
}
DEFAULT_RULES = Rules()


class Book:
    """All leads of one market, in memory, with who waits for them and what rests on them."""

    def __init__(self, rules: Rules = DEFAULT_RULES) -> None:
        self.rules = rules
        self.leads: dict[str, Lead] = {}
        self.waiting = Waiting()
        self.standing = StandingOrders()
        self.claims = ClaimDesk()
        self.live_holds = 0
        self.live_offers = 0
        # Where merged leads went, and the same the other way round: who bought one of them
        # has bought the lead that stayed.
        self.merged_into: dict[str, str] = {}
        self._merged_from: dict[str, set[str]] = {}
        # Live holds by buyer, and the credits they add up to; none at zero.
        self.holds_of: dict[str, int] = {}
        self.value_of: dict[str, int] = {}
        self._deadlines: list[tuple[int, str, str]] = []

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

    def _list(self, command: c.ListLead, now: int, account: Account | None) -> e.Event | Refused:
        if command.lead_id in self.leads:
            return Refused("validation", f"lead {command.lead_id} is listed already")
        if command.price < 1 or command.max_buyers < 1:
            return Refused("validation", "price and max_buyers must be at least 1")
        return e.LeadListed(
            command.lead_id,
            command.price,
            command.max_buyers,
            command.listing,
            *self._opening(command.lead_id, 0, now),
        )

    def _opening(self, lead_id: str, rounds: int, now: int) -> tuple[int, str]:
        """(when claims on a lead newly on offer are decided, the commitment to its seed).

        Committed to in any case: standing orders may contest the lead at a later price.
        """
        window = self.rules.claim_window_us
        decide_at = now + window if window or self.standing else 0
        return decide_at, commitment_of(seed_of(self.rules.secret, lead_id, rounds))

    def _update(
        self, command: c.UpdateLead, now: int, account: Account | None
    ) -> e.Event | Refused:
        return self._move(command.lead_id, "update") or e.LeadUpdated(
            command.lead_id, command.listing
        )

    def _withdraw(
        self, command: c.Withdraw, now: int, account: Account | None
    ) -> e.Event | Refused:
        return self._move(command.lead_id, "withdraw") or e.LeadWithdrawn(
            command.lead_id, command.reason, command.merged_into, self._ended(command.lead_id)
        )

    def _ended(self, lead_id: str) -> tuple[e.EndedHold, ...]:
        """The holds that end with the lead, and the fees that are given back."""
        lead = self.leads[lead_id]
        taken = lead.taken or {}
        return tuple(e.EndedHold(user_id, taken[user_id].fee) for user_id in self.holders(lead))

    def _merge(
        self, command: c.Merge, now: int, account: Account | None
    ) -> e.Event | Refused | None:
        older, younger = self.leads.get(command.lead_id), self.leads.get(command.other_id)
        if older is None or younger is None:
            return NOT_FOUND
        if older is younger:
            return Refused("validation", "a lead can't be merged with itself")
        stays, goes = command.lead_id, command.other_id
        if _progress(younger) > _progress(older):
            stays, goes = goes, stays
        if (self.leads[goes].state, "merge") not in MOVES:
            return None
        return e.LeadWithdrawn(goes, "merged", stays, self._ended(goes))

    def _quarantine(
        self, command: c.Quarantine, now: int, account: Account | None
    ) -> e.Event | Refused:
        return self._move(command.lead_id, "quarantine") or e.LeadQuarantined(
            command.lead_id, command.reason, self._ended(command.lead_id)
        )

    def _approve(self, command: c.Approve, now: int, account: Account | None) -> e.Event | Refused:
        return self._move(command.lead_id, "approve") or e.LeadApproved(
            command.lead_id, *self._opening(command.lead_id, self._rounds(command.lead_id), now)
        )

    def _relist(self, command: c.Relist, now: int, account: Account | None) -> e.Event | Refused:
        return self._move(command.lead_id, "relist") or e.LeadRelisted(
            command.lead_id, *self._opening(command.lead_id, self._rounds(command.lead_id), now)
        )

    def _rounds(self, lead_id: str) -> int:
        return self.leads[lead_id].rounds

    def _move(self, lead_id: str, move: Move) -> Refused | None:
        lead = self.leads.get(lead_id)
        if lead is None:
            return NOT_FOUND
        if (lead.state, move) not in MOVES:
            return Refused("lead-unavailable", f"the lead is {lead.state}: no {move}")
        return None

    def _reprice(
        self, command: c.Reprice, now: int, account: Account | None
    ) -> e.Event | Refused | None:
        """Prices that change nothing, or of leads no longer offered, are left out."""
        if len(command.lead_ids) != len(command.prices):
            return Refused("validation", "lead_ids and prices differ in length")
        if len(command.lead_ids) > c.REPRICE_LEADS_MAX:
            return Refused("validation", f"more than {c.REPRICE_LEADS_MAX} leads in one command")
        if any(price < 1 for price in command.prices):
            return Refused("validation", "a price is at least 1 credit")
        changed = [
            (lead_id, price)
            for lead_id, price in zip(command.lead_ids, command.prices, strict=True)
            if (lead := self.leads.get(lead_id)) is not None
            and (lead.state, "reprice") in MOVES
            and lead.price != price
        ]
        if not changed:
            return None
        lead_ids, prices = zip(*changed, strict=True)
        return e.LeadsRepriced(lead_ids[0], lead_ids, prices, command.reason)

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

    def has_bought_as_another(self, lead_id: str, user_id: str) -> bool:
        """Whether the buyer has bought a lead that was merged into this one."""
        if lead_id not in self._merged_from:
            return False
        seen, waiting = {lead_id}, list(self._merged_from[lead_id])
        while waiting:
            merged_id = waiting.pop()
            if merged_id in seen:
                continue
            seen.add(merged_id)
            merged = self.leads[merged_id]
            # One that was merged away is withdrawn: nobody holds a seat of it.
            if merged.taken and user_id in merged.taken:
                return True
            waiting.extend(self._merged_from.get(merged_id, ()))
        return False

    def _live_hold(self, lead_id: str, user_id: str) -> Seat | None:
        seat = self._unsold(lead_id, user_id)
        return seat if seat is not None and not seat.is_offer else None

    def _unsold(self, lead_id: str, user_id: str) -> Seat | None:
        """The buyer's live hold or offer."""
        lead = self.leads.get(lead_id)
        seat = lead.taken.get(user_id) if lead is not None and lead.taken else None
        return seat if seat is not None and seat.order_id is None else None

    # --- apply -------------------------------------------------------------------

    def apply(self, event: e.Event, at: int) -> None:
        """Fold one event, journalled at `at` µs. Raises KeyError on an event of another history."""
        getattr(self, _APPLIES[type(event)])(event, at)

    def _on_sold(self, event: e.LeadSold, at: int) -> None:
        lead = self.leads[event.lead_id]
        if lead.taken is None:
            lead.taken = {}
        seat = lead.taken.get(event.user_id)
        if seat is not None:
            self._give_up(lead, event.user_id, seat)
        lead.taken[event.user_id] = Seat(event.seat, event.price, order_id=event.order_id)
        if lead.past is not None:
            _forget(lead, event.user_id)
        lead.sold += 1
        lead.settle()
        if lead.state == SOLD:
            self.waiting.clear(event.lead_id)
        if event.standing_order_id is not None:
            order = self.standing.orders.get(event.standing_order_id)
            if order is not None:
                order.count(event.price, local_day(at, self.rules.zone))

    def _give_up(self, lead: Lead, user_id: str, seat: Seat) -> None:
        """Count a live hold or offer no more: it ended, or became something else."""
        lead.held -= 1
        if seat.is_offer:
            self.live_offers -= 1
        else:
            self._count_hold(user_id, -1, -seat.price)

    def _on_held(self, event: e.LeadHeld, at: int) -> None:
        lead = self.leads[event.lead_id]
        if lead.taken is None:
            lead.taken = {}
        offered = lead.taken.get(event.user_id)
        if offered is not None:
            self._give_up(lead, event.user_id, offered)
        lead.taken[event.user_id] = Seat(
            event.seat,
            event.price,
            hold=event.hold,
            first_held_at=event.first_held_at,
            held_at=at,
            held_until=event.held_until,
            forget_after=event.forget_after,
            fee=event.fee,
        )
        if lead.past is not None:
            _forget(lead, event.user_id)
        lead.held += 1
        lead.settle()
        self._count_hold(event.user_id, 1, event.price)
        self._remind(event.held_until, event.lead_id, event.user_id)

    def _on_extended(self, event: e.HoldExtended, at: int) -> None:
        taken = self.leads[event.lead_id].taken
        assert taken is not None
        seat = taken[event.user_id]
        seat.hold = event.hold
        seat.held_until = event.held_until
        seat.forget_after = event.forget_after
        seat.fee += event.fee
        self._remind(event.held_until, event.lead_id, event.user_id)

    def _on_released(self, event: e.LeadReleased, at: int) -> None:
        lead = self.leads[event.lead_id]
        self._end_hold(lead, event.user_id, event.reason, at)
        lead.settle()

    def _on_listed(self, event: e.LeadListed, at: int) -> None:
        self.leads[event.lead_id] = Lead(event.price, event.max_buyers)
        self._open(event.lead_id, event.decide_at)

    def _open(self, lead_id: str, decide_at: int) -> None:
        self.leads[lead_id].decide_at = decide_at
        if decide_at:
            self.claims.open(lead_id, decide_at)

    def _on_updated(self, event: e.LeadUpdated, at: int) -> None:
        """Trading keeps nothing of the listing."""

    def _on_withdrawn(self, event: e.LeadWithdrawn, at: int) -> None:
        self._close(event.lead_id, "withdrawn", at)
        self.leads[event.lead_id].state = WITHDRAWN
        if event.merged_into is not None:
            self.load_merge(event.lead_id, event.merged_into)

    def _on_quarantined(self, event: e.LeadQuarantined, at: int) -> None:
        self._close(event.lead_id, "quarantined", at)
        self.leads[event.lead_id].state = QUARANTINED

    def _on_approved(self, event: e.LeadApproved, at: int) -> None:
        self.leads[event.lead_id].settle()
        self._open(event.lead_id, event.decide_at)

    def _on_relisted(self, event: e.LeadRelisted, at: int) -> None:
        self._forget_merge(event.lead_id)
        self.leads[event.lead_id].settle()
        self._open(event.lead_id, event.decide_at)

    def _on_repriced(self, event: e.LeadsRepriced, at: int) -> None:
        for lead_id, price in zip(event.lead_ids, event.prices, strict=True):
            self.leads[lead_id].price = price

    def _on_joined(self, event: e.QueueJoined, at: int) -> None:
        self.waiting.join(event.lead_id, event.user_id)

    def _on_offered(self, event: e.SeatOffered, at: int) -> None:
        lead = self.leads[event.lead_id]
        self.waiting.leave(event.lead_id, event.user_id)
        if lead.taken is None:
            lead.taken = {}
        lead.taken[event.user_id] = Seat(
            event.seat, event.price, held_at=at, held_until=event.offered_until, is_offer=True
        )
        lead.held += 1
        lead.settle()
        self.live_offers += 1
        self._remind(event.offered_until, event.lead_id, event.user_id)

    def _on_left(self, event: e.QueueLeft, at: int) -> None:
        if event.reason == "left":
            self.waiting.leave(event.lead_id, event.user_id)
            return
        lead = self.leads[event.lead_id]
        self._end_offer(lead, event.user_id)
        lead.settle()

    def _on_claims_decided(self, event: e.ClaimsDecided, at: int) -> None:
        self.leads[event.lead_id].rounds += 1
        for entry in event.entries:
            if entry.result == "won":
                self.claims.won(entry.user_id, at)

    def _on_standing_placed(self, event: e.StandingPlaced, at: int) -> None:
        self.standing.put(StandingOrder(event.lead_id, event.user_id, event.terms, placed_at=at))

    def _on_standing_changed(self, event: e.StandingChanged, at: int) -> None:
        self.standing.change(event.lead_id, event.terms)

    def _on_standing_cancelled(self, event: e.StandingCancelled, at: int) -> None:
        self.standing.cancel(event.lead_id)

    def _forget_merge(self, lead_id: str) -> None:
        survivor = self.merged_into.pop(lead_id, None)
        if survivor is None:
            return
        self._merged_from[survivor].discard(lead_id)
        if not self._merged_from[survivor]:
            del self._merged_from[survivor]

    def _close(self, lead_id: str, because: str, at: int) -> None:
        """The lead is no longer on offer: nobody holds it, waits for it or claims it."""
        lead = self.leads[lead_id]
        for user_id in self.holders(lead):
            self._end_hold(lead, user_id, because, at)
        for user_id in self.offerees(lead):
            self._end_offer(lead, user_id)
        self.waiting.clear(lead_id)
        self.claims.drop(lead_id)
        lead.decide_at = 0

    def holders(self, lead: Lead) -> list[str]:
        """Who holds a seat of `lead` now, in order of seat."""
        return self._unsold_of(lead, is_offer=False)

    def offerees(self, lead: Lead) -> list[str]:
        """For whom a seat of `lead` is kept now, in order of seat."""
        return self._unsold_of(lead, is_offer=True)

    def _unsold_of(self, lead: Lead, *, is_offer: bool) -> list[str]:
        live = [
            (seat.number, user)
            for user, seat in (lead.taken or {}).items()
            if seat.order_id is None and seat.is_offer is is_offer
        ]
        return [user for _, user in sorted(live)]

    def _end_hold(self, lead: Lead, user_id: str, because: str, at: int) -> None:
        seat = self._vacate(lead, user_id)
        # An expiry counts from the deadline, however late it is noticed.
        ended_at = seat.held_until if because == "expired" else at
        if lead.past is None:
            lead.past = {}
        lead.past[user_id] = PastHold(seat.first_held_at, because, ended_at + seat.forget_after)

    def _end_offer(self, lead: Lead, user_id: str) -> None:
        self._vacate(lead, user_id)

    def _vacate(self, lead: Lead, user_id: str) -> Seat:
        assert lead.taken is not None
        seat = lead.taken.pop(user_id)
        if not lead.taken:
            lead.taken = None
        self._give_up(lead, user_id, seat)
        return seat

    def _count_hold(self, user_id: str, change: int, value: int) -> None:
        self.live_holds += change
        count = self.holds_of.get(user_id, 0) + change
        if count:
            self.holds_of[user_id] = count
            self.value_of[user_id] = self.value_of.get(user_id, 0) + value
        else:
            del self.holds_of[user_id]
            del self.value_of[user_id]

    def _remind(self, held_until: int, lead_id: str, user_id: str) -> None:
        heapq.heappush(self._deadlines, (held_until, lead_id, user_id))
        if len(self._deadlines) > 2 * (self.live_holds + self.live_offers) + HEAP_SLACK:
            self._rebuild_deadlines()

    def _rebuild_deadlines(self) -> None:
        """Drop the deadlines of holds that ended early, so the heap stays within its bound."""
        live = {
            (entry[1], entry[2]): entry
            for entry in self._deadlines
            if (seat := self._unsold(entry[1], entry[2])) is not None
            and seat.held_until == entry[0]
        }
        self._deadlines = list(live.values())
        heapq.heapify(self._deadlines)

    # --- load --------------------------------------------------------------------

    def load_lead(self, lead_id: str, lead: Lead) -> None:
        """Put a lead as projected; its seats follow by `load_seat`."""
        self.leads[lead_id] = lead
        if lead.decide_at:
            self.claims.open(lead_id, lead.decide_at)

    def load_seat(self, lead_id: str, user_id: str, seat: Seat) -> None:
        lead = self.leads[lead_id]
        if lead.taken is None:
            lead.taken = {}
        lead.taken[user_id] = seat
        if seat.order_id is None:
            if seat.is_offer:
                self.live_offers += 1
            else:
                self._count_hold(user_id, 1, seat.price)
            heapq.heappush(self._deadlines, (seat.held_until, lead_id, user_id))

    def load_merge(self, lead_id: str, merged_into: str) -> None:
        """Note where a withdrawn lead went, now if it went elsewhere before."""
        self._forget_merge(lead_id)
        self.merged_into[lead_id] = merged_into
        self._merged_from.setdefault(merged_into, set()).add(lead_id)

    def load_past(self, lead_id: str, user_id: str, past: PastHold) -> None:
        lead = self.leads[lead_id]
        if lead.past is None:
            lead.past = {}
        lead.past[user_id] = past

    def forget_past(self, now: int) -> int:
        """Drop remembered holds whose time is over; returns how many. Changes no decision."""
        dropped = 0
        for lead in self.leads.values():
            for user_id in [u for u, past in (lead.past or {}).items() if past.forget_at <= now]:
                _forget(lead, user_id)
                dropped += 1
        return dropped


def _progress(lead: Lead) -> tuple[int, int, int]:
    """How far along a lead is, for comparing."""
    return _PROGRESS[lead.state], lead.sold, lead.held


def _forget(lead: Lead, user_id: str) -> None:
    if lead.past is not None:
        lead.past.pop(user_id, None)
        if not lead.past:
            lead.past = None


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
