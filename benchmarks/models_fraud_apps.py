"""The two applications that `models_fraud.py` measures: the market's own, and the plain one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ray import serve
from ray.serve import Application

from benchmarks.models_fraud import FEATURES
from engine.rollout.roles import Version
from engine.settings import Settings
from models_ml.artefact import loaded
from models_ml.served import ModelName
from serve_apps.scoring.apps import scoring_app
from serve_apps.scoring.fraud_app import ONGOING_MAX, QUEUED_MAX, Fraud
from serve_apps.scoring.in_service import InService, Loaded


class Trees:
    """The model of the benchmark, as a listing model answers."""

    schema = 1
    features = FEATURES

    def __init__(self, path: str) -> None:
        self._booster = loaded(Path(path).read_bytes(), FEATURES, "model.json")

    def check(self) -> None:
        """There is no known example."""

    def probabilities(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        # Below what is suspected, so that no reasons are worked out on either side.
        found: NDArray[np.float64] = self._booster.inplace_predict(rows).astype(np.float64) * 0.05
        return found

    def reasons(self, rows: NDArray[np.float32]) -> list[list[str]]:
        return [[] for _ in rows]


class BenchFraud(Fraud):
    """The market's application with the benchmark's model in the registry's place."""

    async def __init__(self, settings: Settings) -> None:  # type: ignore[misc]
        version = Version("fraud", 1, "", "", 0, 1, FEATURES, "", {}, 0, "", "")
        self._service = InService(live=Loaded(version, Trees(settings.models_url)))
        await super().__init__(settings)  # type: ignore[misc]

    def service(self, name: ModelName) -> InService[Any]:
        return self._service


class Single:
    """One row after the other."""

    def __init__(self, path: str) -> None:
        self._model = Trees(path)

    async def score(self, rows: NDArray[np.float32]) -> float:
        return float(self._model.probabilities(rows)[0])


def batched_app(path: str) -> Application:
    settings = Settings(
        _env_file=None, models_url=path, database_url="postgresql://127.0.0.1:1/nowhere"
    )
    return scoring_app(
        BenchFraud, settings, max_ongoing_requests=ONGOING_MAX, max_queued_requests=QUEUED_MAX
    )


def single_app(path: str) -> Application:
    deployment: serve.Deployment = serve.deployment(
        name="Single", max_ongoing_requests=ONGOING_MAX, ray_actor_options={"num_cpus": 0}
    )(Single)
    return deployment.bind(path)
