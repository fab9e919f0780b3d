"""What admins do: leads out of trade and back."""

from __future__ import annotations

from engine.adapters.postgres.directory import lead_state
from engine.market.commands import Approve, Command, Quarantine, Relist, Withdraw
from serve_apps.api.answers import Answer, answer
from serve_apps.api.call import Call, CurrentCall
from serve_apps.api.problems import not_found
from serve_apps.api.routing import Routes
from serve_apps.api.schemas.operations import DecidedLead, LeadDecision
from serve_apps.api.trading import submit

routes = Routes("admin")


@routes.add(
    "POST",
    "/v1/admin/leads/{lead_id}/withdraw",
    access="admin",
    key="optional",
    body=LeadDecision,
    answers={200: DecidedLead},
    problems=("not-found", "lead-unavailable"),
)
async def withdraw(call: CurrentCall) -> Answer:
    """Take a lead off the market; its holds end."""
    lead_id, reason = _decision(call)
    return await _decide(call, Withdraw(lead_id, reason))


@routes.add(
    "POST",
    "/v1/admin/leads/{lead_id}/relist",
    access="admin",
    key="optional",
    body=LeadDecision,
    answers={200: DecidedLead},
    problems=("not-found", "lead-unavailable"),
)
async def relist(call: CurrentCall) -> Answer:
    """Offer a withdrawn lead again."""
    lead_id, _ = _decision(call)
    return await _decide(call, Relist(lead_id))


@routes.add(
    "POST",
    "/v1/admin/leads/{lead_id}/quarantine",
    access="admin",
    key="optional",
    body=LeadDecision,
    answers={200: DecidedLead},
    problems=("not-found", "lead-unavailable"),
)
async def quarantine(call: CurrentCall) -> Answer:
    """Hide a lead from buyers until it is approved; its holds end."""
    lead_id, reason = _decision(call)
    return await _decide(call, Quarantine(lead_id, reason))


@routes.add(
    "POST",
    "/v1/admin/leads/{lead_id}/approve",
    access="admin",
    key="optional",
    body=LeadDecision,
    answers={200: DecidedLead},
    problems=("not-found", "lead-unavailable"),
)
async def approve(call: CurrentCall) -> Answer:
    """Release a lead from quarantine."""
    lead_id, _ = _decision(call)
    return await _decide(call, Approve(lead_id))


def _decision(call: Call) -> tuple[str, str]:
    """(lead id, reason), the reason being "admin" when none was given."""
    return call.params[0], call.parse(LeadDecision).reason or "admin"


async def _decide(call: Call, command: Withdraw | Quarantine | Approve | Relist) -> Answer:
    lead_id = command.lead_id
    market = await call.deps.leads.market_of(lead_id)
    narrowed: Command = command
    await submit(call, market, narrowed)
    state = await lead_state(call.deps.pool, lead_id)
    if state is None:
        raise not_found("no such lead")
    return answer({"lead_id": lead_id, "lead_state": state})
