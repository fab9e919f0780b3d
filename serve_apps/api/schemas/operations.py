"""Health, decisions about leads, and tickets."""

from __future__ import annotations

from typing import Literal

from serve_apps.api.schemas.fields import AnswerModel, Id, Name, RequestModel


class Health(AnswerModel):
    """The process is up."""

    status: Literal["ok"]


class Readiness(AnswerModel):
    """Whether requests can be served, by part."""

    status: Literal["ready", "not ready"]
    checks: dict[str, bool]


class LeadDecision(RequestModel):
    """Why an admin takes a lead out of trade or back into it."""

    reason: Name | None = None


class DecidedLead(AnswerModel):
    """A lead after an admin's decision."""

    lead_id: Id
    lead_state: Literal["available", "held", "sold", "withdrawn", "quarantined"]


class Ticket(AnswerModel):
    """Opens one feed socket, once, within `expires_in` seconds."""

    ticket: str
    expires_in: int
