"""A version out of the store, made sure of before anything is asked of it. Blocking."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import cast

from engine.adapters import model_store
from engine.rollout.roles import Version
from models_ml import bundle, served
from models_ml.artefact import Unusable
from models_ml.reference import PART, Reference
from models_ml.reference import from_bytes as from_part
from models_ml.served import ModelName, Served

_TIMED = 5


class TooSlow(Unusable):
    """It answers its known example right, but not in time."""


def content_of(version: Version) -> bytes:
    """Its file. Raises ArtefactLost if it can't be read now, Unusable if it is another."""
    try:
        return model_store.read(version.url, version.sha256, version.size_bytes)
    except model_store.ArtefactSpoilt as spoilt:
        raise Unusable(str(spoilt)) from spoilt


def from_store(version: Version) -> Served:
    """Raises ArtefactLost if it can't be read now, or Unusable, with the reason."""
    model = from_bytes(cast(ModelName, version.name), content_of(version))
    if model.schema != version.schema or tuple(model.features) != version.features:
        raise Unusable("its schema or features are not those that were registered")
    return model


def reference_of(version: Version) -> Reference | None:
    """What its training rows were like, if it came with that. Raises as `from_store` does."""
    parts = bundle.unpack(content_of(version), served.PARTS_BYTES_MAX)
    part = parts.get(PART)
    return None if part is None else from_part(part, version.features)


def from_bytes(name: ModelName, content: bytes) -> Served:
    """The model of a bundle, its known example scored. Raises Unusable."""
    model = served.read(name, bundle.unpack(content, served.PARTS_BYTES_MAX))
    model.check()
    return model


def in_time(
    model: Served, seconds_max: float, clock: Callable[[], float] = time.perf_counter
) -> None:
    """Raises TooSlow if it takes longer than that for its known example, the best of a few
    times: what else the machine does just now is not the model's fault."""
    best = float("inf")
    for _ in range(_TIMED):
        started = clock()
        model.check()
        best = min(best, clock() - started)
        if best <= seconds_max:
            return
    raise TooSlow(
        f"too slow: its known example takes {best * 1e3:.0f} ms, at most {seconds_max * 1e3:.0f} ms"
        " are allowed"
    )
