"""What happened in a market: the journal's entries, from which the state is folded."""

from __future__ import annotations

from typing import Literal

import msgspec

from engine.market.listing import Listing

EndReason = Literal["released", "expired"]


class _Event(msgspec.Struct, frozen=True, gc=False, tag_field="type", omit_defaults=True):
    lead_id: str


class LeadListed(_Event, frozen=True, tag="listed"):
    price: int
    max_buyers: int
    listing: Listing


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


class HoldExtended(_Event, frozen=True, tag="extended"):
    user_id: str
    hold: str
    held_until: int
    forget_after: int


class LeadReleased(_Event, frozen=True, tag="released"):
    user_id: str
    reason: EndReason


class LeadSold(_Event, frozen=True, tag="sold"):
    user_id: str
    seat: int
    price: int
    order_id: str


class LeadWithdrawn(_Event, frozen=True, tag="withdrawn"):
    """Ends every hold on the lead."""

    reason: str
    merged_into: str | None = None


class LeadQuarantined(_Event, frozen=True, tag="quarantined"):
    """Ends every hold on the lead."""

    reason: str


class LeadApproved(_Event, frozen=True, tag="approved"):
    pass


class LeadRelisted(_Event, frozen=True, tag="relisted"):
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
)

# The feed's name of each event; a missing one is not public there.
PUBLIC_TYPE: dict[type, str] = {
    LeadListed: "lead.listed",
    LeadApproved: "lead.listed",
    LeadRelisted: "lead.listed",
    LeadUpdated: "lead.updated",
    HoldExtended: "lead.updated",
    LeadHeld: "lead.held",
    LeadReleased: "lead.released",
    LeadSold: "lead.sold",
    LeadWithdrawn: "lead.withdrawn",
    LeadQuarantined: "lead.quarantined",
}
