"""Two policies on the leads of a market: by which a lead is priced is told by its id alone."""

from __future__ import annotations

import re
from typing import NamedTuple

from engine.market.pricing import policies
from engine.market.pricing.market_prices import MarketPrices
from engine.market.pricing.rails import Rails
from engine.market.pricing.repricing import Arm
from engine.market.pricing.segments import Segments

_FORM = re.compile(r"([a-z_]+@[0-9]+):(0?\.[0-9]+)")


class Plan(NamedTuple):
    """How a market is priced: by `policy`, and a `share` of its leads by `trial`, if there is
    one. `experiment` names the comparison and draws the lots."""

    policy: str
    trial: str | None = None
    share: float = 0.0
    experiment: str = ""

    @property
    def arms(self) -> tuple[str, ...]:
        return (self.policy,) if self.trial is None else (self.policy, self.trial)


def plan_of(policy: str, experiment: str) -> Plan:
    """Of settings: a policy, the default one if empty, and an experiment such as
    `decay@1:0.5`, none if empty. Raises ValueError on what can't be."""
    policy = policy or policies.DEFAULT
    policies.number_of(policy)
    if not experiment:
        return Plan(policy)
    matched = _FORM.fullmatch(experiment)
    share = float(matched[2]) if matched else 0.0
    if matched is None or not 0 < share < 1:
        raise ValueError(f"an experiment is like decay@1:0.5, not {experiment!r}")
    policies.number_of(matched[1])
    if matched[1] == policy:
        raise ValueError(f"{policy} can't be compared with itself")
    return Plan(policy, matched[1], share, experiment)


def market_prices(plan: Plan, rails: Rails = Rails()) -> MarketPrices:  # noqa: B008  (immutable)
    """A market that nothing is known of yet, priced by the plan."""
    segments = Segments()
    arms = [Arm(policies.number_of(name), policies.make(name, segments)) for name in plan.arms]
    return MarketPrices(segments, arms, rails, experiment=plan.experiment, share=plan.share)
