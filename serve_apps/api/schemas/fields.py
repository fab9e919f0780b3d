"""Field types shared by requests and answers: everything bounded, no NUL (PostgreSQL has none)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic.json_schema import SkipJsonSchema

BIGINT_MAX = 2**63 - 1
_NO_NUL = r"^[^\x00]*$"
_EMAIL = (
    r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?){1,4}$"
)


def whole(value: Any) -> Any:
    """JSON knows one kind of number: 5.0 is 5."""
    return int(value) if type(value) is float and value.is_integer() else value


def left_out(schema: dict[str, Any]) -> None:
    """For `json_schema_extra`: a member that may be left out, but has no default."""
    schema.pop("default", None)


Credits = Annotated[int, Field(ge=0, le=BIGINT_MAX), BeforeValidator(whole)]
Email = Annotated[str, StringConstraints(max_length=254, pattern=_EMAIL)]
Absent = SkipJsonSchema[None]
Id = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Instant = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
LongText = Annotated[str, StringConstraints(max_length=2000, pattern=_NO_NUL)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_NO_NUL)]
Password = Annotated[str, StringConstraints(min_length=8, max_length=200)]
Phone = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{6,14}$")]
PlanName = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=_NO_NUL)]
SearchText = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_NO_NUL)]
Term = Annotated[str, StringConstraints(min_length=1, max_length=16)]
Token = Annotated[str, StringConstraints(min_length=1, max_length=512)]


class RequestModel(BaseModel):
    """What a client sends: unknown members are refused, values are not coerced."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class AnswerModel(BaseModel):
    """What a client gets; only documents, answers are encoded without it."""

    model_config = ConfigDict(extra="forbid")


class PageQuery(BaseModel):
    """Keyset paging: pass `next_cursor` back as `cursor`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, StringConstraints(min_length=1, max_length=1000)] | None = None
