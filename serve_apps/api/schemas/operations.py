"""Health, decisions about leads, and tickets."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from serve_apps.api.schemas.fields import AnswerModel, Id, Name, RequestModel


class Health(AnswerModel):
    """The process is up."""

    status: Literal["ok"]


class Readiness(AnswerModel):
    """Whether requests can be served, by part."""

    status: Literal["ready", "not ready"]
    checks: dict[str, bool]


class LeadDecision(RequestModel):
    """Why an admin takes a lead out of trade or back into it. `is_scam`, where it is said, is
    kept as what the models of scams are to learn from it; only an approval says no."""

    reason: Name | None = None
    is_scam: bool | None = None


class DecidedLead(AnswerModel):
    """A lead after an admin's decision."""

    lead_id: Id
    lead_state: Literal["available", "held", "sold", "withdrawn", "quarantined"]


class Ticket(AnswerModel):
    """Opens one feed socket, once, within `expires_in` seconds."""

    ticket: str
    expires_in: int


class FeedReaders(AnswerModel):
    """Who reads the feed now, over all replicas; other replicas' counts are seconds old.

    An account with sockets at two replicas counts twice in `users`. Without Redis only the
    replica that answers is counted.
    """

    sockets: int = Field(ge=0)
    users: int = Field(ge=0)
    channels: dict[str, int] = Field(description="sockets that read a channel, by channel")
    replicas: int = Field(ge=1)
