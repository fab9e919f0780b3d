"""The book's state beside the naive market's, and what must hold of any state."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from engine.market.book_state import HEAP_SLACK
from engine.market.fingerprint import fingerprint
from engine.market.lead import Lead, Seat
from engine.market.outcome import Outcome

if TYPE_CHECKING:
    from tests.engine.market.trading_floor import TradingFloor


def audit_state(floor: TradingFloor, outcome: Outcome) -> None:
    """Raises AssertionError unless the book is as the naive market, the journal and the
    tables say."""
    book, naive = floor.book, floor.naive
    for lead_id, lead in book.leads.items():
        _audit_lead(lead)
        assert lead.state == naive.state(lead_id)
        facts = naive.leads[lead_id]
        assert (lead.price, lead.rounds) == (facts.price, facts.rounds)
        assert lead.decide_at == (facts.decide_at if lead_id in naive.undecided else 0)
        if lead.state != "quarantined":
            assert floor.feed[lead_id] == (lead.state, lead.max_buyers, lead.seats_left)
        for user_id, seat in (lead.taken or {}).items():
            assert seat.order_id or seat.held_until > floor.now, "it outlived its deadline"
            assert _facts(seat) == _naive_facts(floor, lead_id, user_id)
    assert len(naive.seats) == sum(len(lead.taken or {}) for lead in book.leads.values())
    _audit_line(floor)
    _audit_claims(floor)
    _audit_holds(floor)
    _audit_standing(floor)
    if outcome.changes():
        _audit_copies(floor)


def _audit_copies(floor: TradingFloor) -> None:
    """The journal and the tables, each by itself, come to the state of the book."""
    state = fingerprint(floor.book, floor.now)
    assert state == fingerprint(floor.shadow, floor.now), "the journal tells another state"
    again = floor.tables.load(lambda: floor.make_book(floor.rules), floor.now)
    assert state == fingerprint(again, floor.now), "the tables tell another state"
    counts = {user: count for user, count in floor.tables.hold_counts.items() if count != (0, 0)}
    assert counts == {
        user: (count, floor.book.value_of[user]) for user, count in floor.book.holds_of.items()
    }


def _audit_lead(lead: Lead) -> None:
    """The lead's seats add up."""
    taken = lead.taken if lead.taken is not None else {}
    assert lead.taken is None or taken, "an empty dict is kept"
    numbers = Counter(seat.number for seat in taken.values())
    assert all(count == 1 for count in numbers.values()), "a seat was given twice"
    assert all(1 <= number <= lead.max_buyers for number in numbers), "a seat that is not there"
    held = sum(seat.order_id is None for seat in taken.values())
    assert (lead.sold, lead.held) == (len(taken) - held, held)
    assert 0 <= lead.seats_left <= lead.max_buyers
    assert lead.state not in ("withdrawn", "quarantined") or held == 0


def _audit_line(floor: TradingFloor) -> None:
    lines = floor.book.waiting.lines
    assert lines == {lead_id: line for lead_id, line in floor.naive.line.items() if line}
    for lead_id, line in lines.items():
        lead = floor.book.leads[lead_id]
        assert lead.state == "held", "somebody waits for a seat that is free, or for none"
        assert len(set(line)) == len(line), "in line twice"
        assert not set(line) & set(lead.taken or {}), "in line with a seat"


def _audit_claims(floor: TradingFloor) -> None:
    desk, naive = floor.book.claims, floor.naive
    for lead_id in floor.book.leads:
        claims = [claim.request for claim in naive.claims.get(lead_id, ())]
        assert desk.collected(lead_id) == claims
    awaited = [naive.leads[lead_id].decide_at for lead_id in naive.undecided]
    awaited += [0 for _ in naive.repriced]
    at = desk.next_at()
    assert not awaited or (at is not None and at <= min(awaited)), "would be decided too late"


def _audit_holds(floor: TradingFloor) -> None:
    book, naive = floor.book, floor.naive
    holds, value = Counter[str](), Counter[str]()
    for (_, user_id), seat in naive.seats.items():
        if seat.kind == "held":
            holds[user_id] += 1
            value[user_id] += seat.price
    assert book.holds_of == holds
    assert book.value_of == value
    assert book.live_holds == holds.total()
    until = [seat.until for seat in naive.seats.values() if seat.kind != "sold"]
    assert book.live_offers == len(until) - holds.total()
    floor.most_deadlines = max(floor.most_deadlines, len(until))
    assert len(book._deadlines) <= 2 * floor.most_deadlines + HEAP_SLACK
    deadline = book.next_deadline()
    assert not until or (deadline is not None and deadline <= min(until))


def _audit_standing(floor: TradingFloor) -> None:
    live = {id_: order for id_, order in floor.naive.orders.items() if order.is_live}
    assert floor.book.standing.orders.keys() == live.keys()
    for id_, order in floor.book.standing.orders.items():
        naive = live[id_]
        assert (order.user_id, order.terms, order.revision) == (
            naive.user_id, naive.terms, naive.revision
        )  # fmt: skip
        assert (order.bought, order.spent) == (len(naive.fills), naive.spent)


def _facts(seat: Seat) -> tuple[object, ...]:
    kind = "sold" if seat.order_id is not None else "offered" if seat.is_offer else "held"
    until = 0 if kind == "sold" else seat.held_until
    return (seat.number, seat.price, kind, seat.hold or "", until, seat.fee)


def _naive_facts(floor: TradingFloor, lead_id: str, user_id: str) -> tuple[object, ...]:
    seat = floor.naive.seats[lead_id, user_id]
    return (seat.number, seat.price, seat.kind, seat.term, seat.until, seat.fee)
