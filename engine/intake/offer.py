"""The terms on which a new lead is offered: seats and the first price.

The rules are published: they are the tables below, whole numbers in and out.
"""

from __future__ import annotations

from engine.intake.record import SourceRecord
from engine.market.listing import Listing
from engine.market.pricing.parts import PriceParts, price_of
from engine.market.pricing.policies import LISTED

# (who offers the property, to whom) -> how many buyers may have the lead.
SEATS = {
    ("owner", "sale"): 1,
    ("owner", "lease"): 3,
    ("other", "sale"): 3,
    ("other", "lease"): 3,
}

PRICE_LEAST, PRICE_MOST = 5, 120
# A sale costs 8 credits and one more for each 25,000 USD; a lease 4 and one more for
# each 400 USD a month; each up to its cap. Without a list price the fixed part stands.
_SALE = (8, 25_000, 40)
_LEASE = (4, 400, 16)
# The only buyer of a lead pays for the others' seats too.
_EXCLUSIVE_FACTOR = 2


def seats_for(record: SourceRecord) -> int:
    """`max_buyers` of a record's lead: owners selling by themselves are exclusive."""
    offered_by = "owner" if record.extra.get("listed_by") == "owner" else "other"
    return SEATS[offered_by, "lease" if _is_lease(record.property_type) else "sale"]


def starting_price(listing: Listing, max_buyers: int) -> int:
    """Credits, 5 to 120: base by list price, times (0.5 + quality), twice if exclusive.

    Raises ValueError when `max_buyers` is below 1.
    """
    return price_of(starting_parts(listing, max_buyers))


def starting_parts(listing: Listing, max_buyers: int) -> PriceParts:
    """What makes the starting price: the base in thousandths of a credit, within the bounds."""
    if max_buyers < 1:
        raise ValueError(f"max_buyers is {max_buyers}; a lead needs at least one seat")
    fixed, dollars_per_credit, most = _LEASE if _is_lease(listing.property_type) else _SALE
    base = min(most, fixed + (listing.list_price or 0) // dollars_per_credit)
    per_mille = 500 + min(1000, max(0, round(listing.quality * 1000)))
    exclusive = _EXCLUSIVE_FACTOR if max_buyers == 1 else 1
    return PriceParts(LISTED, base * per_mille * exclusive, floor=PRICE_LEAST, ceiling=PRICE_MOST)


def _is_lease(property_type: str | None) -> bool:
    return property_type is not None and property_type.endswith("Lease")
