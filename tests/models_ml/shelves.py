"""Leads on a shelf whose vectors are known directions, for what recommends them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.market.listing import Listing
from models_ml.recommend.facts import Kinds, facts_of, row_of
from models_ml.recommend.settings import ActKind
from models_ml.recommend.shelf import Shelf
from models_ml.recommend.taste import Act, Past

DIMENSIONS = 8
DAY_US = 86_400_000_000
NOW = 20_000 * DAY_US
HOUSE = Listing(
    property_type="Residential",
    property_sub_type="Single Family Residence",
    list_price=400_000,
    living_area=2_000,
    latitude=30.27,
    longitude=-97.74,
    quality=0.6,
)
FLAT = Listing(
    property_type="Residential Lease",
    property_sub_type="Apartment",
    list_price=1_500,
    living_area=700,
    latitude=30.40,
    longitude=-97.60,
    quality=0.6,
)


def towards(direction: int, seed: int = 0, spread: float = 0.2) -> NDArray[np.float32]:
    """A unit vector about one of the axes."""
    found = np.zeros(DIMENSIONS)
    found[direction] = 1.0
    found += np.random.default_rng(seed).normal(0, spread / DIMENSIONS**0.5, DIMENSIONS)
    return (found / np.linalg.norm(found)).astype(np.float32)


class Stock:
    """One market's shelf, and what buyers did with leads that are on it no more."""

    def __init__(self, market: str = "austin") -> None:
        self.kinds = Kinds()
        self.shelf = Shelf(market, self.kinds, DIMENSIONS)

    def put(
        self,
        lead_id: str,
        listing: Listing = HOUSE,
        vector: NDArray[np.float32] | None = None,
        *,
        price: int = 20,
        days_old: float = 10.0,
    ) -> None:
        listed_at = NOW - round(days_old * DAY_US)
        self.shelf.put(lead_id, row_of(self.kinds, listing, price, listed_at))
        if vector is not None:
            self.shelf.put_vectors([lead_id], vector[None, :])

    def past(
        self, *acts: tuple[ActKind, Listing, NDArray[np.float32], float], price: int = 20
    ) -> Past:
        """Acts so many days ago, on leads called `past-0` and on."""
        done = [
            Act(f"past-{n}", kind, NOW - round(days * DAY_US))
            for n, (kind, _, _, days) in enumerate(acts)
        ]
        rows = [row_of(self.kinds, listing, price, NOW) for _, listing, _, _ in acts]
        vectors = np.array([vector for _, _, vector, _ in acts], dtype=np.float32)
        return Past(done, facts_of(rows), vectors.reshape(len(acts), DIMENSIONS))
