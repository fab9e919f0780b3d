"""Files that buyers and partners hand in."""

from __future__ import annotations

from typing import Literal

from serve_apps.api.schemas.fields import AnswerModel, Id, Instant, LongText, RequestModel

UploadState = Literal["waiting", "approved", "rejected", "taken"]


class UploadCounts(AnswerModel):
    """Rows by what became of them: usable, unusable by reason, and repeated in full."""

    records: int
    rejected: int
    repeated: int
    by_reason: dict[str, int]


class UploadError(AnswerModel):
    """Why a row can't be used; row 0 is the whole file."""

    row: int
    reason: str
    detail: str


class Upload(AnswerModel):
    """A file handed in. Its records are listed once it is approved and `taken`."""

    upload_id: Id
    user_id: Id
    market: str
    filename: str | None
    mapping: str | None
    state: UploadState
    counts: UploadCounts
    errors: list[UploadError]
    created_at: Instant
    decided_at: Instant | None
    note: str | None
    run_id: str | None


class UploadsPage(AnswerModel):
    """Uploads, newest first."""

    items: list[Upload]
    next_cursor: str | None


class UploadDecision(RequestModel):
    """Whether the records of an upload are listed, and why."""

    decision: Literal["approve", "reject"]
    note: LongText | None = None
