"""What happened in a market: the journal's entries, from which the state is folded."""

from __future__ import annotations

from typing import Literal

import msgspec

from engine.market.listing import Listing
from engine.market.standing_terms import StandingTerms

EndReason = Literal["released", "expired"]
LeaveReason = Literal["left", "declined", "expired"]


class _Event(msgspec.Struct, frozen=True, gc=False, tag_field="type", omit_defaults=True):
    """`lead_id` is what the event is about: of a standing order's events, the order's id."""

    lead_id: str


class EndedHold(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A hold that the market ended: its fee, in credits, is given back."""

    user_id: str
    fee: int


class ClaimEntry(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One claim as it was ranked: best first by `priority` (highest), `wins` (fewest), `draw`.

    `claim_id` stands for the buyer in this lead alone, `draw` is the tie-break, both hex;
    `engine.market.claims` says how they are made. `result` is "won" or "lost".
    """

    claim_id: str
    kind: Literal["buy", "hold", "standing"]
    user_id: str
    priority: int
    wins: int
    draw: str
    result: str
    standing_order_id: str | None = None


class LeadListed(_Event, frozen=True, tag="listed"):
    """`decide_at` (µs) is when claims on it are decided, 0 for as they come; `commitment` is
    the SHA-256 (hex) of the seed that will break ties. `unseen`: its quarantine comes right
    behind it, in the same commit, and the feed is told of neither."""

    price: int
    max_buyers: int
    listing: Listing
    decide_at: int = 0
    commitment: str = ""
    unseen: bool = False


class LeadUpdated(_Event, frozen=True, tag="updated"):
    listing: Listing


class LeadHeld(_Event, frozen=True, tag="held"):
    """Times in µs since the epoch. After the hold ends, `first_held_at` is remembered
    for `forget_after` µs."""

    user_id: str
    seat: int
    price: int
    hold: str
    first_held_at: int
    held_until: int
    forget_after: int
    fee: int = 0


class HoldExtended(_Event, frozen=True, tag="extended"):
    """`fee` is what the longer term costs on top, in credits."""

    user_id: str
    hold: str
    held_until: int
    forget_after: int
    fee: int = 0


class LeadReleased(_Event, frozen=True, tag="released"):
    user_id: str
    reason: EndReason


class LeadSold(_Event, frozen=True, tag="sold"):
    """`fee_credit` is the part of the hold's fee that counts towards the price, in credits."""

    user_id: str
    seat: int
    price: int
    order_id: str
    standing_order_id: str | None = None
    fee_credit: int = 0


class LeadWithdrawn(_Event, frozen=True, tag="withdrawn"):
    """Ends every hold on the lead, and the line for it."""

    reason: str
    merged_into: str | None = None
    ended: tuple[EndedHold, ...] = ()


class LeadQuarantined(_Event, frozen=True, tag="quarantined"):
    """Ends every hold on the lead, and the line for it. `unseen`: it was never on offer."""

    reason: str
    ended: tuple[EndedHold, ...] = ()
    unseen: bool = False


class LeadApproved(_Event, frozen=True, tag="approved"):
    """On offer anew; `decide_at` and `commitment` as of a listing."""

    decide_at: int = 0
    commitment: str = ""


class LeadRelisted(_Event, frozen=True, tag="relisted"):
    """On offer anew; `decide_at` and `commitment` as of a listing. `unseen`: its quarantine
    comes right behind it, and alone is told."""

    decide_at: int = 0
    commitment: str = ""
    unseen: bool = False


class QueueJoined(_Event, frozen=True, tag="queue_joined"):
    user_id: str


class SeatOffered(_Event, frozen=True, tag="offered"):
    """A free seat is kept for the first in line until `offered_until` (µs), at `price`
    (undiscounted); they are in line no more."""

    user_id: str
    seat: int
    price: int
    offered_until: int


class QueueLeft(_Event, frozen=True, tag="queue_left"):
    """A buyer left the line, or let an offered seat go: `declined` or `expired`."""

    user_id: str
    reason: LeaveReason


class ClaimsDecided(_Event, frozen=True, tag="claims_decided"):
    """A contest for the `seats` that were free: the seed committed to before, who stood
    where, and the commitment to the seed of the lead's next contest."""

    round: int
    seats: int
    seed: str
    next_commitment: str
    entries: tuple[ClaimEntry, ...]


class StandingPlaced(_Event, frozen=True, tag="standing_placed"):
    user_id: str
    terms: StandingTerms


class StandingChanged(_Event, frozen=True, tag="standing_changed"):
    terms: StandingTerms


class StandingCancelled(_Event, frozen=True, tag="standing_cancelled"):
    pass


class LeadsRepriced(_Event, frozen=True, tag="repriced"):
    """`lead_id` is the first of `lead_ids`; `prices` in step with them."""

    lead_ids: tuple[str, ...]
    prices: tuple[int, ...]
    reason: str


Event = (
    LeadListed
    | LeadUpdated
    | LeadHeld
    | HoldExtended
    | LeadReleased
    | LeadSold
    | LeadWithdrawn
    | LeadQuarantined
    | LeadApproved
    | LeadRelisted
    | LeadsRepriced
    | QueueJoined
    | SeatOffered
    | QueueLeft
    | ClaimsDecided
    | StandingPlaced
    | StandingChanged
    | StandingCancelled
)

# The feed's name of each event; a missing one is not public there.
PUBLIC_TYPE: dict[type, str] = {
    LeadListed: "lead.listed",
    LeadApproved: "lead.listed",
    LeadRelisted: "lead.listed",
    LeadUpdated: "lead.updated",
    HoldExtended: "lead.updated",
    LeadHeld: "lead.held",
    SeatOffered: "lead.held",
    LeadReleased: "lead.released",
    QueueLeft: "lead.released",
    LeadSold: "lead.sold",
    LeadWithdrawn: "lead.withdrawn",
    LeadQuarantined: "lead.quarantined",
}


def is_public(event: Event) -> bool:
    """Whether the feed tells of it: of a line only that a kept seat is free again."""
    if isinstance(event, QueueLeft):
        return event.reason != "left"
    if isinstance(event, (LeadListed, LeadRelisted, LeadQuarantined)) and event.unseen:
        return False
    return type(event) in PUBLIC_TYPE
