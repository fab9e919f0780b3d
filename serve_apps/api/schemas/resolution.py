"""What operators see of the records behind a lead, and of leads found to be one."""

from __future__ import annotations

from typing import Any

from serve_apps.api.schemas.fields import AnswerModel, Id, Instant, PageQuery
from serve_apps.api.schemas.intake import MarketSlug


class MergesQuery(PageQuery):
    """Merges, of one market if given."""

    market: MarketSlug | None = None


class FieldNoteModel(AnswerModel):
    """How a field came to its value where it is not simply as stated."""

    rule: str
    confidence: float


class LeadRecord(AnswerModel):
    """What one source says of a lead; remarks are masked, the point is rounded."""

    source: str
    source_id: str
    trust: float
    language: str | None
    licence: str
    fetched_at: Instant | None
    first_seen_at: Instant
    last_seen_at: Instant
    listing: dict[str, Any]
    quality: dict[str, float]
    notes: dict[str, FieldNoteModel]


class LeadRecords(AnswerModel):
    """A lead's records, and of each field which of them it was taken from."""

    lead_id: Id
    quality: dict[str, float]
    origin: dict[str, str]
    items: list[LeadRecord]


class LeadMerge(AnswerModel):
    """Two leads found to be one. `is_link`: both were sold, so both stayed."""

    merge_id: str
    market: str
    survivor: Id
    merged: Id
    records: int
    probability: float
    is_link: bool
    merged_at: Instant
    undone_at: Instant | None
    undone_by: Id | None
    new_lead_id: Id | None


class LeadMergesPage(AnswerModel):
    """Merges, newest first."""

    items: list[LeadMerge]
    next_cursor: str | None


class UndoneMerge(AnswerModel):
    """What went is offered as `new_lead_id`; the two are never joined again."""

    survivor: Id
    new_lead_id: Id
