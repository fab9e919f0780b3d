"""Leads that may be scams, as reviewers see them."""

from __future__ import annotations

from typing import Literal

from serve_apps.api.schemas.fields import AnswerModel, Id, Instant, Name, PageQuery, RequestModel
from serve_apps.api.schemas.intake import MarketSlug
from serve_apps.api.schemas.leads import Teaser


class QuarantineQuery(PageQuery):
    """Leads that are hidden, or those that are shown with their flag; of one market if given."""

    market: MarketSlug | None = None
    verdict: Literal["quarantined", "flagged"] = "quarantined"


class SuspectTeaser(Teaser):
    """The teaser as buyers would see it, of a lead that they may not see."""

    lead_state: Literal[  # type: ignore[assignment]
        "available", "held", "sold", "withdrawn", "quarantined"
    ]


class Suspect(AnswerModel):
    """A lead under suspicion and how it was judged.

    `probability`, `model` and `model_version` are null if no model has scored it; such a lead
    is scored when one answers (`needs_rescoring`). Without a verdict it was quarantined by
    hand. `rules` are those that hold, by name; `decision` is what a reviewer said before.
    """

    lead_id: Id
    market: str
    listed_at: Instant
    verdict: Literal["clear", "flagged", "quarantined"] | None
    probability: float | None
    model: str | None
    model_version: int | None
    rules: list[str]
    reasons: list[str]
    scored_at: Instant | None
    needs_rescoring: bool
    decision: Literal["approved", "rejected", "held"] | None
    decided_by: Id | None
    decided_at: Instant | None
    decision_reason: str | None
    lead: SuspectTeaser


class SuspectsPage(AnswerModel):
    """Leads under suspicion, listed last first."""

    items: list[Suspect]
    next_cursor: str | None


class ReviewDecision(RequestModel):
    """Why a reviewer takes a lead for honest, or for a scam. Kept for training."""

    reason: Name
