"""The embedder application: texts of several callers in one batch, bounded on every side."""

from __future__ import annotations

from collections.abc import Sequence

from ray import serve
from ray.serve import Application

from actors.models import Embedded, ModelUnavailable
from engine.settings import Settings
from serve_apps.scoring.apps import scoring_app
from serve_apps.scoring.text_embedding import TEXTS_MAX, Question, TextEmbedding, VectorRole

# A batch waits so long for company; seconds.
WAIT_SECONDS = 0.002
ONGOING_MAX = 64
QUEUED_MAX = 256


def _texts(questions: Sequence[Question]) -> int:
    return sum(len(each.texts) for each in questions)


class TextEmbedder(TextEmbedding):
    """Reached by `ServedTextEmbedder` (actors/served_models.py)."""

    async def embed(self, texts: list[str], role: VectorRole = "live") -> Embedded:
        """At most TEXTS_MAX texts. Raises ModelUnavailable, ValueError for more."""
        question = self.checked(texts, role)
        with self.waiting(question):
            found: Embedded | ModelUnavailable = await self._together(question)
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
