"""How a lead stood at any moment of its past, folded from its journal for one buyer.

It knows what a standing order's rules ask of a lead and no more. The book's own fold is in
`engine.market.book`; this one goes back in time, one lead at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import msgspec

from engine.market import events as e
from engine.market.listing import Listing

Because = Literal["listed", "relisted", "approved", "price"]
Own = Literal["", "held", "bought"]

_OPENED: dict[type, Because] = {
    e.LeadListed: "listed",
    e.LeadRelisted: "relisted",
    e.LeadApproved: "approved",
}


class Entry(NamedTuple):
    """A journal entry of one lead; `at` in µs. `price` is the lead's at a relisting or an
    approval, as the feed told it then."""

    position: int
    at: int
    event: e.Event
    price: int | None = None


class PricePoint(NamedTuple):
    """A lead's part of a price tick."""

    position: int
    at: int
    price: int


class Moment(NamedTuple):
    """When a lead was put to standing orders; `position` is that of the entry that did it."""

    position: int
    at: int
    because: Because

    def is_before(self, at: int, position: int) -> bool:
        """Whether it came before what was journalled at `at` µs as `position`."""
        return (self.at, self.position) < (at, position)


class LeadHistory:
    """One lead, as it stood when the entries applied so far were all there was.

    `listing_position` is that of the entry which said what `listing` says.
    """

    __slots__ = (
        "_offered",
        "_taken",
        "_user_id",
        "is_closed",
        "listing",
        "listing_position",
        "max_buyers",
        "opening",
        "price",
    )

    def __init__(self, user_id: str) -> None:
        self._user_id = user_id
        # Buyers with a seat, and whether it is bought.
        self._taken: dict[str, bool] = {}
        self.is_closed = True
        self.listing = Listing()
        self.listing_position = 0
        self.max_buyers = 0
        self.price = 0
        # Put on offer, and not yet put to standing orders.
        self.opening: Moment | None = None

    @property
    def is_available(self) -> bool:
        return not self.is_closed and len(self._taken) < self.max_buyers

    @property
    def own(self) -> Own:
        """The buyer's own seat of the lead; one that is offered to them is held."""
        bought = self._taken.get(self._user_id)
        return "" if bought is None else "bought" if bought else "held"

    def apply(self, entry: Entry) -> None:
        event = entry.event
        match event:
            case e.LeadListed() | e.LeadRelisted() | e.LeadApproved():
                self._open(entry, event)
            case e.LeadUpdated(listing=listing):
                self._say(listing, entry.position)
            case e.LeadHeld(user_id=user_id) | e.SeatOffered(user_id=user_id):
                self._taken[user_id] = False
            case e.LeadSold(user_id=user_id):
                self._taken[user_id] = True
            case e.LeadReleased(user_id=user_id):
                self._taken.pop(user_id, None)
            case e.QueueLeft(user_id=user_id, reason="declined" | "expired"):
                self._taken.pop(user_id, None)
            case e.LeadWithdrawn() | e.LeadQuarantined():
                self.is_closed, self.opening = True, None
                self._taken = {user: True for user, bought in self._taken.items() if bought}

    def _open(self, entry: Entry, event: e.LeadListed | e.LeadRelisted | e.LeadApproved) -> None:
        if isinstance(event, e.LeadListed):
            self.price, self.max_buyers = event.price, event.max_buyers
            self._say(event.listing, entry.position)
        elif entry.price is not None:
            self.price = entry.price
        self.is_closed = False
        self.opening = _opening(entry, event)

    def _say(self, listing: Listing, position: int) -> None:
        """The point stays where it was first listed, whatever is said of it later."""
        first = self.listing
        if first.latitude is not None or first.longitude is not None:
            listing = msgspec.structs.replace(
                listing,
                latitude=listing.latitude if first.latitude is None else first.latitude,
                longitude=listing.longitude if first.longitude is None else first.longitude,
            )
        self.listing, self.listing_position = listing, position


class LeadReplay:
    """A lead's entries, played forward as far as is asked. Never ask for an earlier moment."""

    __slots__ = ("_entries", "_next", "history")

    def __init__(self, entries: Sequence[Entry], user_id: str) -> None:
        self._entries = entries
        self._next = 0
        self.history = LeadHistory(user_id)

    def openings(self) -> list[Moment]:
        """Every time the lead was newly on offer: when standing orders were to be put to it."""
        return sorted(
            (
                _opening(entry, entry.event)
                for entry in self._entries
                if isinstance(entry.event, (e.LeadListed, e.LeadRelisted, e.LeadApproved))
            ),
            key=lambda moment: (moment.at, moment.position),
        )

    def open(self, moment: Moment) -> bool:
        """Play up to an opening's moment, before anything decided then. False if the lead was
        taken off offer before."""
        entries = self._entries
        while self._next < len(entries):
            entry = entries[self._next]
            if entry.position > moment.position and entry.at >= moment.at:
                break
            self._apply_next()
        if self.history.opening != moment:
            return False
        self.history.opening = None
        return True

    def reprice(self, position: int, price: int) -> bool:
        """Play up to a tick. False if standing orders are put to the lead later anyhow, since
        it is newly on offer."""
        entries = self._entries
        while self._next < len(entries) and entries[self._next].position < position:
            self._apply_next()
        self.history.price = price
        return self.history.opening is None

    def moments(self, points: Sequence[PricePoint]) -> Iterator[Moment]:
        """Play everything, pausing at each moment when standing orders were put to the lead."""
        openings = iter(self.openings())
        opening = next(openings, None)
        for point in (*points, None):
            while opening is not None and (
                point is None or opening.is_before(point.at, point.position)
            ):
                if self.open(opening):
                    yield opening
                opening = next(openings, None)
            if point is not None and self.reprice(point.position, point.price):
                yield Moment(point.position, point.at, "price")

    def _apply_next(self) -> None:
        self.history.apply(self._entries[self._next])
        self._next += 1


def _opening(entry: Entry, event: e.LeadListed | e.LeadRelisted | e.LeadApproved) -> Moment:
    return Moment(entry.position, max(entry.at, event.decide_at), _OPENED[type(event)])
