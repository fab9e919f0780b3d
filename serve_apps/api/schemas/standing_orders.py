"""Standing orders: automatic buying by a filter, a top price and limits.

A filter knows a property's facts and where it stands. It knows no person, and of places
only a circle and a rectangle: lists of ZIP codes or neighbourhoods, which can stand for who
lives there (steering, in the words of the Fair Housing Act), can't be said.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, TypeAdapter, WithJsonSchema

from engine.market.fair_housing import filter_fields
from serve_apps.api.schemas.fields import (
    BIGINT_MAX,
    Absent,
    AnswerModel,
    Credits,
    Instant,
    Name,
    PageQuery,
    PlanName,
    RequestModel,
    SearchText,
    left_out,
    whole,
)
from serve_apps.api.schemas.leads import DEGREES, BoxText, ListText, NearText

LISTED_MAX = 20
HOURS_MAX = 28
PER_DAY_MAX = 1_000_000
RADIUS_M_MAX = 1_000_000

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
SeatsWanted = Literal["any", "exclusive", "shared"]
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"

Counted = Annotated[int, Field(ge=0, le=BIGINT_MAX), BeforeValidator(whole)]
SomeCredits = Annotated[int, Field(ge=1, le=BIGINT_MAX), BeforeValidator(whole)]
PerDay = Annotated[int, Field(ge=1, le=PER_DAY_MAX), BeforeValidator(whole)]
Metres = Annotated[int, Field(ge=1, le=RADIUS_M_MAX), BeforeValidator(whole)]
Degrees = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Point = Annotated[list[Degrees], Field(min_length=2, max_length=2)]
Box = Annotated[list[Degrees], Field(min_length=4, max_length=4)]
Listed = Annotated[list[ListText], Field(max_length=LISTED_MAX)]


def _numbers(value: Any) -> Any:
    """A search takes places as text, like 30.27,-97.74: so does a filter."""
    if isinstance(value, str) and re.fullmatch(f"{DEGREES}(?:,{DEGREES}){{1,3}}", value, re.ASCII):
        return [float(part) for part in value.split(",")]
    return value


def _several(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _or_text(listed: Any, text: Any) -> WithJsonSchema:
    """The schema of a list that may come as text too."""
    return WithJsonSchema(TypeAdapter(listed | text).json_schema())


NearGiven = Annotated[Point, BeforeValidator(_numbers), _or_text(Point, NearText)]
BoxGiven = Annotated[Box, BeforeValidator(_numbers), _or_text(Box, BoxText)]
ListGiven = Annotated[Listed, BeforeValidator(_several), _or_text(Listed, ListText)]


class StandingOrderFilter(RequestModel):
    """What is bought: the fields of a search with its meaning; all that are given must hold.

    Bounds are inclusive; a lead that does not state a fact does not meet a bound on it. There
    is no field for people, and none for lists of ZIP codes or neighbourhoods.
    """

    q: SearchText | None = Field(None, description='words, "phrases", or, -not')
    near: NearGiven | None = Field(
        None, description="[lat, lon] in degrees, or as text; needs radius_m"
    )
    radius_m: Metres | None = Field(None, description="metres around near")
    bbox: BoxGiven | None = Field(
        None, description="[west, south, east, north] in degrees, or as text"
    )
    property_type: ListGiven | None = Field(None, description="any of these")
    source: ListGiven | None = Field(None, description="from any of these")
    list_price_min: Counted | None = None
    list_price_max: Counted | None = None
    living_area_min: Counted | None = None
    living_area_max: Counted | None = None
    lot_size_square_feet_min: Counted | None = None
    lot_size_square_feet_max: Counted | None = None
    year_built_min: Counted | None = None
    year_built_max: Counted | None = None
    bedrooms_total_min: Counted | None = None
    bedrooms_total_max: Counted | None = None
    price_min: Counted | None = Field(None, description="credits; the most is price_max")


filter_fields(StandingOrderFilter.model_fields)


class StandingOrderHours(RequestModel):
    """Minutes of the day in the market's time: from the first, up to but without the last.

    A night is two entries, one to 24:00 and one from 00:00.
    """

    days: Annotated[list[Day], Field(min_length=1, max_length=7)]
    start: Annotated[str, StringConstraints(pattern=f"^{_CLOCK}$")] = Field(alias="from")
    end: Annotated[str, StringConstraints(pattern=f"^(?:{_CLOCK}|24:00)$")] = Field(alias="to")


HoursListed = Annotated[list[StandingOrderHours], Field(max_length=HOURS_MAX)]


class StandingOrderRequest(RequestModel):
    """What a standing order asks for; credits throughout."""

    market: PlanName
    name: Name | None = None
    filter: StandingOrderFilter | None = Field(None, description="every lead without")
    price_max: SomeCredits = Field(description="most that a lead may cost, undiscounted")
    seats: SeatsWanted = Field(
        "any", description="exclusive: only leads for one buyer; shared: only for several"
    )
    per_day: PerDay | None = Field(
        None, description="leads bought in a day of the market's time zone"
    )
    budget: SomeCredits | None = Field(None, description="credits spent over the order's life")
    hours: HoursListed | None = Field(None, description="when it buys; at any time without")
    is_paused: bool = False


class StandingOrderPatch(RequestModel):
    """What to change; null clears an optional member, `filter` is replaced as a whole."""

    name: Name | None = None
    filter: StandingOrderFilter | None = None
    price_max: SomeCredits | Absent = Field(None, json_schema_extra=left_out)
    seats: SeatsWanted | Absent = Field(None, json_schema_extra=left_out)
    per_day: PerDay | None = None
    budget: SomeCredits | None = None
    hours: HoursListed | None = None
    is_paused: bool | Absent = Field(None, json_schema_extra=left_out)


class StandingOrdersQuery(PageQuery):
    """The caller's standing orders, of one market if given."""

    market: PlanName | None = None


def _given(schema: dict[str, object]) -> None:
    """A member is there if it was given."""
    schema.pop("default", None)


class FilterGiven(AnswerModel):
    """The fields of the filter that were given."""

    q: str = Field("", json_schema_extra=_given)
    near: Point = Field([], json_schema_extra=_given, description="lat, lon in degrees")
    radius_m: int = Field(0, json_schema_extra=_given)
    bbox: Box = Field([], json_schema_extra=_given, description="west, south, east, north")
    property_type: list[str] = Field([], json_schema_extra=_given)
    source: list[str] = Field([], json_schema_extra=_given)
    list_price_min: int = Field(0, json_schema_extra=_given)
    list_price_max: int = Field(0, json_schema_extra=_given)
    living_area_min: int = Field(0, json_schema_extra=_given)
    living_area_max: int = Field(0, json_schema_extra=_given)
    lot_size_square_feet_min: int = Field(0, json_schema_extra=_given)
    lot_size_square_feet_max: int = Field(0, json_schema_extra=_given)
    year_built_min: int = Field(0, json_schema_extra=_given)
    year_built_max: int = Field(0, json_schema_extra=_given)
    bedrooms_total_min: int = Field(0, json_schema_extra=_given)
    bedrooms_total_max: int = Field(0, json_schema_extra=_given)
    price_min: int = Field(0, json_schema_extra=_given)


class HoursGiven(AnswerModel):
    """Minutes of the day in the market's time: from the first, up to but without the last."""

    days: list[Day]
    start: str = Field(alias="from")
    end: str = Field(alias="to")


class StandingOrder(AnswerModel):
    """A standing order as it is now; `bought` and `spent` are over its life."""

    standing_order_id: str
    market: str
    name: str | None
    filter: FilterGiven
    price_max: int
    seats: SeatsWanted
    per_day: int | None
    budget: int | None
    hours: list[HoursGiven]
    is_paused: bool
    spent: Credits
    bought: int = Field(ge=0, description="leads")
    bought_today: int = Field(ge=0, description="in the present day of the market's time zone")
    created_at: Instant
    updated_at: Instant = Field(description="when its terms last changed")


class StandingOrdersPage(AnswerModel):
    """Standing orders, newest first."""

    items: list[StandingOrder]
    next_cursor: str | None
