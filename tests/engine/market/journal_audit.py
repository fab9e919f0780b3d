"""The journal's entries, each looked at against the state right before and right after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.market import events as e
from engine.market.lead import MOVES, Move, Seat
from engine.market.outcome import Entry
from engine.market.plan import Plan

if TYPE_CHECKING:
    from tests.engine.market.trading_floor import TradingFloor

# Events about a standing order: no lead changes.
STANDING = (e.StandingPlaced, e.StandingChanged, e.StandingCancelled)
# Events that change no seat, price or availability.
QUIET = (e.ClaimsDecided, *STANDING)
HIDDEN = (e.LeadsRepriced, e.QueueJoined, *QUIET)


def audit_entries(floor: TradingFloor, entries: list[Entry]) -> None:
    """Raises AssertionError unless each is legal, numbered and told as it should be."""
    due_before = 0
    position, seq = floor.position, floor.feed_seq
    for entry in entries:
        event = entry.event
        position += 1
        assert entry.position == position, "journal positions have a gap"
        if getattr(event, "reason", None) == "expired":
            until = seat_of(floor, event.lead_id, event.user_id).held_until
            assert until <= floor.now, "expired before its deadline"
            assert until >= due_before, "expiries out of order"
            due_before = until
        _audit_terms(floor, event)
        floor.money.see(floor.shadow, event, position)
        before, move = _states(floor), _move(floor, event)
        floor.shadow.apply(event, floor.now)
        _audit_moves(floor, event, before, move)
        if _is_told(floor, event):
            seq += 1
            assert entry.feed_seq == seq, "the feed has a gap, or hides what is public"
            _audit_thin(floor, entry)
        else:
            assert entry.feed_seq is None, "the feed tells what is not public"
            assert entry.thin is None
        floor.journal.append((entry, floor.now))


def _audit_moves(
    floor: TradingFloor, event: e.Event, before: dict[str, str], move: Move | str
) -> None:
    for lead_id, state in _states(floor).items():
        if move == "list" and lead_id == event.lead_id:
            assert (before.get(lead_id), state) == (None, "available")
        elif lead_id in getattr(event, "lead_ids", (event.lead_id,)) and move != "":
            assert state in MOVES[before[lead_id], move], (before[lead_id], move, state)
        else:
            assert state == before[lead_id], "an event changed another lead"


def _is_told(floor: TradingFloor, event: e.Event) -> bool:
    if isinstance(event, HIDDEN) or (isinstance(event, e.QueueLeft) and event.reason == "left"):
        return False
    quarantined = floor.shadow.leads[event.lead_id].state == "quarantined"
    return not quarantined or isinstance(event, e.LeadQuarantined)


def _audit_thin(floor: TradingFloor, entry: Entry) -> None:
    assert entry.thin is not None
    assert type(entry.event) in e.PUBLIC_TYPE
    lead = floor.shadow.leads[entry.thin.lead_id]
    assert entry.thin == (
        entry.event.lead_id, lead.state, lead.price, lead.max_buyers, lead.seats_left
    )  # fmt: skip
    floor.feed[entry.thin.lead_id] = (lead.state, lead.max_buyers, lead.seats_left)


def _audit_terms(floor: TradingFloor, event: e.Event) -> None:
    """What an event says beyond who and where."""
    match event:
        case e.LeadSold():
            assert floor.shadow.leads[event.lead_id].state in ("available", "held")
        case e.HoldExtended():
            seat = seat_of(floor, event.lead_id, event.user_id)
            longest = _plan(floor, event.user_id).longest_us
            assert seat.held_until < event.held_until <= seat.first_held_at + longest
        case e.SeatOffered():
            lead = floor.shadow.leads[event.lead_id]
            assert event.user_id == floor.shadow.waiting.first(event.lead_id), "out of turn"
            assert event.offered_until == floor.now + floor.rules.offer_us
            assert (event.seat, event.price) == (lead.free_seat(), lead.price)
        case e.LeadListed() | e.LeadApproved() | e.LeadRelisted():
            floor.contests.commit(event.lead_id, event.commitment)
        case e.ClaimsDecided():
            floor.contests.read(event)


def _plan(floor: TradingFloor, user_id: str) -> Plan:
    return floor.naive.plans[user_id]


def _states(floor: TradingFloor) -> dict[str, str]:
    return {lead_id: lead.state for lead_id, lead in floor.shadow.leads.items()}


def seat_of(floor: TradingFloor, lead_id: str, user_id: str) -> Seat:
    seat = (floor.shadow.leads[lead_id].taken or {}).get(user_id)
    assert seat is not None, "an event about a seat that nobody has"
    return seat


def _move(floor: TradingFloor, event: e.Event) -> Move | str:
    """The move that an event is, "" for one that moves no lead."""
    lead = floor.shadow.leads.get(event.lead_id)
    is_seated = bool(lead and lead.taken and getattr(event, "user_id", None) in lead.taken)
    match event:
        case e.LeadSold():
            return "buy_held" if is_seated else "buy"
        case e.LeadHeld():
            return "accept" if is_seated else "hold"
        case e.LeadReleased(reason=reason):
            return "expire" if reason == "expired" else "release"
        case e.LeadWithdrawn(reason="merged"):
            return "merge"
        case e.QueueLeft(reason=reason):
            return "" if reason == "left" else "decline"
    if isinstance(event, QUIET):
        return ""
    return {
        e.LeadListed: "list",
        e.LeadUpdated: "update",
        e.HoldExtended: "extend",
        e.LeadWithdrawn: "withdraw",
        e.LeadQuarantined: "quarantine",
        e.LeadApproved: "approve",
        e.LeadRelisted: "relist",
        e.LeadsRepriced: "reprice",
        e.QueueJoined: "join",
        e.SeatOffered: "offer",
    }[type(event)]
