"""What operators see of prices: the agents, and experiments between policies."""

from __future__ import annotations

from pydantic import Field

from serve_apps.api.schemas.fields import AnswerModel, Instant
from serve_apps.api.schemas.leads import FillOdds


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
