"""What the base value is computed from: one function for training and for serving.

Every feature has a meaning and a unit, and says which way it may move the value. They are
compiled against the fair-housing allow-list when this module is imported: nothing about
people, and of the place only how the home's price stands against homes near by.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.market.fair_housing import inputs
from engine.market.listing import Listing
from models_ml.value.comparables import Compared, is_lease, kind_of

SCHEMA: Final = 1
"""Goes up when a feature is added, dropped or means something else."""


class Feature(NamedTuple):
    """`monotone`: +1 if more of it is never cheaper, -1 never dearer, 0 either way. `words` say
    in an explanation what the feature is; `unit` is what its number counts."""

    name: str
    meaning: str
    unit: str
    monotone: Literal[-1, 0, 1]
    words: str


FEATURES: Final = (
    Feature("completeness", "how much of what buyers look for is known", "share", 1, "facts known"),
    Feature("freshness", "1 for new at the source, half after 21 days", "share", 1, "freshness"),
    Feature("contactability", "phone, e-mail, name that are known", "share", 1, "ways to reach"),
    Feature("motivation", "what the words say of the wish to sell", "share", 1, "motivation"),
    Feature(
        "agreement", "how far several records say the same; unknown of one", "share", 1, "agreement"
    ),
    Feature("max_buyers", "how many may buy the lead", "buyers", -1, "number of buyers"),
    Feature("is_lease", "offered for rent, not for sale", "0 or 1", 0, "rent or sale"),
    Feature("is_attached", "flat, condominium or townhouse", "0 or 1", 0, "kind of home"),
    Feature("is_units_or_land", "several units, land or farm", "0 or 1", 0, "kind of property"),
    Feature("list_price_log", "what is asked for the home", "ln USD (a month)", 0, "asking price"),
    Feature(
        "price_to_comparables",
        "the asking price (per square foot where known) over the median of homes near by",
        "ln ratio",
        0,
        "price against homes near by",
    ),
    Feature("comparables_log", "how many homes near by it stands against", "ln(1 + homes)", 0,
            "homes to compare with"),
)  # fmt: skip
NAMES: Final = tuple(feature.name for feature in FEATURES)
inputs("model", NAMES)

_ATTACHED = frozenset({"attached", "flat"})
_UNITS_OR_LAND = frozenset({"income", "land"})


def feature_matrix(
    listings: Sequence[Listing], max_buyers: Sequence[int] | NDArray[np.int64], compared: Compared
) -> NDArray[np.float32]:
    """(listings, features), in the order of FEATURES; NaN is unknown.

    Raises ValueError unless all three are of one length.
    """
    if not len(listings) == len(max_buyers) == len(compared.price_to) == len(compared.count):
        raise ValueError("listings, seats and comparables must be in step")
    found = np.full((len(listings), len(FEATURES)), np.nan, dtype=np.float32)
    for row, listing in enumerate(listings):
        kind = kind_of(listing)
        parts = listing.quality_parts
        if parts is not None:
            found[row, :4] = (
                parts.completeness,
                parts.freshness,
                parts.contactability,
                parts.motivation,
            )
            if parts.agreement is not None:
                found[row, 4] = parts.agreement
        found[row, 6:9] = (is_lease(listing), kind in _ATTACHED, kind in _UNITS_OR_LAND)
        if listing.list_price:
            found[row, 9] = math.log(listing.list_price)
    found[:, 5] = max_buyers
    found[:, 10] = compared.price_to
    found[:, 11] = np.log1p(compared.count)
    return found
