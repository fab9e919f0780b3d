"""What admins see of prices: how the agents stand, and what experiments came to."""

from __future__ import annotations

from typing import Any

from engine.adapters.postgres import pricing_experiments, pricing_state
from engine.adapters.postgres.pricing_experiments import Run
from engine.adapters.postgres.pricing_state import Shown
from engine.market.instant import rfc3339
from engine.market.pricing.comparison import LeadOutcome, difference_of, outcome_of
from engine.market.pricing.lots import is_on_trial
from serve_apps.api.answers import Answer, answer
from serve_apps.api.call import CurrentCall
from serve_apps.api.routing import Routes
from serve_apps.api.schemas.pricing import PricingAgents, PricingExperiments

routes = Routes("admin")


@routes.add("GET", "/v1/admin/pricing", access="admin", answers={200: PricingAgents})
async def pricing(call: CurrentCall) -> Answer:
    """How each market's pricing agent stands; what it shows is some seconds old."""
    shown = await pricing_state.shown(call.deps.pool)
    agents = [_agent(each) for each in shown if each.market in call.deps.markets]
    return answer({"items": agents, "next_cursor": None})


@routes.add(
    "GET", "/v1/admin/pricing/experiment", access="admin", answers={200: PricingExperiments}
)
async def experiment(call: CurrentCall) -> Answer:
    """Revenue per lead by policy, for every experiment there was."""
    runs = await pricing_experiments.runs(call.deps.pool)
    found = [
        _experiment(run, await pricing_experiments.outcomes(call.deps.pool, run)) for run in runs
    ]
    return answer({"items": found, "next_cursor": None})


def _agent(shown: Shown) -> dict[str, Any]:
    said = shown.summary
    return {
        "market": shown.market,
        "problem": said.get("problem"),
        "policy": said.get("policy"),
        "trial": said.get("trial"),
        "share": said.get("share", 0.0),
        "values": said.get("values"),
        "priced": said.get("priced", 0),
        "prices_changed": said.get("prices_changed", 0),
        "last_tick_at": _instant(said.get("last_tick_at")),
        "checkpoint_at": _instant(shown.checkpoint_at),
        "behind": shown.newest_position - said["position"] if "position" in said else None,
        "signals_today": shown.signals_today,
        "estimates": said.get("estimates"),
        "fill_odds": said.get("fill_odds"),
    }


def _experiment(run: Run, outcomes: list[LeadOutcome]) -> dict[str, Any]:
    trial = [each for each in outcomes if is_on_trial(run.name, each.lead_id, run.share)]
    control = [each for each in outcomes if not is_on_trial(run.name, each.lead_id, run.share)]
    difference = difference_of(control, trial)
    return {
        "market": run.market,
        "name": run.name,
        "share": run.share,
        "started_at": rfc3339(run.started_at),
        "ended_at": _instant(run.ended_at),
        "control": {"policy": run.control, **outcome_of(control)._asdict()},
        "trial": {"policy": run.trial, **outcome_of(trial)._asdict()},
        "difference": None if difference is None else difference._asdict(),
    }


def _instant(at: int | None) -> str | None:
    return rfc3339(at) if at else None
