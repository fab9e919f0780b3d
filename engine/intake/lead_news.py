"""What holds of a lead of which several records speak, and what its market's book must hear."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import msgspec

from engine.intake.assignment import Offered, Standing
from engine.intake.listing import GONE_STATUSES, LISTABLE_STATUSES
from engine.intake.offer import starting_parts
from engine.intake.prepared import Stated
from engine.intake.quality import agreement_of, quality_of_lead
from engine.intake.survivorship import survive
from engine.market.commands import Command, ListLead, Relist, UpdateLead, Withdraw
from engine.market.listing import Listing, QualityParts
from engine.market.pricing.parts import pack, price_of

_encode = msgspec.msgpack.Encoder().encode


def offer_of(said: Sequence[Stated], seats_left: int | None) -> tuple[Listing, int]:
    """The listing of a lead of which this is said, and the seats it would have."""
    listing = survive([each.claim() for each in said]).listing
    agreement = agreement_of([each.listing for each in said])
    quality = quality_of_lead([each.quality for each in said], agreement)
    seats = min(each.seats for each in said)
    if seats_left is not None:
        seats = min(seats, seats_left)
    listing = msgspec.structs.replace(
        listing, quality=quality.score, quality_parts=QualityParts(**quality._asdict())
    )
    return listing, seats


def news_of(
    lead_id: str, listing: Listing, seats: int, standing: Standing, unclear: bool
) -> Iterator[Command]:
    """What the book must hear of a lead of which `listing` holds now.

    `unclear`: it was under review when it was withdrawn.
    """
    status = listing.standard_status
    offered = standing.identity.offered
    if offered == "never":
        if status in LISTABLE_STATUSES:
            made = starting_parts(listing, seats)
            yield ListLead(lead_id, price_of(made), seats, listing, pack(made))
        return
    if standing.told != listing_digest(listing):
        yield UpdateLead(lead_id, listing)
    if offered == "listed" and status in GONE_STATUSES:
        yield Withdraw(lead_id, f"{status} at its source")
    # Quarantined before it was withdrawn: coming back is for a reviewer to decide.
    elif offered == "withdrawn" and status in LISTABLE_STATUSES and not unclear:
        yield Relist(lead_id)


def offered_after(before: Offered, news: Sequence[Command]) -> Offered:
    for command in news:
        if isinstance(command, (ListLead, Relist)):
            return "listed"
        if isinstance(command, Withdraw):
            return "withdrawn"
    return before


def listing_digest(listing: Listing) -> bytes:
    return hashlib.blake2b(_encode(listing), digest_size=16).digest()
