"""Health and runs of sources."""

from __future__ import annotations

from typing import Any, Literal

from serve_apps.api.schemas.fields import AnswerModel, Id, Instant, Name, RequestModel


class Health(AnswerModel):
    """The process is up."""

    status: Literal["ok"]


class Readiness(AnswerModel):
    """Whether requests can be served, by part."""

    status: Literal["ready", "not ready"]
    checks: dict[str, bool]


class Run(AnswerModel):
    """One run of a source in a market."""

    run_id: str
    source: str
    market: str
    started_at: Instant
    finished_at: Instant | None
    counts: dict[str, Any]
    error: str | None


class RunsPage(AnswerModel):
    """Runs, newest first."""

    items: list[Run]
    next_cursor: str | None


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
