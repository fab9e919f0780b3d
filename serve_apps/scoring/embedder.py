"""The embedder application: texts of several callers in one batch, bounded on every side."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from ray import serve
from ray.serve import Application

from actors.models import Embedded, ModelUnavailable
from engine.settings import Settings
from models_ml.embedding.embedder import Embedder
from serve_apps.scoring.apps import scoring_app
from serve_apps.scoring.in_service import Loaded
from serve_apps.scoring.model_replica import ModelReplica

log = logging.getLogger(__name__)

VectorRole = Literal["live", "shadow"]

TEXTS_MAX = 256
"""Of one call. A batch holds one such call, or many small ones."""
# A batch waits so long for company; seconds.
WAIT_SECONDS = 0.002
ONGOING_MAX = 64
QUEUED_MAX = 256


class Question(NamedTuple):
    """Texts of one caller, and which version is to embed them."""

    texts: list[str]
    role: VectorRole


class TextEmbedding(ModelReplica):
    """Vectors of two versions can't be compared, so nobody gets a canary's: it is the shadow
    whose vectors are made beside the live ones, by whoever keeps vectors."""

    names = ("embedder",)
    check_seconds_max = 0.25

    async def __init__(self, settings: Settings) -> None:  # type: ignore[misc]
        self._pool = ThreadPoolExecutor(settings.models_embedder_threads, "embedding")
        await super().__init__(settings)  # type: ignore[misc]

    def checked(self, texts: Sequence[str], role: VectorRole) -> Question:
        """Raises ValueError for too many texts or another role, and ModelUnavailable without
        such a version."""
        if not 0 < len(texts) <= TEXTS_MAX:
            raise ValueError(f"{len(texts)} texts; 1 to {TEXTS_MAX} are embedded at a time")
        if role not in ("live", "shadow"):
            raise ValueError(f"vectors are of the live version or the shadow, not of a {role}")
        self._loaded(role)
        return Question(list(texts), role)

    async def answer(self, questions: Sequence[Question]) -> list[Embedded | ModelUnavailable]:
        """In step with the questions; a version that fails takes only its own with it."""
        found: dict[int, Embedded | ModelUnavailable] = {}
        for role in ("live", "shadow"):
            asked = [place for place, each in enumerate(questions) if each.role == role]
            if asked:
                answers = await self._answers([questions[place].texts for place in asked], role)
                found.update(zip(asked, answers, strict=True))
        return [found[place] for place in range(len(questions))]

    async def _answers(
        self, asked: list[list[str]], role: VectorRole
    ) -> Sequence[Embedded | ModelUnavailable]:
        try:
            loaded = self._loaded(role)
        except ModelUnavailable as unavailable:
            # Between question and answer it was taken back.
            return [unavailable] * len(asked)
        version = loaded.version.version
        texts = [text for each in asked for text in each]
        try:
            with self.watching("embedder", version, role):
                vectors = await asyncio.to_thread(_unit_vectors, loaded.model, texts, self._pool)
        except Exception as error:
            # Whatever a model raises that passed its check; the others' answers do not suffer.
            log.exception("embedder version %d (%s) failed", version, role)
            reason = f"embedder version {version} failed: {type(error).__name__}: {error}"
            return [ModelUnavailable(reason)] * len(asked)
        ends = np.cumsum([len(each) for each in asked])[:-1]
        return [Embedded(version, part) for part in np.split(vectors, ends)]

    def _loaded(self, role: VectorRole) -> Loaded[Embedder]:
        loaded: Loaded[Embedder] | None = self.service("embedder").of(role)
        if loaded is None:
            raise ModelUnavailable(f"no version of embedder is the {role} one")
        return loaded

    async def __del__(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        await super().__del__()


def _unit_vectors(
    model: Embedder, texts: Sequence[str], pool: ThreadPoolExecutor
) -> NDArray[np.float32]:
    """Raises ArithmeticError if a vector is none of unit length: it would spoil an index."""
    found = model.embed(texts, pool)
    if not np.allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-3):
        raise ArithmeticError("a vector is not of unit length")
    return found


def _texts(questions: Sequence[Question]) -> int:
    return sum(len(each.texts) for each in questions)


class TextEmbedder(TextEmbedding):
    """Reached by `ServedTextEmbedder` (actors/served_models.py)."""

    async def embed(self, texts: list[str], role: VectorRole = "live") -> Embedded:
        """At most TEXTS_MAX texts. Raises ModelUnavailable, ValueError for more."""
        found: Embedded | ModelUnavailable = await self._together(self.checked(texts, role))
        if isinstance(found, ModelUnavailable):
            raise found
        return found

    @serve.batch(max_batch_size=TEXTS_MAX, batch_wait_timeout_s=WAIT_SECONDS, batch_size_fn=_texts)
    async def _together(self, questions: list[Question]) -> list[Embedded | ModelUnavailable]:
        return await self.answer(questions)


def embedder_app(settings: Settings) -> Application:
    return scoring_app(
        TextEmbedder, settings, max_ongoing_requests=ONGOING_MAX, max_queued_requests=QUEUED_MAX
    )


def packaged_bundle() -> bytes:
    """Of the published weights, kept in the data directory once it is made. Raises LookupError
    where they are not installed."""
    # What makes a bundle needs much that a replica does not.
    from models_ml.embedding.weights import packaged

    return packaged(Settings().data_dir / "models" / "packaged")
