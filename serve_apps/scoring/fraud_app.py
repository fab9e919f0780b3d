"""The fraud application: leads of several callers scored together, bounded on every side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from ray import serve
from ray.serve import Application

from actors.models import Scored
from engine.settings import Settings
from models_ml.fraud.advertisements import Advertisement
from serve_apps.scoring.apps import scoring_app
from serve_apps.scoring.fraud_scoring import ROWS_MAX, FraudScoring, Question

# A batch waits so long for company; seconds.
WAIT_SECONDS = 0.002
ONGOING_MAX = 512
QUEUED_MAX = 1024


def _rows(questions: Sequence[Question]) -> int:
    return sum(len(each.lead_ids) for each in questions)


class Fraud(FraudScoring):
    """Reached by `ServedFraudScorer` (actors/served_models.py)."""

    async def score(
        self,
        lead_ids: list[str],
        features: NDArray[np.float32],
        advertisers: Mapping[int, Advertisement],
    ) -> Scored:
        """At most ROWS_MAX leads. Raises ModelUnavailable without a live version, ValueError
        for features of another shape."""
        found: Scored = await self._together(
            self.checked(Question(lead_ids, features, advertisers))
        )
        return found

    @serve.batch(max_batch_size=ROWS_MAX, batch_wait_timeout_s=WAIT_SECONDS, batch_size_fn=_rows)
    async def _together(self, questions: list[Question]) -> list[Scored]:
        return await self.answer(questions)


def fraud_app(settings: Settings) -> Application:
    return scoring_app(
        Fraud, settings, max_ongoing_requests=ONGOING_MAX, max_queued_requests=QUEUED_MAX
    )
