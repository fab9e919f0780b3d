"""The state of one market's book, folded from its events or loaded from what was projected.

`apply` folds an event into the state and decides nothing; what is decided, and how, is in
`engine/market/book.py`. Instants are in µs since the epoch.
"""

from __future__ import annotations

import heapq

from engine.market import events as e
from engine.market.claims import ClaimDesk
from engine.market.lead import QUARANTINED, SOLD, WITHDRAWN, Lead, PastHold, Seat
from engine.market.rules import Rules
from engine.market.standing_orders import StandingOrder, StandingOrders
from engine.market.standing_rules import local_day
from engine.market.waiting import Waiting

# Deadlines of holds that ended early stay in the heap until it is this much too long.
HEAP_SLACK = 1024

# By name: a book that held its own methods would be a cycle, and a book thrown away must
# give back its memory at once.
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


class BookState:
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

    # --- reading -------------------------------------------------------------------

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


def _forget(lead: Lead, user_id: str) -> None:
    if lead.past is not None:
        lead.past.pop(user_id, None)
        if not lead.past:
            lead.past = None
