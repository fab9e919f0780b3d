"""Recommendations as a Serve application: one version of the ranking, live leads, no route."""

from __future__ import annotations

import asyncpg
from ray.serve import Application

from actors.models import RecommendationAsked, Recommended, SimilarAsked
from actors.recommending import Recommending
from actors.served_models import EMBEDDER, EMBEDDER_SECONDS, ServedApp, ServedTextEmbedder
from actors.vector_filler import Wanted
from engine.adapters.postgres import model_registry
from engine.settings import Settings
from models_ml.artefact import Unusable
from models_ml.recommend.model import packaged
from serve_apps.scoring.apps import scoring_app
from serve_apps.scoring.model_replica import ModelReplica

# It ranks in its event loop, one after another: what waits longer than a buyer does is refused.
ONGOING_MAX = 32
QUEUED_MAX = 64


class Recommender(ModelReplica):
    """Answers with what is on offer in its own memory; callers look at each lead once more."""

    names = ("recommender",)

    async def __init__(self, settings: Settings) -> None:  # type: ignore[misc]
        embedder = ServedTextEmbedder(ServedApp(EMBEDDER, EMBEDDER_SECONDS))
        self.recommending = Recommending(settings.database_url, embedder, wanted_versions)
        await self.recommending.start()
        await super().__init__(settings)

    async def recommend(self, asked: RecommendationAsked) -> Recommended:
        """Raises ModelUnavailable while it loads, and without a live version."""
        (part,) = self.service("recommender").parts([asked.user_id])
        loaded = part.loaded
        with self.watching("recommender", loaded.version.version, part.role) as watching:
            picks = await self.recommending.recommend(asked, loaded.model.settings)
            watching.scores = [pick.score for pick in picks]
        return Recommended(loaded.version.version, picks)

    async def similar(self, asked: SimilarAsked) -> Recommended:
        """Raises ModelUnavailable while it loads, and without a live version."""
        (part,) = self.service("recommender").parts([asked.user_id])
        loaded = part.loaded
        with self.watching("recommender", loaded.version.version, part.role):
            picks = await self.recommending.similar(asked, loaded.model.settings)
        return Recommended(loaded.version.version, picks)

    async def status(self) -> dict[str, object]:
        return {**await super().status(), "leads": self.recommending.stats()}

    async def check_health(self) -> None:
        await super().check_health()
        if not self.recommending.is_following:
            raise RuntimeError("leads are not followed any more")

    async def __del__(self) -> None:
        if hasattr(self, "recommending"):
            await self.recommending.stop()
        await super().__del__()


def recommender_app(settings: Settings) -> Application:
    return scoring_app(
        Recommender, settings, max_ongoing_requests=ONGOING_MAX, max_queued_requests=QUEUED_MAX
    )


def packaged_bundle() -> bytes:
    """Raises LookupError if it did not come with the package."""
    try:
        return packaged()
    except Unusable as unusable:
        raise LookupError(str(unusable)) from unusable


async def wanted_versions(pool: asyncpg.Pool) -> Wanted:
    """Of the embedder, by the registry."""
    roles = (await model_registry.assigned(pool, ["embedder"]))["embedder"].roles
    return Wanted(roles.live, roles.shadow)
