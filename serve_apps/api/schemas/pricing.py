"""What operators see of prices: the agents, and experiments between policies."""

from __future__ import annotations

from pydantic import Field

from serve_apps.api.schemas.fields import AnswerModel, Instant, left_out
from serve_apps.api.schemas.leads import FillOdds


class MarketEstimates(AnswerModel):
    """What an agent believes of its market as a whole. All but the counts come from a policy that
    learns demand: rates per lead and hour, and buyers' valuations relative to base value, of
    which `typical_price_to_value` is the median and `spread` the deviation of the logarithm."""

    segments: int
    standing_orders: int
    considered: int = Field(description="leads that accounts consider now, counted by account")
    typical_price_to_value: float | None = Field(None, json_schema_extra=left_out)
    spread: float | None = Field(None, json_schema_extra=left_out)
    considered_per_lead_hour: float | None = Field(None, json_schema_extra=left_out)
    decay_per_hour: float | None = Field(None, json_schema_extra=left_out)
    leaving_per_hour: float | None = Field(None, json_schema_extra=left_out)


class PricingAgent(AnswerModel):
    """One market's agent as it last showed itself. `problem` says why it does not price.

    `behind` counts journal entries it has not read; null for a market that never had an agent.
    """

    market: str
    problem: str | None
    policy: str | None
    trial: str | None = Field(description="the policy it is compared with")
    share: float = Field(ge=0, lt=1, description="of the leads that the trial prices")
    values: str | None = Field(description="what says what leads are worth")
    priced: int = Field(ge=0, description="leads on offer")
    prices_changed: int = Field(ge=0, description="since the agent started")
    last_tick_at: Instant | None = Field(description="when the whole market was priced last")
    checkpoint_at: Instant | None
    behind: int | None
    signals_today: int = Field(ge=0, description="sightings of leads in the last day")
    estimates: MarketEstimates | None
    fill_odds: FillOdds | None


class PricingAgents(AnswerModel):
    """Every market's agent."""

    items: list[PricingAgent]
    next_cursor: None = None


class ExperimentArm(AnswerModel):
    """Leads priced by one policy, and what they brought so far."""

    policy: str
    leads: int = Field(ge=0)
    still_on_offer: int = Field(ge=0)
    revenue_per_lead: float | None = Field(description="credits; null without leads")
    unsold_share: float | None = Field(ge=0, le=1, description="of leads nobody bought yet")


class ArmDifference(AnswerModel):
    """Trial less control, credits per lead, with its 95 % interval."""

    mean: float
    low: float
    high: float


class PricingExperiment(AnswerModel):
    """Two policies on the leads of one market listed while it ran; `difference` is null with
    fewer than 30 leads in an arm."""

    market: str
    name: str
    share: float
    started_at: Instant
    ended_at: Instant | None
    control: ExperimentArm
    trial: ExperimentArm
    difference: ArmDifference | None


class PricingExperiments(AnswerModel):
    """Every experiment, the newest first."""

    items: list[PricingExperiment]
    next_cursor: None = None
