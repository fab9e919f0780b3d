"""What holds of a lead of which several records speak, and what its market's book must hear."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import msgspec

from engine.intake.assignment import Offered, Standing
from engine.intake.fraud.verdict import Review
from engine.intake.listing import GONE_STATUSES, LISTABLE_STATUSES
from engine.intake.offer import starting_parts
from engine.intake.prepared import Stated
from engine.intake.quality import agreement_of, quality_of_lead
from engine.intake.survivorship import survive
from engine.market.commands import (
    Approve,
    Command,
    ListLead,
    Quarantine,
    Relist,
    UpdateLead,
    Withdraw,
)
from engine.market.listing import Listing, QualityParts
from engine.market.pricing.parts import pack, price_of

_encode = msgspec.msgpack.Encoder().encode
_UNSUSPECTED = Review()


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
    lead_id: str,
    listing: Listing,
    seats: int,
    standing: Standing,
    unclear: bool,
    review: Review = _UNSUSPECTED,
) -> Iterator[Command]:
    """What the book must hear of a lead of which `listing` holds now, in this order: it is
    hidden before what is suspicious about it is told, and shown only after it.

    `unclear`: it was under review when it was withdrawn.
    """
    status = listing.standard_status
    offered = standing.identity.offered
    hide = review.because if review.is_hidden else ""
    if offered == "never":
        if status in LISTABLE_STATUSES and not review.is_rejected:
            made = starting_parts(listing, seats)
            yield ListLead(lead_id, price_of(made), seats, listing, pack(made), hide)
        return
    is_listed = offered == "listed"
    if is_listed and review.is_rejected:
        yield Withdraw(lead_id, review.because)
    elif is_listed and status not in GONE_STATUSES and hide and not review.was_hidden:
        yield Quarantine(lead_id, hide)
    if standing.told != listing_digest(listing):
        yield UpdateLead(lead_id, listing)
    if review.is_rejected:
        return
    if is_listed and status in GONE_STATUSES:
        yield Withdraw(lead_id, f"{status} at its source")
    elif is_listed and review.was_hidden and not hide:
        yield Approve(lead_id)
    # Quarantined by an operator before it was withdrawn: coming back is for one to decide.
    elif (
        offered == "withdrawn"
        and status in LISTABLE_STATUSES
        and (review.was_hidden or not unclear)
    ):
        yield Relist(lead_id, hide)


def offered_after(before: Offered, news: Sequence[Command]) -> Offered:
    for command in news:
        if isinstance(command, (ListLead, Relist)):
            return "listed"
        if isinstance(command, Withdraw):
            return "withdrawn"
    return before


def listing_digest(listing: Listing) -> bytes:
    return hashlib.blake2b(_encode(listing), digest_size=16).digest()
