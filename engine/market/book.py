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

# Deadlines of holds that ended early stay in the heap until it is this much too long.
HEAP_SLACK = 1024

NOT_FOUND = Refused("not-found", "no such lead")
NOT_IN_CART = Refused("not-in-cart", "you hold no seat of this lead")
ALREADY_BOUGHT = Refused("already-bought", "you bought this lead already")
ALREADY_HELD = Refused("already-held", "you hold this lead already; extend the hold instead")
HOLD_EXPIRED = Refused("hold-expired", "your hold on this lead has ended")
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
}


class Book:
    """All leads of one market, in memory."""

    def __init__(self) -> None:
        self.leads: dict[str, Lead] = {}
        self.live_holds = 0
        # Where merged leads went, and the same the other way round: who bought one of them
        # has bought the lead that stayed.
        self.merged_into: dict[str, str] = {}
        self._merged_from: dict[str, set[str]] = {}
        # Live holds by buyer, none at zero.
        self.holds_of: dict[str, int] = {}
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

    def due(self, now: int) -> Iterator[e.LeadReleased]:
        """The expiries of holds whose deadline is at or before `now`, earliest first.

        Apply each before taking the next.
        """
        deadlines = self._deadlines
        while deadlines and deadlines[0][0] <= now:
            held_until, lead_id, user_id = heapq.heappop(deadlines)
            seat = self._live_hold(lead_id, user_id)
            if seat is not None and seat.held_until == held_until:
                yield e.LeadReleased(lead_id, user_id, "expired")

    def next_deadline(self) -> int | None:
        """When `due` is next worth asking, µs; may be early, never late."""
        return self._deadlines[0][0] if self._deadlines else None

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
        if seat is None and command.from_cart:
            return self._no_hold(lead, command.user_id, now)
        if (lead.state, move) not in MOVES:
            return UNAVAILABLE[lead.state]
        if self._bought_as_another(command.lead_id, command.user_id):
            return ALREADY_BOUGHT
        if seat is None:
            price, number = account.plan.discounted(lead.price), lead.free_seat()
        else:
            price, number = seat.price, seat.number
        if command.max_price is not None and price > command.max_price:
            return Refused(
                "price-changed", f"the price is {price}, above your max_price {command.max_price}"
            )
        if price > account.balance:
            return Refused(
                "insufficient-credits", f"the price is {price}, your balance {account.balance}"
            )
        return e.LeadSold(command.lead_id, command.user_id, number, price, command.order_id)

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
        if seat is not None and lead.state != QUARANTINED:
            return ALREADY_HELD if seat.order_id is None else ALREADY_BOUGHT
        if (lead.state, "hold") not in MOVES:
            return UNAVAILABLE[lead.state]
        if self._bought_as_another(command.lead_id, user_id):
            return ALREADY_BOUGHT
        if account.live_holds >= plan.holds_max:
            return Refused(
                "hold-limit", f"your plan holds at most {plan.holds_max} leads at a time"
            )
        past = lead.past.get(user_id) if lead.past else None
        first = now if past is None or past.forget_at <= now else past.first_held_at
        if first + length <= now:
            return Refused(
                "hold-limit",
                f"{command.term} from your first hold of this lead are used up; buy it, or hold"
                " it again later",
            )
        return e.LeadHeld(
            command.lead_id,
            user_id,
            lead.free_seat(),
            plan.discounted(lead.price),
            command.term,
            first,
            first + length,
            plan.longest_us,
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
        return e.HoldExtended(
            command.lead_id, command.user_id, command.term, held_until, account.plan.longest_us
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
        if seat is not None and seat.order_id is not None:
            return ALREADY_BOUGHT
        past = lead.past.get(user_id) if lead.past else None
        ended = past is not None and past.ended_because != "released" and now < past.forget_at
        return HOLD_EXPIRED if ended else NOT_IN_CART

    def _list(self, command: c.ListLead, now: int, account: Account | None) -> e.Event | Refused:
        if command.lead_id in self.leads:
            return Refused("validation", f"lead {command.lead_id} is listed already")
        if command.price < 1 or command.max_buyers < 1:
            return Refused("validation", "price and max_buyers must be at least 1")
        return e.LeadListed(command.lead_id, command.price, command.max_buyers, command.listing)

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
            command.lead_id, command.reason, command.merged_into
        )

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
        return e.LeadWithdrawn(goes, "merged", stays)

    def _quarantine(
        self, command: c.Quarantine, now: int, account: Account | None
    ) -> e.Event | Refused:
        return self._move(command.lead_id, "quarantine") or e.LeadQuarantined(
            command.lead_id, command.reason
        )

    def _approve(self, command: c.Approve, now: int, account: Account | None) -> e.Event | Refused:
        return self._move(command.lead_id, "approve") or e.LeadApproved(command.lead_id)

    def _relist(self, command: c.Relist, now: int, account: Account | None) -> e.Event | Refused:
        return self._move(command.lead_id, "relist") or e.LeadRelisted(command.lead_id)

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

    def _bought_as_another(self, lead_id: str, user_id: str) -> bool:
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
            if merged.taken and user_id in merged.taken:
                return True
            waiting.extend(self._merged_from.get(merged_id, ()))
        return False

    def _live_hold(self, lead_id: str, user_id: str) -> Seat | None:
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
        if seat is None:
            lead.taken[event.user_id] = Seat(event.seat, event.price, order_id=event.order_id)
        else:
            lead.taken[event.user_id] = Seat(seat.number, event.price, order_id=event.order_id)
            lead.held -= 1
            self._count_hold(event.user_id, -1)
        if lead.past is not None:
            _forget(lead, event.user_id)
        lead.sold += 1
        lead.settle()

    def _on_held(self, event: e.LeadHeld, at: int) -> None:
        lead = self.leads[event.lead_id]
        if lead.taken is None:
            lead.taken = {}
        lead.taken[event.user_id] = Seat(
            event.seat,
            event.price,
            hold=event.hold,
            first_held_at=event.first_held_at,
            held_at=at,
            held_until=event.held_until,
            forget_after=event.forget_after,
        )
        if lead.past is not None:
            _forget(lead, event.user_id)
        lead.held += 1
        lead.settle()
        self._count_hold(event.user_id, 1)
        self._remind(event.held_until, event.lead_id, event.user_id)

    def _on_extended(self, event: e.HoldExtended, at: int) -> None:
        taken = self.leads[event.lead_id].taken
        assert taken is not None
        seat = taken[event.user_id]
        seat.hold = event.hold
        seat.held_until = event.held_until
        seat.forget_after = event.forget_after
        self._remind(event.held_until, event.lead_id, event.user_id)

    def _on_released(self, event: e.LeadReleased, at: int) -> None:
        lead = self.leads[event.lead_id]
        self._end_hold(lead, event.user_id, event.reason, at)
        lead.settle()

    def _on_listed(self, event: e.LeadListed, at: int) -> None:
        self.leads[event.lead_id] = Lead(event.price, event.max_buyers)

    def _on_updated(self, event: e.LeadUpdated, at: int) -> None:
        """Trading keeps nothing of the listing."""

    def _on_withdrawn(self, event: e.LeadWithdrawn, at: int) -> None:
        self._close(self.leads[event.lead_id], "withdrawn", at)
        self.leads[event.lead_id].state = WITHDRAWN
        if event.merged_into is not None:
            self.load_merge(event.lead_id, event.merged_into)

    def _on_quarantined(self, event: e.LeadQuarantined, at: int) -> None:
        self._close(self.leads[event.lead_id], "quarantined", at)
        self.leads[event.lead_id].state = QUARANTINED

    def _on_approved(self, event: e.LeadApproved, at: int) -> None:
        self.leads[event.lead_id].settle()

    def _on_relisted(self, event: e.LeadRelisted, at: int) -> None:
        self._forget_merge(event.lead_id)
        self.leads[event.lead_id].settle()

    def _on_repriced(self, event: e.LeadsRepriced, at: int) -> None:
        for lead_id, price in zip(event.lead_ids, event.prices, strict=True):
            self.leads[lead_id].price = price

    def _forget_merge(self, lead_id: str) -> None:
        survivor = self.merged_into.pop(lead_id, None)
        if survivor is None:
            return
        self._merged_from[survivor].discard(lead_id)
        if not self._merged_from[survivor]:
            del self._merged_from[survivor]

    def _close(self, lead: Lead, because: str, at: int) -> None:
        for user_id in self.holders(lead):
            self._end_hold(lead, user_id, because, at)

    def holders(self, lead: Lead) -> list[str]:
        """Who holds a seat of `lead` now, in order of seat."""
        taken = lead.taken or {}
        live = [(seat.number, user) for user, seat in taken.items() if seat.order_id is None]
        return [user for _, user in sorted(live)]

    def _end_hold(self, lead: Lead, user_id: str, because: str, at: int) -> None:
        assert lead.taken is not None
        seat = lead.taken.pop(user_id)
        # An expiry counts from the deadline, however late it is noticed.
        ended_at = seat.held_until if because == "expired" else at
        if lead.past is None:
            lead.past = {}
        lead.past[user_id] = PastHold(seat.first_held_at, because, ended_at + seat.forget_after)
        if not lead.taken:
            lead.taken = None
        lead.held -= 1
        self._count_hold(user_id, -1)

    def _count_hold(self, user_id: str, change: int) -> None:
        self.live_holds += change
        count = self.holds_of.get(user_id, 0) + change
        if count:
            self.holds_of[user_id] = count
        else:
            del self.holds_of[user_id]

    def _remind(self, held_until: int, lead_id: str, user_id: str) -> None:
        heapq.heappush(self._deadlines, (held_until, lead_id, user_id))
        if len(self._deadlines) > 2 * self.live_holds + HEAP_SLACK:
            self._rebuild_deadlines()

    def _rebuild_deadlines(self) -> None:
        """Drop the deadlines of holds that ended early, so the heap stays within its bound."""
        live = {
            (entry[1], entry[2]): entry
            for entry in self._deadlines
            if (seat := self._live_hold(entry[1], entry[2])) is not None
            and seat.held_until == entry[0]
        }
        self._deadlines = list(live.values())
        heapq.heapify(self._deadlines)

    # --- load --------------------------------------------------------------------

    def load_lead(self, lead_id: str, lead: Lead) -> None:
        """Put a lead as projected; its seats follow by `load_seat`."""
        self.leads[lead_id] = lead

    def load_seat(self, lead_id: str, user_id: str, seat: Seat) -> None:
        lead = self.leads[lead_id]
        if lead.taken is None:
            lead.taken = {}
        lead.taken[user_id] = seat
        if seat.order_id is None:
            self._count_hold(user_id, 1)
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


def _plan_required(term: str, account: Account) -> Refused:
    offered = ", ".join(account.plan.terms_us)
    return Refused(
        "plan-required",
        f"plan {account.plan.name} has no {term} holds; it has {offered}",
    )
