"""Sources, their runs, and the records that could not be used."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from serve_apps.api.schemas.fields import (
    AnswerModel,
    Instant,
    LongText,
    PageQuery,
    RequestModel,
)

SourceName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
MarketSlug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
ReasonSlug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)]
RunState = Literal["waiting", "running", "finished", "failed", "interrupted"]


class RunsQuery(PageQuery):
    """Runs, of one source and of one market if given."""

    source: SourceName | None = None
    market: MarketSlug | None = None


class Run(AnswerModel):
    """One run of a source in a market. `pages` were read or had not changed, `errors` pages
    failed; `counts` tells what became of the records, `fill` the shares of them that have a
    field, beside `yield` (records per page) and `accepted` (of all records). One that broke
    off is `interrupted`; the run that went on with it names it in `resumed_from`."""

    run_id: str
    source: str
    market: str
    state: RunState
    started_at: Instant
    finished_at: Instant | None
    pages: int
    records: int
    errors: int
    counts: dict[str, Any]
    error: str | None
    resumed_from: str | None
    fill: dict[str, float]


class RunsPage(AnswerModel):
    """Runs, newest first."""

    items: list[Run]
    next_cursor: str | None


class RunRequest(RequestModel):
    """Which source to run, and where."""

    source: SourceName
    market: MarketSlug


class RunAsked(AnswerModel):
    """The run to come. It is the same one for all who ask before it starts."""

    run_id: str
    source: str
    market: str
    state: Literal["waiting"]


class RunError(AnswerModel):
    """A page that failed in a run, and why."""

    number: int
    url: str | None
    reason: str
    detail: str
    at: Instant


class RunErrorsPage(AnswerModel):
    """Pages that failed, in their order; the first 1,000 of a run are kept."""

    items: list[RunError]
    next_cursor: str | None


class Fall(AnswerModel):
    """A share that fell sharply: `was` is the median of the runs before."""

    field: str
    was: float
    now: float


class Drift(AnswerModel):
    """What a source gives less of than it did, and since when."""

    since: Instant
    falls: list[Fall]


class SourceInMarket(AnswerModel):
    """A source in a market. One that is off says why in `why_off`; `last_run`
    may be under way."""

    source: str
    market: str
    on: bool
    why_off: str | None
    paused: bool
    every: Literal["hourly", "daily"]
    licence: str
    licence_noted: bool
    next_run_at: Instant | None
    failures: Annotated[int, Field(description="Runs that failed in a row.")]
    drift: Drift | None
    last_run: Run | None


class SourcesPage(AnswerModel):
    """Sources by name, each with its markets."""

    items: list[SourceInMarket]
    next_cursor: str | None


class SourcePatch(RequestModel):
    """What to change, in one market or in all of the source's.

    `paused` takes it out of the schedule. `drift` "accepted" takes what it gives now as
    usual, so that it is measured against its runs from now on.
    """

    market: MarketSlug | None = None
    paused: bool | None = None
    drift: Literal["accepted"] | None = None


class RecordsQuery(PageQuery):
    """Rejected records; in `review` are those that nobody has dismissed."""

    state: Literal["rejected", "review"] = "review"
    source: SourceName | None = None
    market: MarketSlug | None = None
    reason: ReasonSlug | None = None


class RejectedRecord(AnswerModel):
    """A record that could not be used, and why; ways to reach anybody are masked."""

    market: str
    source: str
    source_id: str
    reason: str
    detail: str | None
    first_seen_at: Instant
    last_seen_at: Instant
    reviewed_at: Instant | None
    reviewed_by: str | None
    review_note: str | None


class RejectedRecordsPage(AnswerModel):
    """Rejected records, by market, source and id."""

    items: list[RejectedRecord]
    next_cursor: str | None


class RecordReview(RequestModel):
    """`dismiss` settles it; `retry` has the next run read its page again."""

    decision: Literal["dismiss", "retry"]
    note: LongText | None = None
