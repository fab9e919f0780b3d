"""A place in line."""

from __future__ import annotations

from pydantic import Field

from serve_apps.api.schemas.fields import AnswerModel, Instant
from serve_apps.api.schemas.leads import Teaser

_EXPECTED = (
    "by when a seat comes at the latest, unless a holder extends or buys or somebody ahead takes"
    " the seat offered to them; null if no seat is held any more, or one is offered"
)


class SeatOffer(AnswerModel):
    """A seat kept for the first in line: hold or buy the lead until then, or leave the line."""

    price: int = Field(description="undiscounted; your plan's discount applies at hold and buy")
    offered_until: Instant


class QueuePlace(AnswerModel):
    """A place in line for a seat of a lead whose seats are all taken."""

    lead_id: str
    position: int = Field(ge=0, description="1 is next; 0 once a seat is offered")
    waiting: int = Field(ge=0, description="how many are in line")
    expected_at: Instant | None = Field(description=_EXPECTED)


class OwnQueuePlace(QueuePlace):
    """A place as it is now, and the seat offered if there is one."""

    offer: SeatOffer | None


class QueueItem(OwnQueuePlace):
    """A place or an offer, and its lead."""

    lead: Teaser


class QueuePage(AnswerModel):
    """Seats offered, the soonest to end first, then places, the oldest first."""

    items: list[QueueItem]
    next_cursor: str | None
