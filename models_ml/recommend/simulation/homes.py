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


def sample_homes(seed: int, market: str, count: int, embed: Embed) -> Homes:
    """About `count` leads of a sample world's market."""
    leads = market_leads(seed, count * MARKETS, market)
    return homes_of(leads.lead_ids, leads.listings, leads.max_buyers, embed)


def homes_of(
    lead_ids: Sequence[str], listings: Sequence[Listing], seats: Sequence[int], embed: Embed
) -> Homes:
    """Leads of these listings, at the published table's prices."""
    prices = [starting_price(each, most) for each, most in zip(listings, seats, strict=True)]
    return Homes(
        list(lead_ids),
        list(listings),
        np.array(seats, dtype=np.int64),
        np.array(prices, dtype=np.int64),
        embed(listings),
    )
