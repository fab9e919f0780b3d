"""What a model must be so that the registry can keep, judge and swap it, whatever it does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, Protocol

from models_ml.artefact import Unusable

ModelName = Literal["fraud", "advertiser", "embedder", "recommender"]
NAMES: Final[tuple[ModelName, ...]] = ("fraud", "advertiser", "embedder", "recommender")
PARTS_BYTES_MAX: Final = 256_000_000


class Served(Protocol):
    """A model as it was read from the parts of its bundle."""

    schema: int
    """Of the features that it was made for; equal to that of this program."""
    features: tuple[str, ...]

    def check(self) -> None:
        """Score the known example that came with it. Raises Unusable if the answer differs."""
        ...


def read(name: ModelName, parts: Mapping[str, bytes]) -> Served:
    """The model of these parts. Raises Unusable, with the reason for an operator.

    Each kind is imported only when it is read: a fraud replica needs no embedder.
    """
    if name == "recommender":
        from models_ml.recommend import model as recommender

        return recommender.read(parts)
    if name == "embedder":
        from models_ml.embedding import embedder

        return embedder.read(parts)
    if name == "fraud":
        from models_ml.fraud import listing_model

        return listing_model.of_parts(parts)
    if name == "advertiser":
        from models_ml.fraud.advertiser_model import AdvertiserModel

        return AdvertiserModel.of_parts(parts)
    raise Unusable(f"no model is called {name}")
