"""A trained model into the registry: read and checked, kept in the store, then entered.

Blocking parts run in a thread, so that an API replica may do it too.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from typing import Any, Final

import asyncpg

from engine.adapters.model_store import ModelStore, store_url
from engine.adapters.postgres import model_registry
from engine.rollout.roles import Refusal, Version, Wish
from engine.settings import Settings
from models_ml.served import ModelName, Served
from serve_apps.scoring.directory import packaged
from serve_apps.scoring.loading import from_bytes

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
    training, metrics = told(model)
    made = Version(
        name, 0, url, sha256, len(content), model.schema, tuple(model.features),
        training, metrics, 0, by, note,
    )  # fmt: skip
    return await model_registry.register(pool, made)


def told(model: Served) -> tuple[str, dict[str, Any]]:
    """What the bundle says of itself: the hash of what it learnt from, and its metrics."""
    metadata = getattr(model, "metadata", None)
    training = str(getattr(metadata, "training_sha256", ""))
    metrics = getattr(metadata, "metrics", None)
    return training, dict(metrics) if isinstance(metrics, Mapping) else {}


async def seed(pool: asyncpg.Pool, store: ModelStore, name: ModelName) -> str:
    """Have the packaged version registered, and live if none is or the live one is of another
    schema than this program; what is live, in words. Raises as `register` does."""
    roles = (await model_registry.assigned(pool, [name]))[name].roles
    known = {each.version: each for each in await model_registry.versions(pool, name)}
    try:
        content = await asyncio.to_thread(packaged, name)
    except LookupError as error:
        return str(error) if roles.live is None else f"version {roles.live}"
    sha256 = hashlib.sha256(content).hexdigest()
    version = next((each for each in known.values() if each.sha256 == sha256), None)
    if version is None:
        version, _ = await register(
            pool, store, name, content, by=SEEDED_BY, note="came with the package"
        )
    live = None if roles.live is None else known[roles.live]
    if live is not None and live.schema == version.schema:
        return f"version {live.version}"
    reason = "none was live" if live is None else f"schema {live.schema} is not this program's"
    wish = Wish("promote", version.version)
    done = await model_registry.change(
        pool, name, wish, by=SEEDED_BY, reason=reason, if_change=roles.change_id
    )
    if isinstance(done, Refusal):
        return f"none: {done.reason}"
    return f"version {version.version} of the package"
