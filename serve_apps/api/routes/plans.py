"""Plans on offer."""

from __future__ import annotations

from engine.market.plan import Plan
from serve_apps.api.answers import Answer, answer
from serve_apps.api.call import CurrentCall
from serve_apps.api.routing import Routes
from serve_apps.api.schemas.accounts import PlansPage

routes = Routes("plans")


@routes.add("GET", "/v1/plans", access="anyone", answers={200: PlansPage})
async def list_plans(call: CurrentCall) -> Answer:
    """All plans, as configured."""
    entries = [plan_entry(plan) for plan in call.deps.plans.values()]
    return answer({"items": entries, "next_cursor": None})


def plan_entry(plan: Plan) -> dict[str, object]:
    return {
        "plan": plan.name,
        "hold_terms": list(plan.terms_us),
        "holds_max": plan.holds_max,
        "discount_percent": plan.discount_percent,
        "hold_value_max": plan.hold_value_max,
        "hold_fee_percent": {term: plan.hold_fee_percent.get(term, 0) for term in plan.terms_us},
        "hold_fee_credited": plan.is_hold_fee_credited,
        "claim_priority": plan.claim_priority,
        "standing_orders_max": plan.standing_orders_max,
    }
