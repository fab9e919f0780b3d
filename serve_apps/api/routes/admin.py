"""What admins do: accounts and credits."""

from __future__ import annotations

from typing import Annotated

import asyncpg
from fastapi import Query

from engine.adapters.postgres import accounts, sessions, wallets
from engine.adapters.postgres.idempotency import Stored
from engine.market.instant import from_datetime, to_datetime
from serve_apps.api.answers import Answer, answer
from serve_apps.api.call import Call, CurrentCall
from serve_apps.api.cursors import decode_cursor, encode_cursor
from serve_apps.api.idempotency import answer_once, decided
from serve_apps.api.lead_directory import is_id
from serve_apps.api.problems import Problem, invalid, not_found
from serve_apps.api.routing import Routes
from serve_apps.api.schemas.accounts import Account, AccountPatch, AccountsPage
from serve_apps.api.schemas.fields import Email, PageQuery
from serve_apps.api.schemas.trading import Grant, GrantRequest
from serve_apps.api.telling import tell_balance

routes = Routes("admin")


class AccountsQuery(PageQuery):
    """Accounts, of one e-mail if given."""

    email: Email | None = None


@routes.add("GET", "/v1/admin/users", access="admin", answers={200: AccountsPage})
async def list_users(call: CurrentCall, query: Annotated[AccountsQuery, Query()]) -> Answer:
    """Accounts, newest first."""
    identity = f"users {query.email}"
    position = decode_cursor(call.deps, identity, query.cursor)
    found = await accounts.find(
        call.deps.pool,
        email=query.email,
        after=(to_datetime(position[0]), position[1]) if position else None,
        limit=query.limit + 1,
    )
    shown = found[: query.limit]
    last = (
        (from_datetime(shown[-1].created_at), shown[-1].user_id)
        if len(found) > query.limit
        else None
    )
    return answer({"items": shown, "next_cursor": encode_cursor(call.deps, identity, last)})


@routes.add(
    "PATCH",
    "/v1/admin/users/{user_id}",
    access="admin",
    key="optional",
    body=AccountPatch,
    answers={200: Account},
    problems=("not-found",),
)
async def patch_user(call: CurrentCall) -> Answer:
    """Change plan, role or status. A suspended account's sessions end."""
    patch = call.parse(AccountPatch)
    changes = patch.model_dump(exclude_unset=True)
    for name, value in changes.items():
        if value is None:
            raise invalid(f"body.{name}", "can't be null; leave it out to keep it")
    if changes.get("plan", "basic") not in call.deps.plans:
        known = ", ".join(call.deps.plans)
        raise invalid("body.plan", f"unknown plan; known are {known}")
    user_id = _user_id(call)
    if user_id == call.user.user_id and changes.keys() & {"role", "status"}:
        # The last admin could lock everybody out.
        raise Problem("forbidden", "another admin must change your own role or status")

    async def decide(connection: asyncpg.Connection) -> Stored:
        found = await accounts.patch(connection, user_id, changes)
        if found is None:
            raise not_found("no such account")
        if changes.get("status") == "suspended":
            await sessions.revoke_all(connection, user_id, because="suspended")
        return decided(200, found)

    answered = await answer_once(call, decide)
    call.deps.accounts.drop(user_id)
    return answered


@routes.add(
    "POST",
    "/v1/admin/wallets/{user_id}/grants",
    access="admin",
    key="required",
    body=GrantRequest,
    answers={201: Grant},
    problems=("not-found",),
)
async def grant(call: CurrentCall) -> Answer:
    """Give credits."""
    form = call.parse(GrantRequest)
    user_id = _user_id(call)
    balances: list[int] = []

    async def decide(connection: asyncpg.Connection) -> Stored:
        granted = await wallets.transfer(
            connection,
            user_id,
            form.credits,
            source="house:grants",
            reason="grant",
            reference=form.reason,
        )
        if granted is None:
            raise not_found("no such account")
        balances.append(granted.balance)
        return decided(
            201,
            {
                "entry_id": granted.entry_id,
                "user_id": user_id,
                "credits": form.credits,
                "reason": form.reason,
                "balance": granted.balance,
                "created_at": granted.created_at,
            },
        )

    answered = await answer_once(call, decide)
    for balance in balances:
        # A repeat decides nothing, and tells nothing.
        await tell_balance(call.deps, user_id, balance)
    return answered


def _user_id(call: Call) -> str:
    user_id = call.params[0]
    if not is_id(user_id):
        raise not_found("no such account")
    return user_id
