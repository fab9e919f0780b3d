"""The models as the market asks them: by name, within a time, and without them if need be.

Whoever asks says what happens without an answer: no caller waits for a model for long.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from models_ml.fraud.advertisements import Advertisement


class ModelUnavailable(Exception):
    """The model is away, its queue is full or it took too long; the text says which."""


class Scored(msgspec.Struct, frozen=True):
    """In step with the leads asked for: the version that made each probability, the calibrated
    probability, and its reasons in words, empty for a lead that is not suspected.

    `thresholds` are the probabilities at which a lead is to be flagged, and quarantined, of
    each version that was trained with such."""

    versions: list[int]
    probabilities: list[float]
    reasons: list[list[str]]
    thresholds: dict[int, tuple[float, float]] = {}


class FraudScorer(Protocol):
    async def score(
        self,
        lead_ids: Sequence[str],
        features: NDArray[np.float32],
        advertisers: Mapping[int, Advertisement],
    ) -> Scored:
        """`features` are (leads, features) of the program's schema
        (models_ml/fraud/listing_features.py); `advertisers` what is known of the advertiser, by
        place in `lead_ids`. Raises ModelUnavailable, and nothing else that is not a defect."""
        ...


class Embedded(msgspec.Struct, frozen=True):
    """`vectors` are (texts, dimensions) of unit length, made by one version of the embedder."""

    version: int
    vectors: NDArray[np.float32]


class RecommendationAsked(msgspec.Struct, frozen=True):
    """What a buyer may be shown: of these markets, in `radius_m` metres around `near` (latitude,
    longitude in degrees), of these property types. `discount_percent` is the plan's."""

    user_id: str
    markets: tuple[str, ...]
    limit: int
    near: tuple[float, float] | None = None
    radius_m: float | None = None
    property_types: tuple[str, ...] = ()
    discount_percent: int = 0


class SimilarAsked(msgspec.Struct, frozen=True):
    """Leads like one, of its own market."""

    user_id: str
    lead_id: str
    limit: int


class Picked(msgspec.Struct, frozen=True):
    """`score` is in (0, 1), comparable within one answer."""

    lead_id: str
    score: float
    reasons: list[str]


class Recommended(msgspec.Struct, frozen=True):
    """Best first; `version` is that of the recommender that ranked them."""

    version: int
    picks: list[Picked]


class Recommends(Protocol):
    async def recommend(self, asked: RecommendationAsked) -> Recommended:
        """Raises ModelUnavailable."""
        ...

    async def similar(self, asked: SimilarAsked) -> Recommended:
        """Raises ModelUnavailable; also for a lead that it can't find."""
        ...
