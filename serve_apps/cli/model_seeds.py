"""The models that come with the package, entered at `up`."""

from __future__ import annotations

import asyncpg

from engine.adapters.model_store import ArtefactLost
from engine.adapters.postgres.pool import open_pool
from engine.settings import Settings
from models_ml.artefact import Unusable
from models_ml.served import NAMES, ModelName
from serve_apps.scoring.registering import seed, store_of


async def seed_all(settings: Settings) -> dict[str, str]:
    """What is live of each model, in words; a reason where the packaged one can't be used."""
    pool = await open_pool(settings.database_url, application="model seeds", size_max=1)
    try:
        return {name: await _seeded(pool, settings, name) for name in NAMES}
    finally:
        await pool.close()


async def _seeded(pool: asyncpg.Pool, settings: Settings, name: ModelName) -> str:
    try:
        return await seed(pool, store_of(settings), name)
    except (Unusable, ArtefactLost, ImportError, OSError) as error:
        return f"not from the package: {error}"
