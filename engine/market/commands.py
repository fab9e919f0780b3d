"""What can be asked of a market. Ids and credits travel as data; nothing here has behaviour."""

from __future__ import annotations

from typing import Literal

import msgspec

from engine.market.listing import Listing
from engine.market.standing_terms import StandingTerms

REPRICE_LEADS_MAX = 2000


class _Command(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=True):
    pass


class ListLead(_Command, frozen=True):
    """Offer a lead at `price` credits with `max_buyers` seats. `parts` are the packed parts of
    the price (`engine.market.pricing.parts`), empty if nobody knows them. `quarantine` is why
    it must not be seen before somebody has looked at it, empty if it is offered at once."""

    lead_id: str
    price: int
    max_buyers: int
    listing: Listing
    parts: bytes = b""
    quarantine: str = ""


class UpdateLead(_Command, frozen=True):
    lead_id: str
    listing: Listing


class Withdraw(_Command, frozen=True):
    lead_id: str
    reason: str
    merged_into: str | None = None


class Merge(_Command, frozen=True):
    """Two leads are one: the one furthest along stays, and `lead_id`, the older, of equals.

    Sold out goes before quarantined, then seats sold, seats held, available, withdrawn. The
    other is withdrawn with `merged_into`; of two sold out both stay.
    """

    lead_id: str
    other_id: str


class Quarantine(_Command, frozen=True):
    lead_id: str
    reason: str


class Approve(_Command, frozen=True):
    """Release a lead from quarantine."""

    lead_id: str


class Relist(_Command, frozen=True):
    """Offer a withdrawn lead again; seats sold stay sold. `quarantine` as of a listing."""

    lead_id: str
    quarantine: str = ""


class Reprice(_Command, frozen=True):
    """New prices of at most 2,000 leads, in step with `lead_ids`.

    With `previous`, in step too, a lead whose price is no longer that one is left out.
    `parts` are the packed parts of each price; without them what made the old price is
    forgotten with it.
    """

    lead_ids: tuple[str, ...]
    prices: tuple[int, ...]
    reason: str
    previous: tuple[int, ...] = ()
    parts: tuple[bytes, ...] = ()


class Hold(_Command, frozen=True):
    lead_id: str
    user_id: str
    term: str


class Extend(_Command, frozen=True):
    lead_id: str
    user_id: str
    term: str


class Release(_Command, frozen=True):
    lead_id: str
    user_id: str


class Buy(_Command, frozen=True):
    """Buy one seat, from the buyer's own hold if there is one. `from_cart` requires the hold."""

    lead_id: str
    user_id: str
    order_id: str
    max_price: int | None = None
    from_cart: bool = False


class Join(_Command, frozen=True):
    """Wait in line for a seat of a lead whose seats are all taken."""

    lead_id: str
    user_id: str


class Leave(_Command, frozen=True):
    """Leave the line, or decline the seat that was offered from it."""

    lead_id: str
    user_id: str


class PlaceStanding(_Command, frozen=True):
    standing_order_id: str
    user_id: str
    terms: StandingTerms


class ChangeStanding(_Command, frozen=True):
    """New terms for a standing order that is still at `revision`."""

    standing_order_id: str
    user_id: str
    terms: StandingTerms
    revision: int


class CancelStanding(_Command, frozen=True):
    standing_order_id: str
    user_id: str


BuyerCommand = (
    Hold | Extend | Release | Buy | Join | Leave | PlaceStanding | ChangeStanding | CancelStanding
)
Command = (
    ListLead
    | UpdateLead
    | Withdraw
    | Merge
    | Quarantine
    | Approve
    | Relist
    | Reprice
    | Hold
    | Extend
    | Release
    | Buy
    | Join
    | Leave
    | PlaceStanding
    | ChangeStanding
    | CancelStanding
)

RefusalCode = Literal[
    "not-found",
    "lead-unavailable",
    "already-bought",
    "already-held",
    "hold-expired",
    "hold-limit",
    "price-changed",
    "not-in-cart",
    "plan-required",
    "insufficient-credits",
    "seat-available",
    "already-queued",
    "not-queued",
    "queue-full",
    "standing-order-limit",
    "changed-meanwhile",
    "forbidden",
    "validation",
    "idempotency-mismatch",
]


class Refused(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=True):
    """A decided no. `detail` is for people and names no other buyer."""

    code: RefusalCode
    detail: str
