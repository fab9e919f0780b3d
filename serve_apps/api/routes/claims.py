"""How contests for a lead's seats were decided."""

from __future__ import annotations

from typing import Any

from engine.adapters.postgres import claims
from engine.adapters.postgres.claims import Round
from engine.market.instant import rfc3339
from serve_apps.api.answers import Answer, answer
from serve_apps.api.call import CurrentCall
from serve_apps.api.lead_directory import is_id
from serve_apps.api.problems import not_found
from serve_apps.api.routing import Routes
from serve_apps.api.schemas.claims import Claims

routes = Routes("claims")


@routes.add("GET", "/v1/leads/{lead_id}/claims", answers={200: Claims}, problems=("not-found",))
async def get_claims(call: CurrentCall) -> Answer:
    """The contests for a lead, with all that is needed to check them. No buyer is named."""
    lead_id = call.params[0]
    found = (
        await claims.of_lead(call.deps.pool, lead_id, call.user.user_id) if is_id(lead_id) else None
    )
    if found is None:
        raise not_found("no such lead")
    return answer(
        {
            "lead_id": lead_id,
            "decide_at": None if found.decide_at is None else rfc3339(found.decide_at),
            "commitment": found.commitment,
            "rounds": [_entry(decided) for decided in found.rounds],
        }
    )


def _entry(decided: Round) -> dict[str, Any]:
    return {
        "round": decided.round,
        "seats": decided.seats,
        "seed": decided.seed,
        "commitment": decided.commitment,
        "next_commitment": decided.next_commitment,
        "decided_at": rfc3339(decided.decided_at),
        "claims": decided.claims,
    }
