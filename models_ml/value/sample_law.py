"""The law behind simulated decisions: what buyers of the sample world would pay for a lead.

It is invented, and it is anchored: its level over a world is that of the published listing
table (engine/intake/offer.py), from which it differs in shape. The median buyer's value is

    V = table base of the list price * (0.5 + q) * E * exp(C + K + level)

    q: the quality's parts, weighted for who has to call (WEIGHTS) instead of for showing;
    E: EXCLUSIVE for the only buyer, 1 for each of several;
    C: cheaper than homes near by sells sooner: COMPARABLES per ln of discount, at most BOUND;
    K: KIND, by kind of home;
    level: one number for the world, so that the mean of ln(V / table price) is 0.

A buyer's own value is V * exp(LEAD_SD * z_lead + BUYER_SD * z), z standard normal: z_lead is
what buyers see in a lead and no feature tells. A buyer buys at a price p if that is >= p.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.intake.offer import starting_price
from engine.market.listing import Listing, QualityParts
from models_ml.value.comparables import Compared, kind_of

LAW: Final = "sample-law@1"
WEIGHTS: Final = {
    "completeness": 0.30,
    "freshness": 0.20,
    "contactability": 0.30,
    "motivation": 0.15,
    "agreement": 0.05,
}
EXCLUSIVE: Final = 2.2
COMPARABLES: Final = 0.5
BOUND: Final = 0.3
KIND: Final = {"attached": -0.10, "flat": -0.15, "income": 0.15, "land": -0.2}
LEAD_SD: Final = 0.15
BUYER_SD: Final = 0.40
# Nobody knows of one record whether others would agree.
_AGREEMENT_UNKNOWN = 0.8


def median_values(
    listings: Sequence[Listing], max_buyers: Sequence[int], compared: Compared
) -> NDArray[np.float64]:
    """Credits that the median buyer would pay for each lead of a world (see the module).

    Raises ValueError for a listing without the parts of its quality.
    """
    logs = np.array(
        [
            _log_value(listing, seats, price_to)
            for listing, seats, price_to in zip(
                listings, max_buyers, compared.price_to, strict=True
            )
        ]
    )
    level = float(np.mean(np.log(table_prices(listings, max_buyers)) - logs))
    return np.exp(logs + level)


def table_prices(listings: Sequence[Listing], max_buyers: Sequence[int]) -> NDArray[np.float64]:
    """Credits of the published listing table."""
    pairs = zip(listings, max_buyers, strict=True)
    return np.array([starting_price(listing, seats) for listing, seats in pairs], dtype=np.float64)


def _log_value(listing: Listing, seats: int, price_to: float) -> float:
    if listing.quality_parts is None:
        raise ValueError("the law needs the parts of a listing's quality")
    # Of a lead of quality 0.5 with several buyers the table's price is its base, rounded.
    base = starting_price(msgspec.structs.replace(listing, quality=0.5), max_buyers=2)
    discount = 0.0 if np.isnan(price_to) else float(np.clip(-price_to, -BOUND, BOUND))
    return float(
        np.log(base)
        + np.log(0.5 + _quality(listing.quality_parts))
        + (np.log(EXCLUSIVE) if seats == 1 else 0.0)
        + COMPARABLES * discount
        + KIND.get(kind_of(listing), 0.0)
    )


def _quality(parts: QualityParts) -> float:
    values = msgspec.structs.asdict(parts)
    if values["agreement"] is None:
        values["agreement"] = _AGREEMENT_UNKNOWN
    return sum(weight * float(values[name]) for name, weight in WEIGHTS.items())
