"""How prices and exposure differ between the areas of a market."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from serve_apps.api.schemas.fields import AnswerModel, Instant
from serve_apps.api.schemas.intake import MarketSlug


class DisparityQuery(BaseModel):
    """Which market."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    market: MarketSlug


class DisparityRatio(AnswerModel):
    """An area's figure over the market's, with a 95 % interval.

    `thin`: rests on fewer than 30 and is not judged; `unclear`: outside 0.8 to 1.25, but may be
    chance; `beyond`: outside, and surely not 1.
    """

    sample: int = Field(ge=0)
    ratio: float | None
    least: float | None
    most: float | None
    verdict: Literal["thin", "unclear", "within", "beyond"]


class AreaDisparity(AnswerModel):
    """One area, an H3 cell of resolution 6 (about 36 km2)."""

    area: str
    leads: int
    on_offer: int
    lead_share: float = Field(description="of the market's leads")
    price_to_base: DisparityRatio = Field(description="price over what the lead is worth")
    price_to_list: DisparityRatio = Field(description="price over what is asked for the home")
    impressions: DisparityRatio | None = Field(
        description="in search answers, per hour on offer; null if not recorded"
    )
    time_to_sale: DisparityRatio = Field(description="hours on offer per lead sold")


class DisparityBaseline(AnswerModel):
    """What the ratios are to; null is unknown."""

    price_to_base: float | None
    price_to_list_sale: float | None = Field(description="credits per 1,000 USD")
    price_to_list_lease: float | None = Field(description="credits per 1,000 USD a month")
    impressions_per_hour: float | None
    hours_per_sale: float | None


class PricingDisparity(AnswerModel):
    """Leads listed in the last 90 days that are on offer or sold, by area.

    `notes` say in words what is beyond the bounds and what is too thin to tell. A signal to look
    closer, no finding.
    """

    market: str
    at: Instant
    leads: int
    baseline: DisparityBaseline
    areas: list[AreaDisparity]
    left_out: int = Field(description="leads without a place, or in areas past the 200 largest")
    notes: list[str]
