"""What operators see and do of served models."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from engine.rollout.roles import SHARE_MAX
from models_ml.served import ModelName
from serve_apps.api.schemas.fields import AnswerModel, Instant, LongText, RequestModel

VersionNumber = Annotated[int, Field(ge=1, le=2**31 - 1)]
RoleName = Literal["live", "canary", "shadow"]


class ModelVersion(AnswerModel):
    """A version in the registry. `metrics` are as its maker gave them, of data it had not seen."""

    version: int
    role: RoleName | None
    share: float | None = Field(description="of the subjects, for a canary")
    sha256: str
    size_bytes: int
    schema_version: int = Field(description="of the features it was made for")
    features: int
    training_sha256: str = Field(description="of what it learnt from; empty if not told")
    metrics: dict[str, Any]
    made_at: Instant
    made_by: str
    note: str
    retired_at: Instant | None


class ModelReplica(AnswerModel):
    """A replica, by its own word of some seconds ago. `problem` says what it could not follow."""

    replica: str
    live: int | None
    canary: int | None
    shadow: int | None
    change_id: int = Field(description="the newest change that it took in")
    problem: str
    at: Instant


class ServedModel(AnswerModel):
    """A model with the versions that serve."""

    name: ModelName
    live: int | None
    canary: int | None
    canary_share: float
    shadow: int | None
    change_id: int
    versions: list[ModelVersion]
    replicas: list[ModelReplica]


class ServedModels(AnswerModel):
    """Every model."""

    items: list[ServedModel]
    next_cursor: None = None


class ModelChange(AnswerModel):
    """One line of a model's history."""

    change_id: int
    name: ModelName
    action: Literal["train", "promote", "canary", "shadow", "rollback", "retire", "refused"]
    role: RoleName | None
    from_version: int | None
    to_version: int | None
    share: float | None
    changed_by: str
    reason: str
    at: Instant


class ModelChanges(AnswerModel):
    """The newest first, two hundred at most."""

    items: list[ModelChange]
    next_cursor: None = None


class PromoteRequest(RequestModel):
    """The version to serve."""

    version: VersionNumber
    reason: LongText = ""


class CanaryRequest(RequestModel):
    """The version that answers for a share of the subjects; null ends the canary."""

    version: VersionNumber | None
    share: Annotated[float, Field(gt=0, le=SHARE_MAX, strict=False)] = 0.05
    reason: LongText = ""


class ShadowRequest(RequestModel):
    """The version that scores beside the live one; null ends the shadow."""

    version: VersionNumber | None
    reason: LongText = ""


class RollbackRequest(RequestModel):
    """Without a role the canary's if there is one, else that of the live version; with a version
    only if it is this one that would be taken back."""

    version: VersionNumber | None = None
    role: Literal["live", "canary"] | None = None
    reason: LongText = ""


class RetireRequest(RequestModel):
    """A version without a role."""

    version: VersionNumber
    reason: LongText = ""


class DriftQuery(BaseModel):
    """Which version, the live one without, over how many days."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: VersionNumber | None = None
    days: Annotated[int, Field(ge=1, le=90)] = 7


class FeatureDrift(AnswerModel):
    """A feature now against the training rows."""

    feature: str
    stability_index: float
    verdict: Literal["stable", "moving", "shifted"]
    missing_before: float
    missing_now: float
    edges: list[float] = Field(description="upper ends of the bins; one more is above the last")
    before: list[float] = Field(description="shares of the training rows in the bins")
    now: list[float]


class CalibrationBin(AnswerModel):
    """Labelled leads with scores in this range, and how many of them were scams."""

    score_from: float
    score_to: float
    leads: int
    mean_score: float
    found_share: float


class CalibrationBefore(AnswerModel):
    """A tenth of the rows that the version was judged on when it was made."""

    rows: int
    mean_score: float
    found_share: float


class ModelDrift(AnswerModel):
    """`scores` counts rows by score, between fixed edges; `note` says why something is missing."""

    name: ModelName
    version: int
    days: int
    rows: int
    features: list[FeatureDrift]
    scores: list[int]
    calibration: list[CalibrationBin]
    calibration_error: float | None
    calibration_before: list[CalibrationBefore]
    note: str
