"""The scoring applications, and the models that come with the package.

Modules are named, not imported: one that can't be imported takes only itself away.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from engine.settings import Settings
from models_ml.served import ModelName

if TYPE_CHECKING:
    from ray.serve import Application


class ScoringApp(NamedTuple):
    """`builder` is the "module:function" that makes the application of the settings; `models`
    are those that its replicas serve with, the first of which it can't do without."""

    builder: str
    models: tuple[ModelName, ...]


APPS: Final[dict[str, ScoringApp]] = {
    "fraud": ScoringApp("serve_apps.scoring.fraud_app:fraud_app", ("fraud", "advertiser")),
    "embedder": ScoringApp("serve_apps.scoring.embedder:embedder_app", ("embedder",)),
    "recommender": ScoringApp("serve_apps.scoring.recommender:recommender_app", ("recommender",)),
}
# Of each model that comes with the package the "module:function" that gives its bundle.
PACKAGED: Final[dict[ModelName, str]] = {
    "fraud": "serve_apps.scoring.fraud_scoring:packaged_bundle",
    "embedder": "serve_apps.scoring.embedder:packaged_bundle",
    "recommender": "serve_apps.scoring.recommender:packaged_bundle",
}


def build(app: str, settings: Settings) -> Application:
    """Raises ImportError if what it needs is not installed."""
    built: Application = _named(APPS[app].builder)(settings)
    return built


def packaged(name: ModelName) -> bytes:
    """The bundle that comes with the package. Raises LookupError if there is none."""
    if name not in PACKAGED:
        raise LookupError(f"no {name} model comes with the package")
    content: bytes = _named(PACKAGED[name])()
    return content


def _named(place: str) -> Callable[..., Any]:
    module, _, function = place.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found
