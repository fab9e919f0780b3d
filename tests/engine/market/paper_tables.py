"""The tables of one market on paper: what a flush writes, and the book that loads from them.

Only what an Outcome names is copied, as the store does it, so that what a batch changed
without saying so is missing after a restart.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import NamedTuple

from engine.market.book import Book
from engine.market.lead import Lead, PastHold, Seat
from engine.market.outcome import Outcome, Tick
from engine.market.rules import RECENT_WINS_US
from engine.market.standing_orders import StandingOrder
from engine.market.standing_rules import local_day
from engine.market.standing_terms import StandingTerms

Pair = tuple[str, str]


class LeadRow(NamedTuple):
    price: int
    max_buyers: int
    state: str
    sold: int
    held: int
    decide_at: int
    rounds: int


class StandingRow(NamedTuple):
    user_id: str
    terms: StandingTerms
    revision: int
    bought: int
    spent: int
    placed_at: int


class PaperTables:
    def __init__(self) -> None:
        self.leads: dict[str, LeadRow] = {}
        self.seats: dict[Pair, Seat] = {}
        # What other markets read of this one: (live holds, their value) by buyer.
        self.hold_counts: dict[str, tuple[int, int]] = {}
        self.past: dict[Pair, PastHold] = {}
        self.places: dict[Pair, int] = {}
        self.merged_into: dict[str, str] = {}
        self.standing: dict[str, StandingRow] = {}
        # (standing order, day) of what standing orders bought; (buyer, instant) of contests won.
        self.fills: list[tuple[str, int]] = []
        self.wins: list[tuple[str, int]] = []
        self.ticks: list[Tick] = []
        self.matched_position = 0

    # --- write -----------------------------------------------------------------------

    def write(self, outcome: Outcome, book: Book, now: int) -> None:
        for lead_id, lead in outcome.leads.items():
            assert lead is book.leads[lead_id]
            self._write_lead(lead_id, lead)
        for lead_id in outcome.listed:
            self._write_lead(lead_id, book.leads[lead_id])
        for lead_id, into in outcome.merged_into.items():
            self.merged_into.pop(lead_id, None)
            if into is not None:
                self.merged_into[lead_id] = into
        for user_id in outcome.holders:
            count = (book.holds_of.get(user_id, 0), book.value_of.get(user_id, 0))
            self.hold_counts[user_id] = count
        self._write_seats(outcome, book)
        self._write_places(outcome, book)
        for id_, order in outcome.standing.items():
            self.standing[id_] = _standing_row(order)
        for id_ in outcome.cancelled:
            del self.standing[id_]
        today = local_day(now, book.rules.zone)
        self.fills += [
            (sale.standing_order_id, today) for sale in outcome.sales if sale.standing_order_id
        ]
        self.wins += [
            (entry.user_id, now)
            for contest in outcome.contests
            for entry in contest.entries
            if entry.result == "won"
        ]
        self.ticks += outcome.ticks
        self.matched_position = outcome.matched_position

    def _write_lead(self, lead_id: str, lead: Lead) -> None:
        self.leads[lead_id] = LeadRow(
            lead.price,
            lead.max_buyers,
            lead.state,
            lead.sold,
            lead.held,
            lead.decide_at,
            lead.rounds,
        )

    def _write_seats(self, outcome: Outcome, book: Book) -> None:
        for pair in outcome.ended:
            self.seats.pop(pair, None)
        for lead_id, user_id in outcome.seats:
            seat = (book.leads[lead_id].taken or {}).get(user_id)
            if seat is not None:
                self.seats[lead_id, user_id] = copy(seat)
        for lead_id, user_id in outcome.past_holds:
            self.past.pop((lead_id, user_id), None)
            past = (book.leads[lead_id].past or {}).get(user_id)
            if past is not None:
                self.past[lead_id, user_id] = past
        numbers = [(lead_id, seat.number) for (lead_id, _), seat in self.seats.items()]
        assert len(set(numbers)) == len(numbers), "two rows for one seat"

    def _write_places(self, outcome: Outcome, book: Book) -> None:
        for pair in outcome.left:
            self.places.pop(pair, None)
        for pair, position in outcome.joined.items():
            assert pair not in self.places, "in line twice"
            self.places[pair] = position

    # --- read ------------------------------------------------------------------------

    def load(self, make_book: Callable[[], Book], now: int) -> Book:
        book = make_book()
        for lead_id, row in self.leads.items():
            book.load_lead(lead_id, Lead(*row))
        for (lead_id, user_id), seat in self.seats.items():
            book.load_seat(lead_id, user_id, copy(seat))
        for (lead_id, user_id), past in self.past.items():
            book.load_past(lead_id, user_id, past)
        for lead_id, into in self.merged_into.items():
            book.load_merge(lead_id, into)
        for (lead_id, user_id), _ in sorted(self.places.items(), key=lambda place: place[1]):
            book.waiting.join(lead_id, user_id)
        today = local_day(now, book.rules.zone)
        for id_, row in self.standing.items():
            book.standing.put(
                StandingOrder(
                    id_,
                    row.user_id,
                    row.terms,
                    placed_at=row.placed_at,
                    revision=row.revision,
                    bought=row.bought,
                    spent=row.spent,
                    day=today,
                    bought_today=self.fills.count((id_, today)),
                )
            )
        for user_id, at in self.wins:
            if at > now - RECENT_WINS_US:
                book.claims.won(user_id, at)
        for position, tick, _ in self.ticks:
            if position > self.matched_position:
                book.claims.tick(tick.lead_ids, position)
        return book


def _standing_row(order: StandingOrder) -> StandingRow:
    return StandingRow(
        order.user_id, order.terms, order.revision, order.bought, order.spent, order.placed_at
    )
