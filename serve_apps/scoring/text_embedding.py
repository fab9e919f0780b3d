"""Texts of several callers embedded together by the version that each asked; knows no Serve."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from actors.models import Embedded, ModelUnavailable
from engine.settings import Settings
from models_ml.embedding.embedder import Embedder
from serve_apps.scoring.in_service import Loaded
from serve_apps.scoring.model_replica import ModelReplica

log = logging.getLogger(__name__)

VectorRole = Literal["live", "shadow"]

TEXTS_MAX = 256
"""Of one call. A batch holds one such call, or many small ones."""
TEXTS_WAITING_MAX = 1_024
"""Of a replica's callers together: what it embeds well within the time that they wait for it
(EMBEDDER_SECONDS, actors/served_models.py)."""


class Question(msgspec.Struct):
    """Texts of one caller, and which version is to embed them; `has_left` once nobody waits."""

    texts: list[str]
    role: VectorRole
    has_left: bool = False


class TextEmbedding(ModelReplica):
    """Vectors of two versions can't be compared, so nobody gets a canary's: it is the shadow
    whose vectors are made beside the live ones, by whoever keeps vectors."""

    names = ("embedder",)
    check_seconds_max = 0.25

    async def __init__(self, settings: Settings) -> None:  # type: ignore[misc]
        self._waiting = 0
        self._pool = ThreadPoolExecutor(settings.models_embedder_threads, "embedding")
        await super().__init__(settings)  # type: ignore[misc]

    def checked(self, texts: Sequence[str], role: VectorRole) -> Question:
        """Raises ValueError for too many texts, what is no text, or another role, and
        ModelUnavailable without such a version."""
        if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
            raise ValueError("a list of texts is embedded, and something in it is no text")
        if not 0 < len(texts) <= TEXTS_MAX:
            raise ValueError(f"{len(texts)} texts; 1 to {TEXTS_MAX} are embedded at a time")
        if role not in ("live", "shadow"):
            raise ValueError(f"vectors are of the live version or the shadow, not of a {role}")
        self._loaded(role)
        return Question(list(texts), role)

    @contextlib.contextmanager
    def waiting(self, question: Question) -> Iterator[None]:
        """The time in which a caller waits for its answer. Raises ModelUnavailable if as many
        texts wait as can be embedded in time."""
        if self._waiting + len(question.texts) > TEXTS_WAITING_MAX:
            raise ModelUnavailable(f"{self._waiting:,} texts wait already to be embedded")
        self._waiting += len(question.texts)
        try:
            yield
        finally:
            self._waiting -= len(question.texts)
            question.has_left = True

    async def answer(self, questions: Sequence[Question]) -> list[Embedded | ModelUnavailable]:
        """In step with the questions; a version that fails takes only its own with it. For a
        caller that has left nothing is embedded."""
        found: dict[int, Embedded | ModelUnavailable] = {}
        for role in ("live", "shadow"):
            asked = [
                place
                for place, each in enumerate(questions)
                if each.role == role and not each.has_left
            ]
            if asked:
                answers = await self._answers([questions[place].texts for place in asked], role)
                found.update(zip(asked, answers, strict=True))
        left = ModelUnavailable("nobody waits for it any more")
        return [found.get(place, left) for place in range(len(questions))]

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
