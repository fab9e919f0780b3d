"""The caller's own account."""

from __future__ import annotations

import asyncpg

from engine.adapters.postgres import accounts
from engine.adapters.postgres.idempotency import Stored
from serve_apps.api.answers import Answer, answer
from serve_apps.api.call import CurrentCall
from serve_apps.api.idempotency import answer_once, decided, refused
from serve_apps.api.problems import invalid, not_found
from serve_apps.api.routes.auth import require_market
from serve_apps.api.routes.plans import plan_entry
from serve_apps.api.routing import Routes
from serve_apps.api.schemas.accounts import Account, PlanEntry, ProfilePatch

routes = Routes("me")


@routes.add("GET", "/v1/me", answers={200: Account})
async def get_me(call: CurrentCall) -> Answer:
    """The caller's profile."""
    found = await accounts.profile(call.deps.pool, call.user.user_id)
    if found is None:
        raise not_found("this account is gone")
    return answer(found)


@routes.add("PATCH", "/v1/me", key="optional", body=ProfilePatch, answers={200: Account})
async def patch_me(call: CurrentCall) -> Answer:
    """Change the members sent, leave the others."""
    patch = call.parse(ProfilePatch)
    changes = patch.model_dump(exclude_unset=True)
    if changes.get("full_name", "") is None:
        raise invalid("body.full_name", "can't be null; leave it out to keep the name")
    require_market(call.deps, changes.get("preferred_market"))

    async def decide(connection: asyncpg.Connection) -> Stored:
        found = await accounts.patch(connection, call.user.user_id, changes)
        return decided(200, found) if found else refused("forbidden", "this account is gone")

    return await answer_once(call, decide)


@routes.add("GET", "/v1/me/subscription", answers={200: PlanEntry})
async def get_subscription(call: CurrentCall) -> Answer:
    """The caller's plan and what it allows."""
    plans = call.deps.plans
    return answer(plan_entry(plans.get(call.user.plan, plans["basic"])))
