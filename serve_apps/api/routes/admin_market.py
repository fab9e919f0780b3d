"""What admins do: leads out of trade and back."""

from __future__ import annotations

from engine.adapters.postgres import fraud_review
from engine.adapters.postgres.directory import lead_state
from engine.adapters.postgres.fraud_scores import Word
from engine.intake.fraud.verdict import Decision
from engine.market.commands import Approve, Command, Quarantine, Relist, Withdraw
from serve_apps.api.answers import Answer, answer
from serve_apps.api.call import Call, CurrentCall
from serve_apps.api.problems import invalid, not_found
from serve_apps.api.routes.admin_fraud import enter
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
    lead_id, reason, is_scam = _decision(call)
    if is_scam:
        return await _enter(call, "rejected", reason, is_scam)
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
    """Offer a withdrawn lead again; one under suspicion goes into quarantine."""
    lead_id, reason, _ = _decision(call)
    is_suspected = await fraud_review.is_suspected(call.deps.pool, lead_id)
    return await _decide(call, Relist(lead_id, reason if is_suspected else ""))


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
    lead_id, reason, is_scam = _decision(call)
    if await fraud_review.can_be_held(call.deps.pool, lead_id):
        return await _enter(call, "held", reason, is_scam)
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
    lead_id, reason, is_scam = _decision(call, is_approval=True)
    if await fraud_review.can_be_approved(call.deps.pool, lead_id):
        return await _enter(call, "approved", reason, is_scam)
    return await _decide(call, Approve(lead_id))


def _decision(call: Call, *, is_approval: bool = False) -> tuple[str, str, bool | None]:
    """(lead id, reason, whether it is said to be a scam), the reason being "admin" when none
    was given."""
    body = call.parse(LeadDecision)
    if body.is_scam is is_approval:
        raise invalid("body.is_scam", "only an approval, and it alone, says that it is no scam")
    return call.params[0], body.reason or "admin", body.is_scam


async def _enter(call: Call, decision: Decision, reason: str, is_scam: bool | None) -> Answer:
    """Through the desk, which judges leads and must not undo what was decided."""
    by = call.user.user_id
    return await enter(call, Word(decision=decision, by=by, reason=reason, is_scam=is_scam))


async def _decide(call: Call, command: Withdraw | Quarantine | Approve | Relist) -> Answer:
    lead_id = command.lead_id
    market = await call.deps.leads.market_of(lead_id)
    narrowed: Command = command
    await submit(call, market, narrowed)
    state = await lead_state(call.deps.pool, lead_id)
    if state is None:
        raise not_found("no such lead")
    return answer({"lead_id": lead_id, "lead_state": state})
