"""The models as Serve applications: found by name, asked within a time, away at times.

Every way in which a model can fail to answer is one exception, ModelUnavailable; whoever asks
has said what happens then.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from ray import serve
from ray.exceptions import GetTimeoutError, RayActorError, RayError, TaskCancelledError
from ray.serve.exceptions import RayServeException

from actors.models import (
    Embedded,
    ModelUnavailable,
    RecommendationAsked,
    Recommended,
    Scored,
    SimilarAsked,
)
from engine.settings import Settings

if TYPE_CHECKING:
    from models_ml.fraud.advertisements import Advertisement

FRAUD, EMBEDDER, RECOMMENDER = "fraud", "embedder", "recommender"
APPS = (FRAUD, EMBEDDER, RECOMMENDER)
ROWS_MAX = 256
TEXTS_MAX = 256
FRAUD_SECONDS = 2.0
EMBEDDER_SECONDS = 10.0
# A buyer waits for it.
RECOMMENDER_SECONDS = 0.3
# After a failed look-up the next is not before: a market without models must not keep asking
# Serve's controller.
LOOK_AGAIN_SECONDS = 1.0


class ServedApp:
    """One Serve application without a route, asked by handle from any process of the cluster.

    The handle is looked up when it is first needed and again after a call that failed, in a
    thread: the look-up waits for Serve's controller.
    """

    def __init__(self, app: str, timeout_seconds: float) -> None:
        self.app = app
        self._timeout_seconds = timeout_seconds
        self._handle: Any = None
        self._looking: asyncio.Task[Any] | None = None
        self._look_after = 0.0

    async def call(self, method: str, *arguments: Any, seconds: float | None = None) -> Any:
        """What the application's `method` answers. Raises ModelUnavailable, with the reason, when
        it is away, takes longer than `seconds` (without: the usual time), its queue is full, or
        it says so itself."""
        limit = self._timeout_seconds if seconds is None else seconds
        try:
            async with asyncio.timeout(limit):
                handle = await self._found()
                return await handle.options(method_name=method).remote(*arguments)
        except ModelUnavailable as unavailable:
            # Of the replica, with Ray's traceback before it; or of the look-up.
            raise ModelUnavailable(_reason(unavailable)) from unavailable
        except TimeoutError as error:
            raise ModelUnavailable(f"{self.app} did not answer within {limit:g} s") from error
        except RayActorError as error:
            self._handle = None
            raise ModelUnavailable(f"{self.app}'s replica is gone") from error
        except (RayServeException, GetTimeoutError, TaskCancelledError) as error:
            # A full queue says how many wait; the handle is as good as before.
            raise ModelUnavailable(f"{self.app}: {error}") from error
        except RayError as error:
            self._handle = None
            raise ModelUnavailable(f"{self.app} failed: {_last_line(error)}") from error

    async def _found(self) -> Any:
        if self._handle is not None:
            return self._handle
        if self._looking is None:
            if time.monotonic() < self._look_after:
                raise ModelUnavailable(f"{self.app} is not there")
            self._look_after = time.monotonic() + LOOK_AGAIN_SECONDS
            self._looking = asyncio.create_task(asyncio.to_thread(_look_up, self.app))
            self._looking.add_done_callback(self._looked)
        # Shielded: who gives up waiting must not take the answer from the others.
        return await asyncio.shield(self._looking)

    def _looked(self, task: asyncio.Task[Any]) -> None:
        self._looking = None
        if not task.cancelled() and task.exception() is None:
            self._handle = task.result()


def _look_up(app: str) -> Any:
    try:
        # With options the handle is made ready here, and not in the caller's event loop.
        return serve.get_app_handle(app).options(method_name="status")
    except (RayServeException, RayError) as error:
        raise ModelUnavailable(f"{app} is not there: {_last_line(error)}") from error


def _reason(error: ModelUnavailable) -> str:
    cause = getattr(error, "cause", None)
    return str(cause) if isinstance(cause, ModelUnavailable) else _last_line(error)


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


class ServedFraudScorer:
    """The fraud application as the intake asks it."""

    def __init__(self, app: ServedApp) -> None:
        self._app = app

    async def score(
        self,
        lead_ids: Sequence[str],
        features: NDArray[np.float32],
        advertisers: Mapping[int, Advertisement],
    ) -> Scored:
        """Raises ModelUnavailable; what was scored till then counts for nothing."""
        found = Scored([], [], [], {})
        for start in range(0, len(lead_ids), ROWS_MAX):
            places = range(start, min(start + ROWS_MAX, len(lead_ids)))
            known = {place - start: advertisers[place] for place in places if place in advertisers}
            part: Scored = await self._app.call(
                "score", list(lead_ids[start : places.stop]), features[start : places.stop], known
            )
            found.versions.extend(part.versions)
            found.probabilities.extend(part.probabilities)
            found.reasons.extend(part.reasons)
            found.thresholds.update(part.thresholds)
        return found


class ServedTextEmbedder:
    """The embedder application as whoever keeps vectors asks it."""

    def __init__(self, app: ServedApp) -> None:
        self._app = app

    async def embed(self, texts: Sequence[str], role: str) -> Embedded:
        """At most TEXTS_MAX texts by the `live` version or the `shadow`. Raises ModelUnavailable,
        ValueError for more."""
        if len(texts) > TEXTS_MAX:
            raise ValueError(f"{len(texts)} texts are more than {TEXTS_MAX}")
        found: Embedded = await self._app.call("embed", list(texts), role)
        return found


def fraud_scorer(settings: Settings) -> ServedFraudScorer | None:
    """None if this installation serves no models."""
    if settings.models == "off":
        return None
    return ServedFraudScorer(ServedApp(FRAUD, FRAUD_SECONDS))


class ServedRecommends:
    """The recommender application as the API asks it."""

    def __init__(self, app: ServedApp) -> None:
        self._app = app

    async def recommend(self, asked: RecommendationAsked) -> Recommended:
        """Raises ModelUnavailable."""
        found: Recommended = await self._app.call("recommend", asked)
        return found

    async def similar(self, asked: SimilarAsked) -> Recommended:
        """Raises ModelUnavailable."""
        found: Recommended = await self._app.call("similar", asked)
        return found


def recommends(settings: Settings) -> ServedRecommends | None:
    """None if this installation serves no models."""
    if settings.models == "off":
        return None
    return ServedRecommends(ServedApp(RECOMMENDER, RECOMMENDER_SECONDS))
