"""A trained model into the registry: read and checked, kept in the store, then entered.

Blocking parts run in a thread, so that an API replica may do it too.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Mapping
from typing import Any, Final

import asyncpg

from engine.adapters.model_store import ModelStore, store_url
from engine.adapters.postgres import model_registry
from engine.rollout.roles import Refusal, Version, Wish
from engine.settings import Settings
from models_ml.served import ModelName, Served
from serve_apps.scoring.loading import from_bytes

# What comes with the package: of each model a function `packaged() -> bytes`, in a module that
# is imported only when there is no version yet.
PACKAGED: Final[Mapping[ModelName, str]] = {}
SEEDED_BY: Final = "package"


def store_of(settings: Settings) -> ModelStore:
    return ModelStore(store_url(settings.models_url, settings.data_dir))


async def register(
    pool: asyncpg.Pool,
    store: ModelStore,
    name: ModelName,
    content: bytes,
    *,
    by: str,
    note: str = "",
) -> tuple[Version, bool]:
    """The version that this bundle is, and whether it is new. Raises Unusable if it would not be
    served, ArtefactLost if the store does not take it, ValueError if it is too long."""
    model = await asyncio.to_thread(from_bytes, name, content)
    url, sha256 = await asyncio.to_thread(store.put, name, content)
    training, metrics = _told(model)
    made = Version(
        name, 0, url, sha256, len(content), model.schema, tuple(model.features),
        training, metrics, 0, by, note,
    )  # fmt: skip
    return await model_registry.register(pool, made)


def _told(model: Served) -> tuple[str, dict[str, Any]]:
    """What the bundle says of itself: the hash of what it learnt from, and its metrics."""
    metadata = getattr(model, "metadata", None)
    training = str(getattr(metadata, "training_sha256", ""))
    metrics = getattr(metadata, "metrics", None)
    return training, dict(metrics) if isinstance(metrics, Mapping) else {}


def packaged(name: ModelName) -> bytes:
    """The bundle that comes with the package. Raises LookupError if there is none."""
    place = PACKAGED.get(name)
    if place is None:
        raise LookupError(f"no {name} comes with the package")
    found: Callable[[], bytes] = importlib.import_module(place).packaged
    return found()


async def seed(pool: asyncpg.Pool, store: ModelStore, name: ModelName) -> str:
    """Have a version live, if none is and one comes with the package; what was done, in words.
    Raises as `register` does."""
    assigned = (await model_registry.assigned(pool, [name]))[name]
    if assigned.roles.live is not None:
        return f"version {assigned.roles.live}"
    if assigned.roles.change_id:
        # Somebody, or a replica, decided that none is live.
        return "no live version"
    try:
        content = await asyncio.to_thread(packaged, name)
    except LookupError as error:
        return str(error)
    version, _ = await register(pool, store, name, content, by=SEEDED_BY, note="with the package")
    done = await model_registry.change(
        pool, name, Wish("promote", version.version), by=SEEDED_BY, reason="the first", if_change=0
    )
    told = f", not live: {done.reason}" if isinstance(done, Refusal) else ""
    return f"version {version.version} of the package{told}"
