"""Teasers, search and markets."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import ConfigDict, Field, StringConstraints

from engine.adapters.postgres.search import FACETS, Sort
from engine.market.fair_housing import compiled, filter_fields
from serve_apps.api.schemas.fields import (
    BIGINT_MAX,
    AnswerModel,
    Instant,
    PageQuery,
    PlanName,
    SearchText,
    left_out,
)

DEGREES = r"-?[0-9]{1,3}(?:\.[0-9]{1,12})?"
NearText = Annotated[str, StringConstraints(max_length=40, pattern=f"^{DEGREES},{DEGREES}$")]
BoxText = Annotated[
    str,
    StringConstraints(max_length=80, pattern=f"^{DEGREES},{DEGREES},{DEGREES},{DEGREES}$"),
]
Bound = Annotated[int, Field(ge=0, le=BIGINT_MAX)]
ListText = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
Facet = Literal["property_type", "lead_state", "source", "city", "bedrooms_total"]
assert set(FACETS) == set(Facet.__args__)  # type: ignore[attr-defined]


class LeadQuery(PageQuery):
    """Search filters. Lists repeat the parameter or separate with commas."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    market: PlanName | None = Field(None, description="a market's slug; all markets without")
    q: SearchText | None = Field(None, description='words, "phrases", or, -not')
    near: NearText | None = Field(None, description="lat,lon in degrees")
    radius_m: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        None, description="metres around near"
    )
    bbox: BoxText | None = Field(None, description="west,south,east,north in degrees")
    property_type: Annotated[list[ListText], Field(max_length=20)] = Field([])
    source: Annotated[list[ListText], Field(max_length=20)] = Field([])
    lead_state: Annotated[list[ListText], Field(max_length=8)] = Field(
        [], description="available, held, sold, withdrawn; available and held without"
    )
    list_price_min: Bound | None = None
    list_price_max: Bound | None = None
    living_area_min: Bound | None = None
    living_area_max: Bound | None = None
    lot_size_square_feet_min: Bound | None = None
    lot_size_square_feet_max: Bound | None = None
    year_built_min: Bound | None = None
    year_built_max: Bound | None = None
    bedrooms_total_min: Bound | None = None
    bedrooms_total_max: Bound | None = None
    price_min: Bound | None = None
    price_max: Bound | None = None
    sort: Literal["relevance", "newest", "price", "distance", "quality"] = Field(
        "newest", description="relevance needs q, distance needs near"
    )
    facets: Annotated[list[ListText], Field(max_length=8)] = Field(
        [], description=f"count values of: {', '.join(FACETS)}"
    )


# How a page is shown; all other parameters select leads.
SHOWN_BY = frozenset({"limit", "cursor", "sort", "facets"})
filter_fields(name for name in LeadQuery.model_fields if name not in SHOWN_BY)
compiled("ranking", ((sort, "order") for sort in get_args(Sort)))
compiled("facet", ((facet, "count") for facet in FACETS))


class Teaser(AnswerModel):
    """What anyone signed in may see of a lead. Property fields carry RESO names."""

    lead_id: str
    market: str
    lead_state: Literal["available", "held", "sold", "withdrawn"]
    price: int = Field(ge=1, description="credits, undiscounted")
    max_buyers: int = Field(ge=1)
    seats_left: int = Field(ge=0)
    quality: float = Field(ge=0, le=1)
    fraud_flag: bool
    sources: list[str]
    is_sample: bool
    listed_at: Instant
    distance_m: int | None = Field(None, ge=0, description="in a search with near")
    list_price: int | None
    standard_status: str | None
    property_type: str | None
    property_sub_type: str | None
    bedrooms_total: int | None
    bathrooms_total_integer: int | None
    living_area: int | None
    lot_size_square_feet: int | None
    year_built: int | None
    city: str | None
    state_or_province: str | None
    postal_code: str | None
    latitude: float | None
    longitude: float | None
    public_remarks: str | None
    originating_system_name: str | None
    modification_timestamp: str | None


class FacetCount(AnswerModel):
    """How many matching leads have this value."""

    value: str | int
    count: int


class LeadsPage(AnswerModel):
    """Teasers; `total` is exact to 10,000. `facets` only if asked for."""

    items: list[Teaser]
    next_cursor: str | None
    total: int = Field(ge=0, le=10_000)
    facets: dict[str, list[FacetCount]] | None = None


class PriceFactor(AnswerModel):
    """One step of what makes a price, in order; which members it has depends on `name`.

    `base` and `set` are `credits` (a decimal); `demand`, `age` and `seats` multiply, `times` (a
    decimal); `ceiling` is `at_most`, `floor` is `at_least`, and `step limit` keeps the price
    `by_at_most` credits from the price `before`.
    """

    name: Literal["base", "demand", "age", "seats", "ceiling", "floor", "step limit", "set"]
    credits: str | None = Field(None, json_schema_extra=left_out)
    times: str | None = Field(None, json_schema_extra=left_out)
    at_most: int | None = Field(None, json_schema_extra=left_out)
    at_least: int | None = Field(None, json_schema_extra=left_out)
    before: int | None = Field(None, json_schema_extra=left_out)
    by_at_most: int | None = Field(None, json_schema_extra=left_out)


class PathPoint(AnswerModel):
    """What the price will be at most at an instant, if nobody acts on the lead."""

    at: Instant
    price: int = Field(ge=1)
    is_committed: bool = Field(description="false: nothing is promised beyond now")


class PastPrice(AnswerModel):
    """What the lead cost from `at` on, and why it changed then; `listed` for its first price."""

    at: Instant
    price: int = Field(ge=1)
    reason: str


class LeadPrice(AnswerModel):
    """A lead's price, undiscounted and the same for everybody.

    `factors` make exactly `price`, by `formula`. `path` begins now and goes on hour by hour as
    far as is committed to while nobody acts on the lead: by a hold, a place in line, a purchase,
    news of the home, or a look by an account whose looks count as demand. `history` begins with
    the newest price, and ends with the listing's unless it was longer.
    """

    lead_id: str
    price: int = Field(ge=1, description="credits")
    policy: str | None = Field(description="which pricing policy decided, as name@version")
    formula: str
    factors: list[PriceFactor]
    path: list[PathPoint]
    history: list[PastPrice]


class DepthBand(AnswerModel):
    """Standing orders whose top price lies in a band; of at least three buyers."""

    price_min: int
    price_max: int | None = Field(description="null: no upper end")
    orders: int


class LevelOdds(AnswerModel):
    """`level` is a price relative to what the lead is worth; `within_hour` is the chance that one
    offered at about that level sells a seat within an hour, null where too little was seen."""

    level: float
    within_hour: float | None = Field(ge=0, le=1)


class FillOdds(AnswerModel):
    """Odds of a fill by price level; `levels` is null with the `reason` while unknown."""

    levels: list[LevelOdds] | None
    reason: str | None


class LeadCounts(AnswerModel):
    """Leads by state; those in quarantine are not counted."""

    available: int
    held: int
    sold: int
    withdrawn: int


class Market(AnswerModel):
    """A market now. `seq` is the newest feed number.

    `price_index` is 100 x the mean price of available leads / the median listing price
    of the market's first leads.
    """

    market: str
    name: str
    counts: LeadCounts
    seq: int
    price_index: float | None
    world: Literal["sample", "captures"]


class MarketInDepth(Market):
    """A market now, with its standing demand by top price, highest first, and the odds of a fill;
    those two some seconds old."""

    depth: list[DepthBand]
    fill_odds: FillOdds


class MarketsPage(AnswerModel):
    """All markets."""

    items: list[Market]
    next_cursor: None = None
