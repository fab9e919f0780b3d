"""Was every refusal true at some moment between the question and its answer?

A book that was superseded, or looks at what was never committed, refuses by a state that
is not the market's.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from engine.market import commands as c
from engine.market.book import UNAVAILABLE, Book
from engine.market.commands import Refused
from engine.market.lead import QUARANTINED
from tests.simulation.audits.history import History
from tests.simulation.record import Asked, Record
from tests.simulation.world import World

ABOUT_A_LEAD = (c.Hold, c.Extend, c.Release, c.Buy, c.Join, c.Leave)
# Said of buyer or key before the lead is looked at.
BEFORE_THE_LEAD = ("forbidden", "plan-required", "idempotency-mismatch")


class Moment(NamedTuple):
    """A lead from one journal position on, and who has to do with it in which way."""

    position: int
    state: str
    holders: frozenset[str]
    owners: frozenset[str]
    in_line: frozenset[str]


class Past:
    """Every lead of a market, moment by moment."""

    def __init__(self, world: World, history: History) -> None:
        reached = world.reached[history.market]
        self._instants = [instant for instant, _ in reached]
        self._reached = [position for _, position in reached]
        self._moments: dict[str, list[Moment]] = {}
        book = Book()
        for row, event in history:
            book.apply(event, row.at)
            if event.lead_id in book.leads:
                moments = self._moments.setdefault(event.lead_id, [])
                moments.append(_moment(row.position, book, event.lead_id))

    def between(self, lead_id: str, since: float, until: float) -> list[Moment | None]:
        """What the lead was between two instants; None while it was not listed."""
        first = self._reached[bisect_right(self._instants, since) - 1]
        last = self._reached[bisect_right(self._instants, until) - 1]
        before: Moment | None = None
        found: list[Moment | None] = []
        for moment in self._moments.get(lead_id, []):
            if moment.position <= first:
                before = moment
            elif moment.position <= last:
                found.append(moment)
        return [before, *found]


def _moment(position: int, book: Book, lead_id: str) -> Moment:
    lead = book.leads[lead_id]
    seats = list((lead.taken or {}).items())
    unsold = [(user, seat) for user, seat in seats if seat.order_id is None]
    return Moment(
        position,
        lead.state,
        frozenset(user for user, seat in unsold if not seat.is_offer),
        frozenset(user for user, seat in seats if seat.order_id is not None),
        frozenset((*book.waiting.line(lead_id), *(u for u, seat in unsold if seat.is_offer))),
    )


def untrue_refusals(
    world: World, record: Record, histories: Mapping[str, History]
) -> Iterator[str]:
    pasts = {market: Past(world, history) for market, history in histories.items()}
    for asked in record.asked:
        if not asked.replies or not isinstance(asked.command, ABOUT_A_LEAD):
            continue
        answered_at, reply = asked.replies[0]
        if not isinstance(reply.answer, Refused):
            continue
        past = pasts[asked.market]
        moments = past.between(asked.command.lead_id, asked.asked_at, answered_at)
        if not any(_is_true(asked, reply.answer, moment) for moment in moments):
            yield f"{asked.command} was refused with {reply.answer}, which never was so: {moments}"


def _is_true(asked: Asked, refused: Refused, moment: Moment | None) -> bool:
    """Whether the refusal fits the moment, as far as the lead alone tells."""
    user = getattr(asked.command, "user_id", "")
    if refused.code == "not-found":
        return moment is None or moment.state == QUARANTINED
    if moment is None:
        return refused.code in BEFORE_THE_LEAD
    if refused.code == "lead-unavailable":
        # Lost to others who claimed it too, which the contest's record tells.
        is_contest = "were decided together" in refused.detail
        return is_contest or refused == UNAVAILABLE.get(moment.state)  # type: ignore[call-overload]
    if refused.code == "already-held":
        return user in moment.holders
    if refused.code in ("not-in-cart", "hold-expired"):
        return user not in moment.holders
    if refused.code == "already-queued":
        return user in moment.in_line
    if refused.code == "not-queued":
        return user not in moment.in_line
    if refused.code == "seat-available":
        return moment.state == "available"
    return True
