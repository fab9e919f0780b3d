"""Was every refusal true at some moment between the question and its answer?

A book that was superseded, or looks at what was never committed, refuses by a state that
is not the market's.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from engine.market import commands as c
from engine.market import events as e
from engine.market.book import UNAVAILABLE, Book
from engine.market.commands import Refused
from engine.market.lead import QUARANTINED, Lead

if TYPE_CHECKING:
    from tests.simulation.activity import Activity, Asked
    from tests.simulation.world import World

_decode_event = msgspec.json.Decoder(e.Event).decode
BUYERS = (c.Hold, c.Extend, c.Release, c.Buy)


class Moment(NamedTuple):
    """A lead from one journal position on: its state, and who has which kind of seat."""

    position: int
    state: str
    holders: frozenset[str]
    owners: frozenset[str]


class Past:
    """Every lead of a market, moment by moment."""

    def __init__(self, world: World, market: str) -> None:
        self._instants = [instant for instant, _ in world.reached[market]]
        self._reached = [position for _, position in world.reached[market]]
        self._moments: dict[str, list[Moment]] = {}
        book = Book()
        rows = [row for row in world.tables.market_events.rows.values() if row.market == market]
        for row in sorted(rows, key=lambda row: row.position):
            event = _decode_event(row.event)
            book.apply(event, row.at)
            moments = self._moments.setdefault(event.lead_id, [])
            moments.append(_moment(row.position, book.leads[event.lead_id]))

    def between(self, lead_id: str, since: float, until: float) -> list[Moment | None]:
        """What the lead was between two instants; None while it was not listed."""
        first = self._reached[bisect_right(self._instants, since) - 1]
        last = self._reached[bisect_right(self._instants, until) - 1]
        moments = self._moments.get(lead_id, [])
        before: Moment | None = None
        found: list[Moment | None] = []
        for moment in moments:
            if moment.position <= first:
                before = moment
            elif moment.position <= last:
                found.append(moment)
        return [before, *found]


def _moment(position: int, lead: Lead) -> Moment:
    taken = lead.taken or {}
    return Moment(
        position,
        lead.state,
        frozenset(user for user, seat in taken.items() if seat.order_id is None),
        frozenset(user for user, seat in taken.items() if seat.order_id is not None),
    )


def untrue_refusals(world: World, activity: Activity) -> Iterator[str]:
    pasts: dict[str, Past] = {}
    for asked in activity.asked:
        if not asked.replies or not isinstance(asked.command, BUYERS):
            continue
        answered_at, reply = asked.replies[0]
        if not isinstance(reply.answer, Refused):
            continue
        if asked.market not in pasts:
            pasts[asked.market] = Past(world, asked.market)
        moments = pasts[asked.market].between(asked.command.lead_id, asked.asked_at, answered_at)
        if not any(_is_true(asked, reply.answer, moment) for moment in moments):
            yield f"{asked.command} was refused with {reply.answer}, which never was so: {moments}"


def _is_true(asked: Asked, refused: Refused, moment: Moment | None) -> bool:
    """Whether the refusal fits the moment, as far as the lead alone tells."""
    user = asked.command.user_id  # type: ignore[union-attr]
    if refused.code == "not-found":
        return moment is None or moment.state == QUARANTINED
    if moment is None:
        # Of an unknown lead some things are said of the buyer first.
        return refused.code in ("forbidden", "plan-required")
    if refused.code == "lead-unavailable":
        return refused == UNAVAILABLE.get(moment.state)  # type: ignore[call-overload]
    if refused.code == "already-held":
        return user in moment.holders
    if refused.code in ("not-in-cart", "hold-expired"):
        return user not in moment.holders
    return True
