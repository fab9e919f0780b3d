"""The documented form of a problem."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from serve_apps.api.problems import PROBLEMS


class FieldError(BaseModel):
    """What is wrong with one part of the request."""

    model_config = ConfigDict(extra="forbid")

    location: str
    message: str


class Problem(BaseModel):
    """RFC 9457. `type` is the bare slug; further members are allowed."""

    model_config = ConfigDict(extra="allow")

    type: Annotated[str, Field(json_schema_extra={"enum": list(PROBLEMS)})]
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    request_id: str
    errors: list[FieldError] | None = None
