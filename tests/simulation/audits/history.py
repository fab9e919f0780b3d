"""A market's journal, read from the beginning: no gap, no seat given twice, nothing kept
beyond its deadline, nobody passed over."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import msgspec

from engine.market import events as e
from engine.market.book import Book
from engine.market.claims import claim_id_of, commitment_of, draw_of
from engine.market.lead import Lead
from tests.simulation.world import World

_decode = msgspec.json.Decoder(e.Event).decode
OPENED = (e.LeadListed, e.LeadApproved, e.LeadRelisted)


class History:
    """The journal's rows in order, their events, and the book they fold to."""

    def __init__(self, world: World, market: str) -> None:
        self.market = market
        rows = (row for row in world.tables.market_events.rows.values() if row.market == market)
        self.rows: list[Any] = sorted(rows, key=lambda row: row.position)
        self.events: list[e.Event] = [_decode(row.event) for row in self.rows]
        self.folded = Book()

    def __iter__(self) -> Iterator[tuple[Any, e.Event]]:
        return zip(self.rows, self.events, strict=True)


def wrong_history(world: World, history: History) -> Iterator[str]:
    """Folds it, too."""
    yield from _gaps(world, history)
    committed = {position for _, position in world.reached[history.market]}
    book = history.folded
    commitments: dict[str, str] = {}
    for row, event in history:
        yield from _untimely(book, event, row.at)
        yield from _unfair(book, event, commitments)
        if isinstance(event, OPENED):
            commitments[event.lead_id] = event.commitment
        book.apply(event, row.at)
        if isinstance(event, e.ClaimsDecided):
            commitments[event.lead_id] = event.next_commitment
        lead = book.leads.get(event.lead_id)
        if lead is not None:
            yield from _wrong_seats(event.lead_id, lead)
        if row.position in committed:
            yield from _passed_over(book)


def _gaps(world: World, history: History) -> Iterator[str]:
    ends = world.tables.markets.rows[history.market]
    if [row.position for row in history.rows] != list(range(1, ends.position + 1)):
        yield f"the journal has a gap, or ends elsewhere than at {ends.position}"
    seqs = [row.feed_seq for row in history.rows if row.feed_seq is not None]
    if seqs != list(range(1, ends.feed_seq + 1)):
        yield f"the feed has a gap, or ends elsewhere than at {ends.feed_seq}"
    if any(one.at > other.at for one, other in itertools.pairwise(history.rows)):
        yield "the journal's time goes back"


def _untimely(book: Book, event: e.Event, at: int) -> Iterator[str]:
    """Holds and offers end at their deadline, neither before nor after."""
    expires = isinstance(event, (e.LeadReleased, e.QueueLeft)) and event.reason == "expired"
    offered = isinstance(event, e.SeatOffered)
    for lead_id, lead in book.leads.items():
        for user_id, seat in (lead.taken or {}).items():
            if seat.order_id is not None:
                continue
            if expires and (lead_id, user_id) == (event.lead_id, getattr(event, "user_id", None)):
                if at < seat.held_until:
                    yield f"{event} {seat.held_until - at} µs too early"
            elif not (expires or offered) and at >= seat.held_until:
                yield f"{user_id} still held {lead_id} {at - seat.held_until} µs past the deadline"


def _wrong_seats(lead_id: str, lead: Lead) -> Iterator[str]:
    numbers = [seat.number for seat in (lead.taken or {}).values()]
    if len(set(numbers)) < len(numbers) or any(n > lead.max_buyers for n in numbers):
        yield f"{lead_id} has its seats {numbers} taken of {lead.max_buyers}"
    if lead.sold + lead.held != len(numbers) or len(numbers) > lead.max_buyers:
        yield f"{lead_id} counts {lead.sold} and {lead.held} of {len(numbers)} seats"


def _passed_over(book: Book) -> Iterator[str]:
    for lead_id, line in book.waiting.lines.items():
        if book.leads[lead_id].state != "held":
            yield f"{line} wait for {lead_id}, which is {book.leads[lead_id].state}"


def _unfair(book: Book, event: e.Event, commitments: dict[str, str]) -> Iterator[str]:
    """A contest follows the seed that was committed to, and its order the published rule."""
    if not isinstance(event, e.ClaimsDecided):
        return
    lead = book.leads[event.lead_id]
    if commitment_of(event.seed) != commitments[event.lead_id]:
        yield f"the contest of {event.lead_id} has another seed than was committed to"
    if (event.round, event.seats) != (lead.rounds, lead.seats_left):
        yield f"{event} is round {lead.rounds} for {lead.seats_left} seats"
    for entry in event.entries:
        claim_id = claim_id_of(entry.user_id, event.lead_id)
        if (entry.claim_id, entry.draw) != (claim_id, draw_of(event.seed, claim_id)):
            yield f"{entry} has another draw than the seed gives"
    order = [(-entry.priority, entry.wins, entry.draw) for entry in event.entries]
    if order != sorted(order):
        yield f"{event.lead_id} was contested in the order {order}"
    winners = {entry.user_id for entry in event.entries if entry.result == "won"}
    if len(winners) > event.seats:
        yield f"{len(winners)} won {event.seats} seats of {event.lead_id}"
