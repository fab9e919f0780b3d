"""The fraud application with models that are quick to make."""

from __future__ import annotations

from engine.rollout.roles import Version
from serve_apps.scoring.fraud_app import Fraud
from tests.serve_apps.scoring.small_model import SmallModel, load_small


class SmallFraud(Fraud):
    @staticmethod
    def load(version: Version) -> SmallModel:
        return load_small(version)
