"""The recommender as the registry keeps it: one file of numbers, and a known example."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from models_ml import bundle
from models_ml.artefact import Unusable, bounded
from models_ml.recommend.ranking import scores
from models_ml.recommend.settings import FEATURES, SCHEMA, Settings

SETTINGS_PART: Final = "recommender.json"
EXAMPLE_PART: Final = "example.json"
PACKAGED: Final = Path(__file__).parent / "recommender.json"
_BYTES_MAX: Final = 100_000
_OFF_MAX: Final = 1e-6
_EXAMPLE_LEADS: Final = 8
_LEADS_MAX: Final = 1_000


class Metadata(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What it learnt from, in words and as a hash, and how well."""

    trained_on: str
    training_sha256: str
    metrics: dict[str, float]


class _Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    schema: int
    features: tuple[str, ...]
    settings: Settings
    metadata: Metadata


class _Packaged(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What comes with the package, to be read by people too."""

    settings: Settings
    metadata: Metadata


class _Example(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What leads of these features score for a buyer whose acts weigh `known`."""

    features: list[list[float]]
    known: float
    scores: list[float]


class Recommender:
    """A `Served` model (models_ml/served.py)."""

    schema = SCHEMA
    features = FEATURES

    def __init__(self, settings: Settings, metadata: Metadata, example: _Example) -> None:
        self.settings = settings
        self.metadata = metadata
        self._example = example

    def check(self) -> None:
        """Score the known example. Raises Unusable if the answer differs."""
        found = scores(np.array(self._example.features), self._example.known, self.settings)
        if not np.allclose(found, self._example.scores, rtol=0, atol=_OFF_MAX):
            raise Unusable("the known example scores otherwise than when the model was made")


def read(parts: Mapping[str, bytes]) -> Recommender:
    """Raises Unusable, with the reason for an operator."""
    if set(parts) != {SETTINGS_PART, EXAMPLE_PART}:
        raise Unusable(f"its parts must be {SETTINGS_PART} and {EXAMPLE_PART}")
    if max(len(part) for part in parts.values()) > _BYTES_MAX:
        raise Unusable(f"a part is longer than {_BYTES_MAX:,} bytes")
    try:
        kept = msgspec.json.decode(parts[SETTINGS_PART], type=_Kept)
        example = msgspec.json.decode(parts[EXAMPLE_PART], type=_Example)
    except msgspec.DecodeError as error:
        raise Unusable(f"not what a recommender is: {error}") from error
    if kept.schema != SCHEMA or kept.features != FEATURES:
        raise Unusable(f"made for schema {kept.schema} of other features")
    problem = kept.settings.problem() or _problem(example)
    if problem is not None:
        raise Unusable(problem)
    return Recommender(kept.settings, kept.metadata, example)


def packed(settings: Settings, metadata: Metadata) -> bytes:
    """The bundle of these settings. Raises ValueError if they can't be."""
    problem = settings.problem()
    if problem is not None:
        raise ValueError(problem)
    rng = np.random.default_rng(5)
    found = np.round(rng.normal(0.0, 1.0, (_EXAMPLE_LEADS, len(FEATURES))), 3)
    known = 1.5
    example = _Example(found.tolist(), known, scores(found, known, settings).tolist())
    return bundle.pack(
        {
            SETTINGS_PART: msgspec.json.encode(_Kept(SCHEMA, FEATURES, settings, metadata)),
            EXAMPLE_PART: msgspec.json.encode(example),
        }
    )


def packaged() -> bytes:
    """The bundle that comes with the package. Raises Unusable if its file can't be read."""
    content = bounded(PACKAGED, _BYTES_MAX)
    try:
        found = msgspec.json.decode(content, type=_Packaged)
        return packed(found.settings, found.metadata)
    except (msgspec.DecodeError, ValueError) as error:
        raise Unusable(f"{PACKAGED.name}: {error}") from error


def written(settings: Settings, metadata: Metadata) -> bytes:
    """The file that comes with the package."""
    return msgspec.json.format(msgspec.json.encode(_Packaged(settings, metadata))) + b"\n"


def packaged_settings() -> Settings:
    """Those that come with the package. Raises Unusable."""
    from models_ml.served import PARTS_BYTES_MAX

    return read(bundle.unpack(packaged(), PARTS_BYTES_MAX)).settings


def _problem(example: _Example) -> str | None:
    leads = example.features
    if not 1 <= len(leads) <= _LEADS_MAX or len(example.scores) != len(leads):
        return f"the known example must be 1 to {_LEADS_MAX} leads and their scores"
    numbers = [example.known, *example.scores, *(each for lead in leads for each in lead)]
    if any(len(lead) != len(FEATURES) for lead in leads) or not all(map(math.isfinite, numbers)):
        return "the known example has other features, or numbers that are not finite"
    return None
