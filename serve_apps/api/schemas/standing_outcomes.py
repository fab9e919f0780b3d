"""What a standing order would have bought, and why it did or did not buy a lead."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from serve_apps.api.schemas.fields import AnswerModel, Credits, Instant, whole
from serve_apps.api.schemas.leads import Teaser
from serve_apps.api.schemas.standing_orders import StandingOrderRequest

PREVIEW_DAYS_MAX = 90
PREVIEW_ITEMS_MAX = 200


class PreviewRequest(StandingOrderRequest):
    """A standing order that is not placed, and how many days to look back."""

    days: Annotated[int, Field(ge=1, le=PREVIEW_DAYS_MAX), BeforeValidator(whole)] = 7


class PreviewItem(AnswerModel):
    """A purchase that would have been."""

    lead_id: str
    at: Instant
    price: int = Field(description="of the lead then, undiscounted")
    pays: int = Field(description="with the discount of your plan today")
    lead: Teaser = Field(description="as it is now")


class StandingOrderPreview(AnswerModel):
    """What the order would have bought had it rested in the market, everything else being as it
    happened. Contests for seats are not replayed, and credits do not limit."""

    days: int
    since: Instant = Field(alias="from")
    until: Instant = Field(alias="to")
    is_cut: bool = Field(
        description="not all could be looked at: only the newest 20,000 leads, or from is later"
    )
    considered: int = Field(
        ge=0, description="leads put to standing orders then whose filter could be met"
    )
    matches: int = Field(ge=0, description="leads that met filter, price and seats at some moment")
    bought: int = Field(ge=0)
    cost: Credits = Field(description="credits of all that would have been bought")
    balance: Credits = Field(description="your credits today, for comparison: no limit here")
    refused: dict[str, int] = Field(
        description="of leads that met the filter and were not bought, how many failed which"
        " rule at their last moment; one may fail several"
    )
    items: list[PreviewItem] = Field(
        max_length=PREVIEW_ITEMS_MAX, description="the first 200 in order of time"
    )


class Evaluation(AnswerModel):
    """A moment when the lead was put to the standing order, from what was recorded then."""

    at: Instant
    because: Literal["listed", "relisted", "approved", "price"]
    price: int = Field(description="of the lead then, undiscounted")
    rules_failed: list[str] = Field(
        description="by name, none if it was bought; unknown if nothing recorded explains it"
    )
    details: dict[str, str] = Field(description="for each failed rule what was, and what it asks")


class Verdict(AnswerModel):
    """Why a standing order bought a lead or did not; of more than 50 moments the last, in order."""

    standing_order_id: str
    lead_id: str
    outcome: Literal["bought", "not-bought", "not-considered"]
    order_id: str | None
    is_cut: bool = Field(description="there were earlier moments, which are not told")
    evaluations: list[Evaluation]
