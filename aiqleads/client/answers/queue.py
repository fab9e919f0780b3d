"""Places in line."""

from __future__ import annotations

from aiqleads.client.answers.fields import Answer, Instant
from aiqleads.client.answers.leads import Teaser


class SeatOffer(Answer, frozen=True, kw_only=True):
    """A seat kept for the first in line: hold or buy the lead until then, or leave the line.

    `price` is undiscounted.
    """

    price: int
    offered_until: Instant


class Place(Answer, frozen=True, kw_only=True):
    """A place in line for a lead whose seats are all taken.

    `position` 1 is next, 0 has a seat offered; `expected_at` is when a seat comes at the
    latest if nobody extends or buys.
    """

    lead_id: str
    position: int
    waiting: int
    expected_at: Instant | None = None
    offer: SeatOffer | None = None


class QueueItem(Place, frozen=True, kw_only=True):
    """A place or an offer, and its lead."""

    lead: Teaser
