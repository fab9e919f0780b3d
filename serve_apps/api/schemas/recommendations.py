"""Recommendations and leads like another."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from engine.market.fair_housing import filter_fields
from serve_apps.api.schemas.fields import AnswerModel, PlanName
from serve_apps.api.schemas.leads import ListText, NearText, Teaser

RECOMMENDED_MAX = 50


class SimilarQuery(BaseModel):
    """How many."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: Annotated[int, Field(ge=1, le=RECOMMENDED_MAX)] = 20


class RecommendationQuery(SimilarQuery):
    """What may be recommended. Lists repeat the parameter or separate with commas."""

    market: PlanName | None = Field(
        None, description="a market's slug; without, the preferred market, else all markets"
    )
    near: NearText | None = Field(None, description="lat,lon in degrees")
    radius_m: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        None, description="metres around near"
    )
    property_type: Annotated[list[ListText], Field(max_length=20)] = Field([])


filter_fields(name for name in RecommendationQuery.model_fields if name != "limit")


class Recommendation(Teaser):
    """A lead with a free seat that is not this buyer's yet. `score` compares within one answer."""

    lead_state: Literal["available"]
    score: float = Field(ge=0, le=1)
    reasons: list[str] = Field(min_length=1, max_length=4)


class RecommendingModel(AnswerModel):
    """Which version ranked; `fallback` without one if no model answered in time."""

    name: Literal["recommender", "fallback"]
    version: int | None


class RecommendationsPage(AnswerModel):
    """Best first; fewer than `limit` if no more are on offer. There is never a next page."""

    items: list[Recommendation]
    next_cursor: None = None
    model: RecommendingModel
