"""The base value as it is served: thousandths of a credit, and what makes it so.

    model = load()                       # the packaged one, or load(folder)
    index = ComparablesIndex()           # one a market; index.put(lead_id, listing)
    model.values(listings, max_buyers, index.compare(lead_ids, listings))

Without a usable model the published listing table is the base; `reason` says why.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.intake.offer import starting_parts
from engine.market.listing import Listing
from models_ml.artefact import Unusable
from models_ml.value import artefact
from models_ml.value.artefact import Metadata
from models_ml.value.comparables import Compared
from models_ml.value.features import FEATURES, NAMES, feature_matrix

if TYPE_CHECKING:
    import xgboost

BASE_LEAST: Final = 5_000
BASE_MOST: Final = 400_000
BATCH: Final = 20_000
TOLD_MAX: Final = 5
_MILLI = 1_000


class Contribution(NamedTuple):
    """What one feature does to the value: `factor` times what it would be at the average.

    `value` is the feature's, None if unknown; `words` say it for a reader.
    """

    feature: str
    value: float | None
    factor: float
    words: str


class ValueModel:
    """`reason` is None, or why the listing table stands in for a model."""

    def __init__(
        self, booster: xgboost.Booster | None, metadata: Metadata | None, reason: str | None
    ) -> None:
        self._booster = booster
        self.metadata = metadata
        self.reason = reason

    def values(
        self,
        listings: Sequence[Listing],
        max_buyers: Sequence[int] | NDArray[np.int64],
        comparables: Compared,
    ) -> NDArray[np.int64]:
        """The median willingness to pay of each lead, fresh and with all its seats, in
        thousandths of a credit from BASE_LEAST to BASE_MOST.

        Raises ValueError unless all three are of one length.
        """
        return self.quantiles(listings, max_buyers, comparables, 0.5)

    def quantiles(
        self,
        listings: Sequence[Listing],
        max_buyers: Sequence[int] | NDArray[np.int64],
        comparables: Compared,
        share: float,
    ) -> NDArray[np.int64]:
        """What a `share` of buyers would not pay more than, as `values`; of the listing table
        only the middle is known, and given for every share. Raises ValueError as `values`,
        and for a share outside (0, 1)."""
        if not 0 < share < 1:
            raise ValueError(f"share is {share}; it lies between 0 and 1")
        seats = np.asarray(max_buyers, dtype=np.int64)
        parts = [
            self._values(
                listings[start : start + BATCH],
                seats[start : start + BATCH],
                Compared(*(column[start : start + BATCH] for column in comparables)),
                share,
            )
            for start in range(0, max(1, len(listings), len(seats)), BATCH)
        ]
        return np.concatenate(parts)

    def _values(
        self,
        listings: Sequence[Listing],
        seats: NDArray[np.int64],
        comparables: Compared,
        share: float,
    ) -> NDArray[np.int64]:
        features = feature_matrix(listings, seats, comparables)
        if self._booster is None or self.metadata is None:
            pairs = zip(listings, seats.tolist(), strict=True)
            credits = np.array([starting_parts(*each).base / _MILLI for each in pairs])
        else:
            spread = math.exp(self.metadata.buyer_sd * NormalDist().inv_cdf(share))
            credits = self._booster.inplace_predict(features).astype(np.float64) * spread
        milli = np.rint(credits * _MILLI)
        return np.clip(milli, BASE_LEAST, BASE_MOST).astype(np.int64)

    def explain(
        self,
        listings: Sequence[Listing],
        max_buyers: Sequence[int],
        comparables: Compared,
        most: int = 3,
    ) -> list[list[Contribution]]:
        """Of each lead the `most` (up to TOLD_MAX) features that move its value furthest, by
        their exact SHAP values; empty for the listing table, whose rules are published."""
        if self._booster is None:
            return [[] for _ in listings]
        import xgboost

        features = feature_matrix(listings, max_buyers, comparables)
        shares = self._booster.predict(
            xgboost.DMatrix(features, feature_names=list(NAMES)), pred_contribs=True
        )
        told = min(most, TOLD_MAX)
        return [
            [
                _contribution(place, float(row[place]), float(share[place]))
                for place in np.argsort(-np.abs(share[:-1]), kind="stable")[:told].tolist()
            ]
            for row, share in zip(features, shares, strict=True)
        ]


def load(folder: Path | None = None) -> ValueModel:
    """The model of a folder, by default the packaged one; if that can't be used, the listing
    table with the reason."""
    try:
        model, metadata = artefact.read(folder or artefact.packaged())
        return ValueModel(artefact.booster(model), metadata, None)
    except Unusable as unusable:
        return ValueModel(None, None, str(unusable))


def _contribution(place: int, value: float, share: float) -> Contribution:
    feature = FEATURES[place]
    factor = math.exp(share)
    percent = round((factor - 1) * 100)
    effect = "leaves it" if percent == 0 else f"{percent:+d} %"
    known = None if math.isnan(value) else value
    return Contribution(feature.name, known, factor, f"{_said(feature.name, known)}: {effect}")


def _said(name: str, value: float | None) -> str:
    """The feature's value in words."""
    words = next(feature.words for feature in FEATURES if feature.name == name)
    if value is None:
        return f"{words} unknown"
    match name:
        case "max_buyers":
            return "for one buyer alone" if value == 1 else f"shared by up to {value:.0f} buyers"
        case "is_lease":
            return "for rent" if value else "for sale"
        case "is_attached":
            return "flat, condominium or townhouse" if value else "stands alone"
        case "is_units_or_land":
            return "several units or land" if value else "one home"
        case "list_price_log":
            return f"{words} ${math.exp(value):,.0f}"
        case "price_to_comparables":
            percent = round((math.exp(value) - 1) * 100)
            side = "above" if percent > 0 else "below"
            return f"asks {abs(percent)} % {side} homes near by" if percent else "asks as near by"
        case "comparables_log":
            return f"{math.expm1(value):.0f} homes to compare with"
    return f"{words} {value * 100:.0f} %"
