"""What is on the simulated market: leads with their texts and facts, and what they cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.intake.offer import starting_price
from engine.market.listing import Listing
from models_ml.value.sample_trials import market_leads

Embed = Callable[[Sequence[Listing]], NDArray[np.float32]]
"""(listings, dimensions) vectors of unit length."""
MARKETS: Final = 4


class Homes(NamedTuple):
    """Leads of one market; `price` is credits, `vectors` of unit length."""

    lead_ids: list[str]
    listings: list[Listing]
    seats: NDArray[np.int64]
    price: NDArray[np.int64]
    vectors: NDArray[np.float32]


class Offered(NamedTuple):
    """A lead with how many buyers may have it."""

    lead_id: str
    listing: Listing
    seats: int


def sample_homes(seed: int, market: str, count: int, embed: Embed) -> Homes:
    """About `count` leads of a sample world's market."""
    leads = market_leads(seed, count * MARKETS, market)
    offered = zip(leads.lead_ids, leads.listings, leads.max_buyers, strict=True)
    return homes_of([Offered(*each) for each in offered], embed)


def homes_of(offered: Sequence[Offered], embed: Embed) -> Homes:
    """These leads at the published table's prices."""
    return Homes(
        [each.lead_id for each in offered],
        [each.listing for each in offered],
        np.array([each.seats for each in offered], dtype=np.int64),
        np.array([starting_price(each.listing, each.seats) for each in offered], dtype=np.int64),
        embed([each.listing for each in offered]),
    )
