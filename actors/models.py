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


class TextEmbedder(Protocol):
    async def embed(self, texts: Sequence[str]) -> Embedded:
        """At most 256 texts. Raises ModelUnavailable."""
        ...
